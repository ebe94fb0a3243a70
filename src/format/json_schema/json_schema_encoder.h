// JsonSchemaEncoder: a row -> JSON with the number of a JSON Schema before it; the inverse of
// JsonSchemaDecoder.
//
// The schema is made from the table (format/json_schema/json_schema_options.h), or the table gives
// it; either way it is registered when the encoder is made. Or it is the subject's latest version
// at that time. Rows are checked against a schema that was not made from the table.
#pragma once

#include <simdjson.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "format/encoder.h"
#include "format/format_options.h"
#include "format/json_schema/json_schema.h"

namespace millrace::format {

class JsonSchemaEncoder : public Encoder {
 public:
  // Errors: as NewEncoder of 'json'; kBadOption without a subject or for a schema that is none;
  // what the registry answers.
  static Result<std::unique_ptr<Encoder>> Create(const model::Schema& schema,
                                                 const FormatOptions& parsed,
                                                 const std::map<std::string, std::string>& options,
                                                 SchemaRegistry* registry);

  void Bind(duckdb::DataChunk& chunk) override { json_->Bind(chunk); }
  void EncodeBound(duckdb::idx_t row, std::string& out) override;
  std::optional<std::string> TakeFault() override { return std::exchange(fault_, std::nullopt); }

 private:
  JsonSchemaEncoder() = default;

  Status UseLatest(const std::string& subject, SchemaRegistry& registry);
  void Check(std::string_view document);

  std::unique_ptr<Encoder> json_;
  int32_t id_ = 0;
  std::string header_;
  std::shared_ptr<const JsonSchema> checked_;  // null: it was made from the table
  simdjson::dom::parser parser_;
  std::optional<std::string> fault_;
};

}  // namespace millrace::format
