// JsonSchemaEncoder: a row -> JSON with the number of the table's JSON Schema before it; the
// inverse of JsonSchemaDecoder. The schema (format/json_schema/json_schema_options.h) is registered
// when the encoder is made.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "format/encoder.h"
#include "format/format_options.h"

namespace millrace::format {

class JsonSchemaEncoder : public Encoder {
 public:
  // Errors: as NewEncoder of 'json'; kBadOption without a subject; what the registry answers.
  static Result<std::unique_ptr<Encoder>> Create(const model::Schema& schema,
                                                 const FormatOptions& parsed,
                                                 const std::map<std::string, std::string>& options,
                                                 SchemaRegistry* registry);

  void Bind(duckdb::DataChunk& chunk) override { json_->Bind(chunk); }
  void EncodeBound(duckdb::idx_t row, std::string& out) override {
    out += header_;
    json_->EncodeBound(row, out);
  }

 private:
  JsonSchemaEncoder() = default;

  std::unique_ptr<Encoder> json_;
  std::string header_;
};

}  // namespace millrace::format
