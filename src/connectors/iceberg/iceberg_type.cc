#include "connectors/iceberg/iceberg_type.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using simdjson::dom::element;

namespace {

constexpr int kDepthMax = 50;

const std::pair<const char*, LogicalType> kPrimitives[] = {
    {"boolean", LogicalType::BOOLEAN}, {"int", LogicalType::INTEGER},
    {"long", LogicalType::BIGINT},     {"float", LogicalType::FLOAT},
    {"double", LogicalType::DOUBLE},   {"date", LogicalType::DATE},
    {"time", LogicalType::TIME},       {"timestamp", LogicalType::TIMESTAMP},
    {"string", LogicalType::VARCHAR},  {"timestamptz", LogicalType::TIMESTAMP_TZ},
    {"uuid", LogicalType::UUID},       {"binary", LogicalType::BLOB},
};

// "decimal(12, 2)"; INVALID for what is none.
LogicalType DecimalOf(const std::string& text) {
  int precision = 0, scale = 0;
  if (std::sscanf(text.c_str(), "decimal(%d,%d)", &precision, &scale) != 2 || precision < 1 ||
      precision > 38 || scale < 0 || scale > precision) {
    return LogicalType::INVALID;
  }
  return LogicalType::DECIMAL(static_cast<uint8_t>(precision), static_cast<uint8_t>(scale));
}

LogicalType PrimitiveOf(const std::string& text) {
  for (const auto& [name, type] : kPrimitives) {
    if (text == name) return type;
  }
  return DecimalOf(text);
}

Status Broken(const char* what) {
  return Status(Code::kCorruption, fmt::format("the catalog's schema has no \"{}\"", what));
}

Result<IcebergType> ParseType(const element& json, int depth);

// A part of a list or map, whose members are named after it: "element-id", "element-required".
Result<IcebergField> ParsePart(const element& json, const std::string& name, int depth) {
  IcebergField part{.id = 0, .name = name, .required = true, .type = {}};
  int64_t id = 0;
  if (json[name + "-id"].get(id)) return Broken((name + "-id").c_str());
  part.id = static_cast<int>(id);
  if (name != "key" && json[name + "-required"].get(part.required)) part.required = false;
  element type;
  if (json[name].get(type)) return Broken(name.c_str());
  MR_ASSIGN_OR_RETURN(part.type, ParseType(type, depth));
  return part;
}

Result<std::vector<IcebergField>> ParseFields(const element& json, int depth) {
  simdjson::dom::array list;
  if (json["fields"].get(list)) return Broken("fields");
  std::vector<IcebergField> fields;
  for (const element each : list) {
    int64_t id = 0;
    std::string_view name;
    element type;
    bool required = false;
    if (each["id"].get(id) || each["name"].get(name) || each["type"].get(type) ||
        each["required"].get(required)) {
      return Broken("id, name, type and required of a field");
    }
    auto parsed = ParseType(type, depth + 1);
    if (!parsed.ok()) return parsed.status().Annotate("column \"" + std::string(name) + "\"");
    fields.push_back({static_cast<int>(id), std::string(name), required, std::move(*parsed)});
  }
  return fields;
}

Result<IcebergType> ParseType(const element& json, int depth) {
  if (depth > kDepthMax) return Broken("type that ends");
  IcebergType type;
  std::string_view word;
  if (!json.get(word)) {
    type.primitive = word;
    if (PrimitiveOf(type.primitive) != LogicalType::INVALID) return type;
    return Status(Code::kUnsupported, "a column of Iceberg's type " + type.primitive);
  }
  if (json["type"].get(word)) return Broken("type");
  if (word == "struct") {
    type.kind = IcebergType::Kind::kStruct;
    MR_ASSIGN_OR_RETURN(type.fields, ParseFields(json, depth));
    return type;
  }
  if (word != "list" && word != "map") return Broken("known type");
  type.kind = word == "list" ? IcebergType::Kind::kList : IcebergType::Kind::kMap;
  const std::vector<std::string> names = word == "list" ? std::vector<std::string>{"element"}
                                                        : std::vector<std::string>{"key", "value"};
  for (const std::string& name : names) {
    MR_ASSIGN_OR_RETURN(IcebergField part, ParsePart(json, name, depth + 1));
    type.fields.push_back(std::move(part));
  }
  return type;
}

std::string FieldsJson(const std::vector<IcebergField>& fields) {
  std::vector<std::string> texts;
  for (const IcebergField& field : fields) texts.push_back(FieldJson(field));
  return "[" + Join(texts, ",") + "]";
}

std::string TypeJson(const IcebergType& type) {
  switch (type.kind) {
    case IcebergType::Kind::kPrimitive:
      return JsonQuote(type.primitive);
    case IcebergType::Kind::kStruct:
      return R"({"type":"struct","fields":)" + FieldsJson(type.fields) + "}";
    case IcebergType::Kind::kList:
      return fmt::format(R"({{"type":"list","element-id":{},"element-required":{},"element":{}}})",
                         type.fields[0].id, type.fields[0].required, TypeJson(type.fields[0].type));
    case IcebergType::Kind::kMap:
      return fmt::format(
          R"({{"type":"map","key-id":{},"key":{},"value-id":{},"value-required":{},"value":{}}})",
          type.fields[0].id, TypeJson(type.fields[0].type), type.fields[1].id,
          type.fields[1].required, TypeJson(type.fields[1].type));
  }
  return "";
}

std::string FieldIdOf(const IcebergField& field) {
  if (field.type.fields.empty()) return std::to_string(field.id);
  std::vector<std::string> texts = {fmt::format("__duckdb_field_id: {}", field.id)};
  for (const IcebergField& part : field.type.fields) {
    texts.push_back(QuoteIdentifier(part.name) + ": " + FieldIdOf(part));
  }
  return "{" + Join(texts, ", ") + "}";
}

}  // namespace

