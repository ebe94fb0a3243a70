// ProtoEncoder: a row -> one Protobuf message; the inverse of ProtoDecoder.
//
// The schema is the table's own ("protobuf.schema"), else derived
// (format/protobuf/proto_table_schema.h). 'protobuf-confluent' registers it when the encoder is
// made, and writes its number and the message's indexes before each record.
//
// NULL is a field that is not there; in an ARRAY and as the value of a MAP, which cannot tell, it
// is the type's default, as Flink writes it. Fields are in the order of their numbers.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "format/format_options.h"
#include "format/protobuf/proto_schema.h"
#include "format/row_encoder.h"
#include "format/schema_registry.h"

namespace millrace::format {

class ProtoEncoder : public RowEncoder {
 public:
  // Errors: kUnsupported for a column that the message has no field for or whose type does not fit,
  // and for a required field without a column; kBadOption; what the registry answers.
  static Result<std::unique_ptr<Encoder>> Create(std::string_view format,
                                                 const model::Schema& schema,
                                                 const FormatOptions& options,
                                                 SchemaRegistry* registry);

  std::optional<std::string> TakeFault() override { return std::exchange(fault_, std::nullopt); }

 protected:
  void WriteRow(duckdb::idx_t row, std::string& out) override;

 private:
  // How one field is written.
  struct Step {
    const google::protobuf::FieldDescriptor* field = nullptr;
    size_t column = 0;             // or the field of the ROW
    std::vector<Step> steps = {};  // of a message; of a wrapper: one
    bool wrapper = false;
  };

  using RowEncoder::RowEncoder;

  static Result<Step> Plan(const google::protobuf::FieldDescriptor& field, const ColumnType& type);
  static Result<Step> PlanValue(const google::protobuf::FieldDescriptor& field,
                                const ColumnType& type);
  static Result<std::vector<Step>> PlanFields(const google::protobuf::Descriptor& message,
                                              const std::vector<std::string>& names,
                                              const std::vector<ColumnType>& types);
  void WriteField(const Step& step, const ColumnType& type, const ColumnView& view,
                  duckdb::idx_t row, std::string& out);
  void WriteList(const Step& step, const ColumnType& type, const ColumnView& view,
                 duckdb::idx_t index, std::string& out);
  void WriteMap(const Step& step, const ColumnType& type, const ColumnView& view,
                duckdb::idx_t index, std::string& out);
  // A value that is not NULL, without its tag.
  void WriteValue(const Step& step, const ColumnType& type, const ColumnView& view,
                  duckdb::idx_t index, std::string& out);
  void WriteFields(const Step& step, const ColumnType& type, const ColumnView& view,
                   duckdb::idx_t index, std::string& out);

  std::shared_ptr<const ProtoSchema> schema_;
  std::string header_;
  std::vector<Step> steps_;
  std::optional<std::string> fault_;  // of the first STRING that is no value of its enum
};

}  // namespace millrace::format
