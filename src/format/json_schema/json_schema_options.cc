#include "format/json_schema/json_schema_options.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "format/confluent.h"

namespace millrace::format {

namespace {

std::string TypeOf(const ColumnType& type);

std::string Nullable(const ColumnType& type) {
  return R"({"oneOf":[{"type":"null"},)" + TypeOf(type) + "]}";
}

std::string ObjectOf(const std::vector<std::string>& names, const std::vector<ColumnType>& types,
                     const std::vector<bool>& nullable) {
  std::vector<std::string> properties;
  std::vector<std::string> required;
  for (size_t i = 0; i < names.size(); i++) {
    const std::string name = JsonQuote(names[i]);
    properties.push_back(name + ":" + (nullable[i] ? Nullable(types[i]) : TypeOf(types[i])));
    if (!nullable[i]) required.push_back(name);
  }
  const std::string must =
      required.empty() ? "" : fmt::format(R"("required":[{}],)", Join(required, ","));
  return fmt::format(R"("type":"object","properties":{{{}}},{}"additionalProperties":false)",
                     Join(properties, ","), must);
}

std::string TypeOf(const ColumnType& type) {
  switch (type.kind) {
    case ColumnKind::kBool:
      return R"({"type":"boolean"})";
    case ColumnKind::kInt8:
    case ColumnKind::kInt16:
    case ColumnKind::kInt32:
    case ColumnKind::kInt64:
      return R"({"type":"integer"})";
    case ColumnKind::kDecimal:
      return R"({"type":"number"})";
    case ColumnKind::kFloat:
    case ColumnKind::kDouble:
      return R"({"type":["number","string"]})";  // "NaN", "Infinity"
    case ColumnKind::kList:
      return R"({"type":"array","items":)" + Nullable(type.children[0]) + "}";
    case ColumnKind::kMap:
      return R"({"type":"object","additionalProperties":)" + Nullable(type.children[1]) + "}";
    case ColumnKind::kStruct:
      return "{" +
             ObjectOf(type.field_names, type.children,
                      std::vector<bool>(type.children.size(), true)) +
             "}";
    default:
      return R"({"type":"string"})";
  }
}

// All but those of 'json'.
std::vector<model::OptionSpec> WritersOptions() {
  std::vector<model::OptionSpec> options = RegistryOptions(std::string(kJsonSchema));
  options.push_back({.name = "json-schema.schema",
                     .doc = "the JSON Schema to register and to write with; otherwise it is "
                            "derived from the table",
                     .example = R"({"type":"object","required":["id"]})"});
  options.push_back(SchemaFileOption(kJsonSchema));
  options.push_back({.name = std::string(kUseLatestVersion),
                     .type = model::OptionType::kBool,
                     .doc = "whether to write with the latest schema that the subject has when "
                            "the job starts, and to register none",
                     .default_value = "false"});
  return options;
}

}  // namespace

Result<std::shared_ptr<const JsonSchema>> OwnJsonSchema(const FormatOptions& options) {
  const std::string name = "json-schema.schema";
  if (!options.Has(name)) return std::shared_ptr<const JsonSchema>();
  if (options.GetBool(std::string(kUseLatestVersion))) {
    return Status(Code::kBadOption, fmt::format("options \"{}\" and \"{}\" both say the schema",
                                                name, kUseLatestVersion))
        .WithHint("leave one of them out");
  }
  auto schema = JsonSchema::Parse(options.GetString(name));
  if (schema.ok()) return schema;
  return Status(Code::kBadOption, fmt::format("option \"{}\" is no JSON Schema: {}", name,
                                              schema.status().message()))
      .WithHint(schema.status().hint());
}

FormatSpec JsonSchemaSpec(const FormatSpec& json) {
  FormatSpec spec;
  spec.name = kJsonSchema;
  spec.summary =
      "JSON that carries the number of its JSON Schema in a schema registry; a document that is "
      "not valid in it is no row";
  spec.example = "'format' = 'json-schema', 'json-schema.url' = 'http://registry:8081'";
  spec.binary = true;
  spec.options = WritersOptions();
  for (const model::OptionSpec& option : json.options) {
    spec.options.push_back(option);
    spec.options.back().name = spec.name + option.name.substr(json.name.size());
  }
  return spec;
}

std::map<std::string, std::string> JsonOptionsOf(const std::map<std::string, std::string>& given) {
  std::map<std::string, std::string> own;
  for (const model::OptionSpec& option : WritersOptions()) own[option.name] = "";
  std::map<std::string, std::string> of_json;
  for (const auto& [name, value] : given) {
    if (own.count(name) == 0) of_json["json" + name.substr(kJsonSchema.size())] = value;
  }
  return of_json;
}

std::string JsonSchemaOf(const model::Schema& schema, const std::vector<ColumnType>& types) {
  std::vector<bool> nullable;
  for (const model::Column& column : schema.columns) nullable.push_back(column.nullable);
  return R"({"$schema":"http://json-schema.org/draft-07/schema#","title":"Record",)" +
         ObjectOf(schema.Names(), types, nullable) + "}";
}

}  // namespace millrace::format
