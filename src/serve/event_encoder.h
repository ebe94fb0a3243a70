// EventEncoder: events that are JSON -> records of a table whose format is not (avro-confluent,
// protobuf-confluent, json-schema, avro, protobuf): the very records that INSERT INTO that table
// would write, key and all.
//
// Contract: one thread at a time. New may wait for a schema registry.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "connectors/connector.h"
#include "connectors/kafka/topic_rows.h"

namespace millrace::serve {

class EventEncoder {
 public:
  // Errors: those of the table's format, and of the schema registry it asks.
  // `upsert`: a record's key is the table's PRIMARY KEY.
  static Result<std::unique_ptr<EventEncoder>> New(const connectors::TableContext& table,
                                                   bool upsert);

  struct Encoded {
    std::optional<std::string> key = {};
    std::string value = {};
  };
  // Row `row` of `rows`, which has the table's columns. Errors: why the row is none of the table's
  // schema.
  Result<Encoded> Encode(duckdb::DataChunk& rows, duckdb::idx_t row);

 private:
  EventEncoder() = default;

  std::unique_ptr<connectors::kafka::TopicRows> records_;
  duckdb::DataChunk one_;  // the row
};

}  // namespace millrace::serve
