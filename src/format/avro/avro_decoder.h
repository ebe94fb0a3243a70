// AvroDecoder: 'avro' and 'avro-confluent', one record in Avro's binary encoding -> one row.
//
// Contract: as format/decoder.h; see format/avro/avro_plan.h for how a record's schema and the
// table come together.
//
// Format: 'avro-confluent' has a zero byte and the number of the writer's schema (4 bytes, big
// endian) before the record. 'avro' has nothing before it: the writer's schema is the table's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "format/avro/avro_row_reader.h"
#include "format/decoder.h"
#include "format/format_options.h"
#include "format/schema_registry.h"

namespace millrace::format {

class AvroDecoder : public Decoder {
 public:
  // Errors: kUnsupported for a column type or name; kBadOption for a schema that does not parse;
  // kFailedPrecondition when 'avro-confluent' has no registry.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options,
                                                 const FormatOptions& parsed);

  Status Prepare(std::span<const model::Record> records) override;
  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;

 private:
  // How to read the records of one writer, or why that is not possible.
  struct Known {
    std::shared_ptr<const AvroPlan> plan;
    std::string fault;
  };

  AvroDecoder() = default;
  Status AddColumns(const DecoderOptions& options);
  Known Plan(const Result<std::shared_ptr<const AvroSchema>>& writer) const;
  // Null: fault_ says why.
  const AvroPlan* PlanOf(std::string_view& bytes);
  bool DecodeRecord(const model::Record& record, duckdb::idx_t row);
  bool Malformed(std::string message);

  std::vector<ColumnType> types_;  // of all columns
  std::vector<ColumnWriter> writers_;
  std::vector<AvroColumn> columns_;  // projected or NOT NULL
  std::shared_ptr<const AvroSchema> reader_;
  std::shared_ptr<SchemaRegistry> registry_;  // null: 'avro'
  std::map<int32_t, Known> known_;            // by number; 'avro': only 0
  AvroRowReader row_reader_;
  model::RowError fault_;
};

}  // namespace millrace::format
