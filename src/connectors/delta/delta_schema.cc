#include "connectors/delta/delta_schema.h"

#include <simdjson.h>

#include <array>
#include <cstdio>
#include <duckdb/common/type_visitor.hpp>

#include "base/strings.h"

namespace millrace::connectors::delta {

namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using simdjson::dom::element;

struct NamedType {
  std::string_view name;
  LogicalTypeId id;
};

constexpr std::array kPrimitives = {
    NamedType{"boolean", LogicalTypeId::BOOLEAN},
    NamedType{"byte", LogicalTypeId::TINYINT},
    NamedType{"short", LogicalTypeId::SMALLINT},
    NamedType{"integer", LogicalTypeId::INTEGER},
    NamedType{"long", LogicalTypeId::BIGINT},
    NamedType{"float", LogicalTypeId::FLOAT},
    NamedType{"double", LogicalTypeId::DOUBLE},
    NamedType{"string", LogicalTypeId::VARCHAR},
    NamedType{"binary", LogicalTypeId::BLOB},
    NamedType{"date", LogicalTypeId::DATE},
    NamedType{"timestamp", LogicalTypeId::TIMESTAMP_TZ},
    NamedType{"timestamp_ntz", LogicalTypeId::TIMESTAMP},
};

// Rules of a column that a writer would have to keep.
constexpr std::array kColumnRules = {"delta.invariants", "delta.generationExpression",
                                     "delta.identity.start"};

std::string FieldJson(const std::string& name, const std::string& type, bool nullable) {
  return "{\"name\":" + JsonQuote(name) + ",\"type\":" + type +
         ",\"nullable\":" + (nullable ? "true" : "false") + ",\"metadata\":{}}";
}

Result<std::string> TypeJson(const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::DECIMAL: {
      const auto width = duckdb::DecimalType::GetWidth(type);
      const auto scale = duckdb::DecimalType::GetScale(type);
      return "\"decimal(" + std::to_string(width) + "," + std::to_string(scale) + ")\"";
    }
    case LogicalTypeId::LIST: {
      MR_ASSIGN_OR_RETURN(auto item, TypeJson(duckdb::ListType::GetChildType(type)));
      return "{\"type\":\"array\",\"elementType\":" + item + ",\"containsNull\":true}";
    }
    case LogicalTypeId::MAP: {
      MR_ASSIGN_OR_RETURN(auto key, TypeJson(duckdb::MapType::KeyType(type)));
      MR_ASSIGN_OR_RETURN(auto value, TypeJson(duckdb::MapType::ValueType(type)));
      return "{\"type\":\"map\",\"keyType\":" + key + ",\"valueType\":" + value +
             ",\"valueContainsNull\":true}";
    }
    case LogicalTypeId::STRUCT: {
      std::vector<std::string> fields;
      for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) {
        MR_ASSIGN_OR_RETURN(auto json, TypeJson(child));
        fields.push_back(FieldJson(name, json, true));
      }
      return "{\"type\":\"struct\",\"fields\":[" + Join(fields, ",") + "]}";
    }
    default:
      for (const NamedType& known : kPrimitives) {
        if (known.id == type.id()) return "\"" + std::string(known.name) + "\"";
      }
      return Status(Code::kType, "Delta Lake has no type " + type.ToString());
  }
}

Status BadSchema() {
  return Status(Code::kCorruption, "the table's schema in its log does not parse");
}

Result<LogicalType> ParseType(element json);

Result<model::Column> ParseField(element field) {
  std::string_view name;
  bool nullable = true;
  element type;
  if (field["name"].get_string().get(name) || field["nullable"].get_bool().get(nullable) ||
      field["type"].get(type)) {
    return BadSchema();
  }
  for (const char* rule : kColumnRules) {
    element found;
    if (field["metadata"][rule].get(found)) continue;
    return Status(Code::kUnsupported, "column \"" + std::string(name) + "\" has the rule \"" +
                                          rule + "\", which Millrace does not keep");
  }
  auto parsed = ParseType(type);
  if (!parsed.ok()) {
    return std::move(parsed).status().Annotate("column \"" + std::string(name) + "\"");
  }
  return model::Column{std::string(name), *parsed, nullable};
}

