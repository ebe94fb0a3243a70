// AvroEncoder: a row -> one record in Avro's binary encoding; the inverse of AvroDecoder.
//
// The schema is the table's own ("avro.schema"), else derived (format/avro/avro_table_schema.h).
// 'avro-confluent' registers it when the encoder is made, and writes its number before each record.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "format/avro/avro_schema.h"
#include "format/format_options.h"
#include "format/row_encoder.h"
#include "format/schema_registry.h"

namespace millrace::format {

class AvroEncoder : public RowEncoder {
 public:
  // Errors: kUnsupported for a column that the schema has no place for, which may be NULL where the
  // schema has no null, or whose type does not fit; what the registry answers.
  static Result<std::unique_ptr<Encoder>> Create(std::string_view format,
                                                 const model::Schema& schema,
                                                 const FormatOptions& options,
                                                 SchemaRegistry* registry);

 protected:
  void WriteRow(duckdb::idx_t row, std::string& out) override;

 private:
  // How one value is written.
  struct Step {
    const AvroType* type = nullptr;  // no union
    int64_t null_branch = -1;        // of the union around it; -1: there is none
    int64_t value_branch = -1;
    int column = -1;  // of a record's field: the column, or the field of the ROW; -1: the default
    std::string default_bytes = {};
    std::vector<Step> steps = {};  // record: one per field; array, map: one
  };

  using RowEncoder::RowEncoder;

  static Result<Step> Plan(const AvroType& type, const ColumnType& column, bool nullable);
  static Result<std::vector<Step>> PlanFields(const AvroType& record,
                                              const std::vector<std::string>& names,
                                              const std::vector<ColumnType>& types,
                                              const std::vector<bool>& nullable);
  void Write(const Step& step, const ColumnType& type, const ColumnView& view, duckdb::idx_t row,
             std::string& out) const;
  void WriteNested(const Step& step, const ColumnType& type, const ColumnView& view,
                   duckdb::idx_t index, std::string& out) const;

  std::shared_ptr<const AvroSchema> schema_;
  std::string header_;
  std::vector<Step> steps_;
};

}  // namespace millrace::format
