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
#include "format/format_options.h"

namespace millrace::format {

class AvroDecoder : public RecordDecoder {
 public:
  // Errors: kUnsupported for a column type or name; kBadOption for a schema that does not parse;
  // kFailedPrecondition when 'avro-confluent' has no registry.
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options,
                                                 const FormatOptions& parsed);

 protected:
  void Learn(int32_t id, const Result<RegisteredSchema>& schema) override;
  bool DecodeRecord(int32_t id, std::string_view bytes, duckdb::idx_t row) override;

 private:
  // How to read the records of one writer, or why that is not possible.
  struct Known {
    std::shared_ptr<const AvroPlan> plan;
    std::string fault;
    Drifted drifted = {};
  };

  AvroDecoder() = default;
  Known Plan(const Result<std::shared_ptr<const AvroSchema>>& writer);

  std::shared_ptr<const AvroSchema> reader_;
  std::map<int32_t, Known> known_;  // by number; 'avro': only 0
  AvroRowReader row_reader_;
};

}  // namespace millrace::format