Result<std::vector<model::Column>> ParseFields(element structure) {
  simdjson::dom::array fields;
  if (structure["fields"].get_array().get(fields)) return BadSchema();
  std::vector<model::Column> columns;
  for (element field : fields) {
    MR_ASSIGN_OR_RETURN(model::Column column, ParseField(field));
    columns.push_back(std::move(column));
  }
  return columns;
}

Result<LogicalType> ParsePrimitive(const std::string& name) {
  for (const NamedType& known : kPrimitives) {
    if (known.name == name) return LogicalType(known.id);
  }
  int width = 0, scale = 0;
  if (std::sscanf(name.c_str(), "decimal(%d,%d)", &width, &scale) == 2 && width > 0 &&
      width <= 38 && scale >= 0 && scale <= width) {
    return LogicalType::DECIMAL(static_cast<uint8_t>(width), static_cast<uint8_t>(scale));
  }
  return Status(Code::kUnsupported, "Millrace does not know Delta's type \"" + name + "\"");
}

Result<LogicalType> ParseType(element json) {
  std::string_view kind;
  if (!json.get_string().get(kind)) return ParsePrimitive(std::string(kind));
  if (json["type"].get_string().get(kind)) return BadSchema();
  element key, value;
  if (kind == "array" && !json["elementType"].get(value)) {
    MR_ASSIGN_OR_RETURN(LogicalType item, ParseType(value));
    return LogicalType::LIST(item);
  }
  if (kind == "map" && !json["keyType"].get(key) && !json["valueType"].get(value)) {
    MR_ASSIGN_OR_RETURN(LogicalType keys, ParseType(key));
    MR_ASSIGN_OR_RETURN(LogicalType values, ParseType(value));
    return LogicalType::MAP(keys, values);
  }
  if (kind != "struct") return BadSchema();
  MR_ASSIGN_OR_RETURN(auto fields, ParseFields(json));
  duckdb::child_list_t<LogicalType> children;
  for (const model::Column& field : fields) children.emplace_back(field.name, field.type);
  return LogicalType::STRUCT(std::move(children));
}

bool HasLocalTimestamp(const LogicalType& type) {
  return duckdb::TypeVisitor::Contains(type, LogicalTypeId::TIMESTAMP);
}

Result<std::vector<std::string>> FieldsJson(const model::Schema& schema) {
  std::vector<std::string> fields;
  for (const model::Column& column : schema.columns) {
    auto type = TypeJson(column.type);
    if (!type.ok()) {
      return std::move(type)
          .status()
          .Annotate("column \"" + column.name + "\"")
          .WithHint("write it as a type that Delta has: CAST(… AS STRING)");
    }
    fields.push_back(FieldJson(column.name, *type, column.nullable));
  }
  return fields;
}

}  // namespace

Result<std::string> SchemaJson(const model::Schema& schema) {
  MR_ASSIGN_OR_RETURN(auto fields, FieldsJson(schema));
  return "{\"type\":\"struct\",\"fields\":[" + Join(fields, ",") + "]}";
}

Result<model::Schema> ParseSchemaJson(const std::string& json) {
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(json).get(root)) return BadSchema();
  MR_ASSIGN_OR_RETURN(auto columns, ParseFields(root));
  return model::Schema{std::move(columns)};
}

Result<std::string> AddColumns(const std::string& json, const model::Schema& columns) {
  simdjson::dom::parser parser;
  simdjson::dom::array there;
  if (parser.parse(json)["fields"].get_array().get(there)) return BadSchema();
  std::vector<std::string> fields;
  for (element field : there) fields.push_back(simdjson::minify(field));
  model::Schema added = columns;
  for (model::Column& column : added.columns) column.nullable = true;
  MR_ASSIGN_OR_RETURN(auto more, FieldsJson(added));
  fields.insert(fields.end(), more.begin(), more.end());
  return "{\"type\":\"struct\",\"fields\":[" + Join(fields, ",") + "]}";
}

bool HasLocalTimestamps(const model::Schema& schema) {
  for (const model::Column& column : schema.columns) {
    if (HasLocalTimestamp(column.type)) return true;
  }
  return false;
}

}  // namespace millrace::connectors::delta
