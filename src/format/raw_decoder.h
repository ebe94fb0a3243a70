// RawDecoder: a record's bytes are the value of the table's only column, STRING or BYTES.
//
// Contract: as format/decoder.h. An empty record is an empty value; a tombstone, and bytes that are
// not UTF-8 in a STRING column, are kMalformed.
#pragma once

#include <memory>

#include "format/column_writer.h"
#include "format/decoder.h"

namespace millrace::format {

// The column of a 'raw' table. Errors: kUnsupported unless there is one column, STRING or BYTES.
Result<ColumnType> RawColumn(const model::Schema& schema);

class RawDecoder : public Decoder {
 public:
  static Result<std::unique_ptr<Decoder>> Create(const DecoderOptions& options);

  void Decode(std::span<const model::Record> records, duckdb::DataChunk& out,
              std::vector<uint32_t>& row_record, std::vector<model::RowError>& errors) override;

 private:
  RawDecoder(ColumnType type, std::string name, bool projected)
      : type_(std::move(type)), name_(std::move(name)), projected_(projected), writer_(type_) {}

  ColumnType type_;
  std::string name_;
  bool projected_;
  ColumnWriter writer_;
};

}  // namespace millrace::format
