#include "format/json_schema/json_schema_encoder.h"

#include "format/confluent.h"
#include "format/json_schema/json_schema_options.h"

namespace millrace::format {

Result<std::unique_ptr<Encoder>> JsonSchemaEncoder::Create(
    const model::Schema& schema, const FormatOptions& parsed,
    const std::map<std::string, std::string>& options, SchemaRegistry* registry) {
  std::unique_ptr<JsonSchemaEncoder> encoder(new JsonSchemaEncoder());
  MR_ASSIGN_OR_RETURN(encoder->json_, NewEncoder("json", schema, JsonOptionsOf(options)));
  if (registry == nullptr) return NoSchemaRegistry(kJsonSchema);
  if (!parsed.Has("json-schema.subject")) return NoSubject(kJsonSchema);
  std::vector<ColumnType> types;
  for (const model::Column& column : schema.columns) {
    MR_ASSIGN_OR_RETURN(ColumnType type, MakeColumnType(column.type));
    types.push_back(std::move(type));
  }
  MR_ASSIGN_OR_RETURN(int32_t id, registry->Register(parsed.GetString("json-schema.subject"),
                                                     {"JSON", JsonSchemaOf(schema, types), {}}));
  AppendConfluentHeader(id, encoder->header_);
  return std::unique_ptr<Encoder>(std::move(encoder));
}

}  // namespace millrace::format
