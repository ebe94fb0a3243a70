#include "format/column_type.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::format {

namespace {

using duckdb::LogicalTypeId;

struct ScalarKind {
  LogicalTypeId id;
  ColumnKind kind;
};
constexpr ScalarKind kScalarKinds[] = {
    {LogicalTypeId::BOOLEAN, ColumnKind::kBool},
    {LogicalTypeId::TINYINT, ColumnKind::kInt8},
    {LogicalTypeId::SMALLINT, ColumnKind::kInt16},
    {LogicalTypeId::INTEGER, ColumnKind::kInt32},
    {LogicalTypeId::BIGINT, ColumnKind::kInt64},
    {LogicalTypeId::FLOAT, ColumnKind::kFloat},
    {LogicalTypeId::DOUBLE, ColumnKind::kDouble},
    {LogicalTypeId::DECIMAL, ColumnKind::kDecimal},
    {LogicalTypeId::VARCHAR, ColumnKind::kString},
    {LogicalTypeId::BLOB, ColumnKind::kBytes},
    {LogicalTypeId::DATE, ColumnKind::kDate},
    {LogicalTypeId::TIME, ColumnKind::kTime},
    {LogicalTypeId::TIMESTAMP, ColumnKind::kTimestamp},
    {LogicalTypeId::TIMESTAMP_TZ, ColumnKind::kTimestampTz},
};

// Whether JSON has the text as it is.
bool IsPlain(const std::string& text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ';
  });
}

Status AddChild(ColumnType& parent, const duckdb::LogicalType& type) {
  MR_ASSIGN_OR_RETURN(ColumnType child, MakeColumnType(type));
  parent.children.push_back(std::move(child));
  return Status::Ok();
}

}  // namespace

Result<ColumnType> MakeColumnType(const duckdb::LogicalType& type) {
  ColumnType result;
  result.physical = type.InternalType();
  for (const ScalarKind& scalar : kScalarKinds) {
    if (scalar.id != type.id()) continue;
    result.kind = scalar.kind;
    if (scalar.kind == ColumnKind::kDecimal) {
      result.width = duckdb::DecimalType::GetWidth(type);
      result.scale = duckdb::DecimalType::GetScale(type);
    }
    return result;
  }
  switch (type.id()) {
    case LogicalTypeId::LIST:
      result.kind = ColumnKind::kList;
      MR_RETURN_IF_ERROR(AddChild(result, duckdb::ListType::GetChildType(type)));
      return result;
    case LogicalTypeId::STRUCT:
      result.kind = ColumnKind::kStruct;
      for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) {
        result.field_names.push_back(name);
        result.quoted_names.push_back(IsPlain(name) ? "\"" + name + "\":" : "");
        MR_RETURN_IF_ERROR(AddChild(result, child));
      }
      return result;
    case LogicalTypeId::MAP:
      result.kind = ColumnKind::kMap;
      if (duckdb::MapType::KeyType(type).id() != LogicalTypeId::VARCHAR) {
        return Status(Code::kUnsupported,
                      fmt::format("type {} has keys that are not text", type.ToString()))
            .WithHint("the keys of a MAP must be STRING");
      }
      MR_RETURN_IF_ERROR(AddChild(result, duckdb::MapType::KeyType(type)));
      MR_RETURN_IF_ERROR(AddChild(result, duckdb::MapType::ValueType(type)));
      return result;
    default:
      return Status(Code::kUnsupported, fmt::format("type {} is not supported", type.ToString()))
          .WithHint(
              "there is: BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL, STRING, "
              "BYTES, DATE, TIME, TIMESTAMP, TIMESTAMP_LTZ, ARRAY, ROW, MAP<STRING, ...>");
  }
}

std::string TypeName(const ColumnType& type) {
  switch (type.kind) {
    case ColumnKind::kBool:
      return "BOOLEAN";
    case ColumnKind::kInt8:
      return "TINYINT";
    case ColumnKind::kInt16:
      return "SMALLINT";
    case ColumnKind::kInt32:
      return "INT";
    case ColumnKind::kInt64:
      return "BIGINT";
    case ColumnKind::kFloat:
      return "FLOAT";
    case ColumnKind::kDouble:
      return "DOUBLE";
    case ColumnKind::kDecimal:
      return fmt::format("DECIMAL({}, {})", type.width, type.scale);
    case ColumnKind::kString:
      return "STRING";
    case ColumnKind::kBytes:
      return "BYTES";
    case ColumnKind::kDate:
      return "DATE";
    case ColumnKind::kTime:
      return "TIME";
    case ColumnKind::kTimestamp:
      return "TIMESTAMP";
    case ColumnKind::kTimestampTz:
      return "TIMESTAMP_LTZ";
    case ColumnKind::kList:
      return "ARRAY";
    case ColumnKind::kStruct:
      return "ROW";
    case ColumnKind::kMap:
      return "MAP";
  }
  return "unknown";
}

std::string TypeNameWithArticle(const ColumnType& type) {
  std::string name = TypeName(type);
  return (name[0] == 'I' || name[0] == 'A' ? "an " : "a ") + name;
}

}  // namespace millrace::format
