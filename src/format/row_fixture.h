// RowFixture: decodes and encodes in tests, with records laid out as sources lay them out (each
// followed by padding that holds garbage).
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "format/decoder.h"
#include "format/encoder.h"

namespace millrace::format {

using OptionMap = std::map<std::string, std::string>;

class RowFixture {
 public:
  RowFixture(std::string format, model::Schema schema, OptionMap options = {},
             std::vector<size_t> projection = {}, bool project_all = true,
             std::vector<model::WantedFields> wanted = {},
             std::shared_ptr<SchemaRegistry> registry = nullptr)
      : schema_(std::move(schema)) {
    if (project_all) {
      projection.clear();
      for (size_t i = 0; i < schema_.size(); i++) projection.push_back(i);
    }
    duckdb::vector<duckdb::LogicalType> types;
    for (size_t i : projection) types.push_back(schema_.columns[i].type);
    DecoderOptions asked = {std::move(format), schema_, projection, std::move(options),
                            std::move(wanted)};
    asked.registry = std::move(registry);
    auto made = NewDecoder(asked);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    decoder_ = *std::move(made);
    chunk_.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  }

  // Decodes all documents as one batch; rows, rows_from and errors are the outcome.
  void Decode(const std::vector<std::string>& documents) {
    std::vector<model::Record> records;
    for (const std::string& document : documents) records.push_back(Record(document));
    DecodeRecords(records);
  }

  void DecodeRecords(const std::vector<model::Record>& records) {
    chunk_.Reset();
    errors.clear();
    const Status prepared = decoder_->Prepare(records);
    ASSERT_TRUE(prepared.ok()) << prepared.ToString();
    decoder_->Decode(records, chunk_, rows_from, errors);
    chunk_.Verify();
  }

  model::Record Record(const std::string& document) {
    // Garbage that would be taken for JSON by whoever looks past the end.
    buffers_.push_back(std::make_unique<std::string>(
        document + std::string(model::kRecordPadding, "0123456789\"}]"[buffers_.size() % 13])));
    model::Record record;
    record.value = std::string_view(*buffers_.back()).substr(0, document.size());
    return record;
  }

  // The decoded value of one document as DuckDB prints it, or "kind column: message".
  std::string One(const std::string& document, size_t column = 0) {
    Decode({document});
    if (chunk_.size() == 1) return Value(column, 0).ToString();
    if (errors.size() != 1) return "neither row nor error";
    return std::string(RowErrorKindName(errors[0].kind)) +
           (errors[0].column.empty() ? "" : " " + errors[0].column) + ": " + errors[0].message;
  }

  duckdb::Value Value(size_t column, size_t row) { return chunk_.GetValue(column, row); }
  duckdb::DataChunk& chunk() { return chunk_; }
  size_t size() const { return chunk_.size(); }

  std::vector<uint32_t> rows_from;
  std::vector<model::RowError> errors;

 private:
  model::Schema schema_;
  std::unique_ptr<Decoder> decoder_;
  duckdb::DataChunk chunk_;
  std::vector<std::unique_ptr<std::string>> buffers_;
};

// {"v": type}
inline model::Schema OneColumn(duckdb::LogicalType type, bool nullable = true) {
  return {{{"v", std::move(type), nullable}}};
}

}  // namespace millrace::format