Result<IcebergSchema> ParseSchema(const element& json) {
  return ParseFields(json, 0);
}

std::string SchemaJson(const IcebergSchema& schema, int schema_id) {
  return fmt::format(R"({{"type":"struct","schema-id":{},"fields":{}}})", schema_id,
                     FieldsJson(schema));
}

std::string FieldJson(const IcebergField& field) {
  return fmt::format(R"({{"id":{},"name":{},"required":{},"type":{}}})", field.id,
                     JsonQuote(field.name), field.required, TypeJson(field.type));
}

Result<IcebergType> IcebergTypeOf(const LogicalType& type, int& last_id) {
  IcebergType result;
  auto add = [&](const std::string& name, const LogicalType& part, bool required) -> Status {
    const int id = ++last_id;
    MR_ASSIGN_OR_RETURN(IcebergType inner, IcebergTypeOf(part, last_id));
    result.fields.push_back({id, name, required, std::move(inner)});
    return Status::Ok();
  };
  switch (type.id()) {
    case LogicalTypeId::TINYINT:
    case LogicalTypeId::SMALLINT:
      result.primitive = "int";
      return result;
    case LogicalTypeId::DECIMAL:
      result.primitive = fmt::format("decimal({}, {})", duckdb::DecimalType::GetWidth(type),
                                     duckdb::DecimalType::GetScale(type));
      return result;
    case LogicalTypeId::STRUCT:
      result.kind = IcebergType::Kind::kStruct;
      for (const auto& [name, part] : duckdb::StructType::GetChildTypes(type)) {
        MR_RETURN_IF_ERROR(add(name, part, false));
      }
      return result;
    case LogicalTypeId::LIST:
      result.kind = IcebergType::Kind::kList;
      MR_RETURN_IF_ERROR(add("element", duckdb::ListType::GetChildType(type), false));
      return result;
    case LogicalTypeId::MAP:
      result.kind = IcebergType::Kind::kMap;
      MR_RETURN_IF_ERROR(add("key", duckdb::MapType::KeyType(type), true));
      MR_RETURN_IF_ERROR(add("value", duckdb::MapType::ValueType(type), false));
      return result;
    default:
      break;
  }
  for (const auto& [name, duck_type] : kPrimitives) {
    if (type != duck_type) continue;
    result.primitive = name;
    return result;
  }
  return Status(Code::kUnsupported, "Iceberg has no type for " + type.ToString());
}

LogicalType DuckTypeOf(const IcebergType& type) {
  switch (type.kind) {
    case IcebergType::Kind::kPrimitive:
      return PrimitiveOf(type.primitive);
    case IcebergType::Kind::kStruct: {
      duckdb::child_list_t<LogicalType> fields;
      for (const IcebergField& field : type.fields) {
        fields.emplace_back(field.name, DuckTypeOf(field.type));
      }
      return LogicalType::STRUCT(std::move(fields));
    }
    case IcebergType::Kind::kList:
      return LogicalType::LIST(DuckTypeOf(type.fields[0].type));
    case IcebergType::Kind::kMap:
      return LogicalType::MAP(DuckTypeOf(type.fields[0].type), DuckTypeOf(type.fields[1].type));
  }
  return LogicalType::INVALID;
}

const IcebergField* FindField(const IcebergSchema& schema, const std::string& name) {
  for (const IcebergField& field : schema) {
    if (EqualsIgnoreCase(field.name, name)) return &field;
  }
  return nullptr;
}

const IcebergField* FindField(const IcebergSchema& schema, int id) {
  for (const IcebergField& field : schema) {
    if (field.id == id) return &field;
    if (const IcebergField* inner = FindField(field.type.fields, id)) return inner;
  }
  return nullptr;
}

std::string FieldIdsOption(const IcebergSchema& schema) {
  std::vector<std::string> texts;
  for (const IcebergField& field : schema) {
    texts.push_back(QuoteIdentifier(field.name) + ": " + FieldIdOf(field));
  }
  return "FIELD_IDS {" + Join(texts, ", ") + "}";
}

}  // namespace millrace::connectors::iceberg
