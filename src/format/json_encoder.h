// JsonEncoder: a row -> one JSON object, as Flink's json format writes it.
//
// Format: fields in the order of the columns, no white space. DATE "2024-01-31"; TIME "23:59:59.5";
// TIMESTAMP "2024-01-31 23:59:59.5" (ISO-8601: with 'T'); TIMESTAMP_LTZ the same in UTC with 'Z';
// the fraction has as many digits as it needs. DECIMAL a plain number with all digits of its scale;
// BYTES base64; FLOAT and DOUBLE the shortest text that reads back the same, "NaN" and "Infinity"
// quoted. NULL is null, or left out with json.encode.ignore-null-fields.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/format_options.h"
#include "format/row_encoder.h"

namespace millrace::format {

class JsonEncoder : public RowEncoder {
 public:
  static Result<std::unique_ptr<Encoder>> Create(const model::Schema& schema,
                                                 const FormatOptions& options);

 protected:
  void WriteRow(duckdb::idx_t row, std::string& out) override;

 private:
  using RowEncoder::RowEncoder;

  void WriteValue(const ColumnType& type, const ColumnView& view, duckdb::idx_t row,
                  std::string& out);
  void WriteStruct(const ColumnType& type, const ColumnView& view, duckdb::idx_t index,
                   std::string& out);
  void WriteList(const ColumnType& type, const ColumnView& view, duckdb::idx_t index,
                 std::string& out);
  void WriteMap(const ColumnType& type, const ColumnView& view, duckdb::idx_t index,
                std::string& out);

  std::vector<std::string> names_;  // as JSON, with the colon: "price":
  char timestamp_separator_ = ' ';
  bool ignore_null_fields_ = false;
};

}  // namespace millrace::format
