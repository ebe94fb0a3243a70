// RecordKey: the key of the records that a table writes to a topic.
//
//   'key.fields'      those columns, in 'key.format': json, …, or the text of the only one (raw,
//   the
//                     default)
//   upsert-kafka      the PRIMARY KEY, in 'key.format', without 'key.fields-prefix'
//   changelog formats without 'key.fields': the PRIMARY KEY, as JSON, to choose the partition by;
//                     it is not written
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "format/encoder.h"

namespace millrace::connectors::kafka {

class RecordKey {
 public:
  // Errors: kUnknownColumn and kBadOption for key fields or formats that do not fit the table.
  static Result<std::unique_ptr<RecordKey>> New(const TableContext& table, bool upsert,
                                                bool changelog);

  bool has_key() const { return !columns_.empty(); }
  bool written() const { return written_; }
  const std::vector<size_t>& columns() const { return columns_; }

  // The rows that HasNull and Append speak of; valid until the chunk changes.
  void UseChunk(duckdb::DataChunk& rows);
  bool HasNull(duckdb::idx_t row) const;
  // False: the key is NULL.
  bool Append(duckdb::idx_t row, std::string& out);
  // As of format::Encoder.
  std::optional<std::string> TakeFault();

 private:
  RecordKey() = default;

  std::vector<size_t> columns_;
  bool written_ = true;
  std::unique_ptr<format::Encoder> encoder_;  // null: the text of the only column
  duckdb::DataChunk chunk_;
  duckdb::DataChunk* rows_ = nullptr;
};

}  // namespace millrace::connectors::kafka
