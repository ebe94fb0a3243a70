#include "format/json_schema/json_schema_encoder.h"

#include <fmt/format.h>

#include "format/confluent.h"
#include "format/json_schema/json_schema_options.h"
#include "format/json_schema/json_validator.h"

namespace millrace::format {

Result<std::unique_ptr<Encoder>> JsonSchemaEncoder::Create(
    const model::Schema& schema, const FormatOptions& parsed,
    const std::map<std::string, std::string>& options, SchemaRegistry* registry) {
  std::unique_ptr<JsonSchemaEncoder> encoder(new JsonSchemaEncoder());
  MR_ASSIGN_OR_RETURN(encoder->json_, NewEncoder("json", schema, JsonOptionsOf(options)));
  MR_ASSIGN_OR_RETURN(encoder->checked_, OwnJsonSchema(parsed));
  if (registry == nullptr) return NoSchemaRegistry(kJsonSchema);
  if (!parsed.Has("json-schema.subject")) return NoSubject(kJsonSchema);
  const std::string& subject = parsed.GetString("json-schema.subject");
  if (parsed.GetBool(std::string(kUseLatestVersion))) {
    MR_RETURN_IF_ERROR(encoder->UseLatest(subject, *registry));
  } else if (encoder->checked_ != nullptr) {
    const std::string& text = parsed.GetString("json-schema.schema");
    MR_ASSIGN_OR_RETURN(encoder->id_, registry->Register(subject, {"JSON", text, {}}));
  } else {
    std::vector<ColumnType> types;
    for (const model::Column& column : schema.columns) {
      MR_ASSIGN_OR_RETURN(ColumnType type, MakeColumnType(column.type));
      types.push_back(std::move(type));
    }
    MR_ASSIGN_OR_RETURN(encoder->id_,
                        registry->Register(subject, {"JSON", JsonSchemaOf(schema, types), {}}));
  }
  AppendConfluentHeader(encoder->id_, encoder->header_);
  return std::unique_ptr<Encoder>(std::move(encoder));
}

Status JsonSchemaEncoder::UseLatest(const std::string& subject, SchemaRegistry& registry) {
  auto latest = registry.Latest(subject);
  if (!latest.ok() && latest.status().code() == Code::kNotFound) {
    return Status(Code::kFailedPrecondition,
                  fmt::format("subject \"{}\" has no schema to write with", subject))
        .WithDetail(latest.status().message())
        .WithHint(fmt::format("register one, or leave \"{}\" out", kUseLatestVersion));
  }
  MR_ASSIGN_OR_RETURN(id_, std::move(latest));
  MR_ASSIGN_OR_RETURN(RegisteredSchema schema, registry.Find(id_));
  if (schema.type != "JSON") {
    return Status(Code::kFailedPrecondition,
                  fmt::format("the latest schema of subject \"{}\" is of type {}, not JSON",
                              subject, schema.type));
  }
  auto parsed = JsonSchema::Parse(schema.text, schema.references);
  if (!parsed.ok()) {
    return std::move(parsed).status().Annotate(
        fmt::format("the latest schema of subject \"{}\"", subject));
  }
  checked_ = *std::move(parsed);
  return {};
}

void JsonSchemaEncoder::EncodeBound(duckdb::idx_t row, std::string& out) {
  out += header_;
  const size_t begin = out.size();
  json_->EncodeBound(row, out);
  if (checked_ != nullptr && !fault_) Check(std::string_view(out).substr(begin));
}

void JsonSchemaEncoder::Check(std::string_view document) {
  simdjson::dom::element json;
  if (auto error = parser_.parse(document.data(), document.size()).get(json)) {
    fault_ = simdjson::error_message(error);
    return;
  }
  if (auto fault = JsonSchemaFault(checked_->root(), json)) {
    fault_ = fmt::format("not valid in schema {}: {}: {}", id_, *fault, document);
  }
}

}  // namespace millrace::format
