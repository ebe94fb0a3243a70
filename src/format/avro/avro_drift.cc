#include "format/avro/avro_drift.h"

#include <algorithm>

namespace millrace::format {

using duckdb::LogicalType;

namespace {

constexpr int kDepthMax = 16;  // a record may hold itself
constexpr int kDecimalDigitsMax = 38;

std::optional<LogicalType> ColumnTypeOf(const AvroType& type, int depth);

bool Declares(const AvroType* reader, const std::string& field) {
  if (reader == nullptr) return false;
  return std::any_of(reader->fields.begin(), reader->fields.end(), [&](const AvroField& own) {
    return own.name == field ||
           std::find(own.aliases.begin(), own.aliases.end(), field) != own.aliases.end();
  });
}

struct Undeclared {
  std::vector<UndeclaredField> found = {};

  void AddOf(const AvroType& record, const AvroType* reader, const std::vector<std::string>& names,
             const std::vector<ColumnType>& types, const std::string& before) {
    for (const AvroField& field : record.fields) {
      const auto name = std::find(names.begin(), names.end(), field.name);
      if (name != names.end()) {
        AddWithin(*field.type, types[static_cast<size_t>(name - names.begin())],
                  before + field.name);
      } else if (!Declares(reader, field.name)) {
        found.push_back({before + field.name, ColumnTypeOf(*field.type, 0)});
      }
    }
  }

  void AddWithin(const AvroType& value, const ColumnType& column, const std::string& path) {
    if (value.kind == AvroKind::kUnion) {
      for (const AvroType* branch : value.parts) AddWithin(*branch, column, path);
    } else if (value.kind == AvroKind::kRecord && column.kind == ColumnKind::kStruct) {
      AddOf(value, nullptr, column.field_names, column.children, path + ".");
    } else if (value.kind == AvroKind::kArray && column.kind == ColumnKind::kList) {
      AddWithin(*value.parts[0], column.children[0], path + "[]");
    } else if (value.kind == AvroKind::kMap && column.kind == ColumnKind::kMap) {
      AddWithin(*value.parts[0], column.children[1], path + "{}");
    }
  }
};

std::optional<LogicalType> BytesType(const AvroType& type) {
  if (type.logical == AvroLogical::kUuid) return LogicalType::VARCHAR;
  if (type.logical != AvroLogical::kDecimal) return LogicalType::BLOB;
  if (type.precision > kDecimalDigitsMax) return std::nullopt;
  return LogicalType::DECIMAL(static_cast<uint8_t>(type.precision),
                              static_cast<uint8_t>(type.scale));
}

LogicalType LongType(AvroLogical logical) {
  switch (logical) {
    case AvroLogical::kTimeMicros:
      return LogicalType::TIME;
    case AvroLogical::kTimestampMillis:
    case AvroLogical::kTimestampMicros:
    case AvroLogical::kLocalTimestampMillis:
    case AvroLogical::kLocalTimestampMicros:
      return LogicalType::TIMESTAMP;
    default:
      return LogicalType::BIGINT;
  }
}

LogicalType IntType(AvroLogical logical) {
  if (logical == AvroLogical::kDate) return LogicalType::DATE;
  return logical == AvroLogical::kTimeMillis ? LogicalType::TIME : LogicalType::INTEGER;
}

// Of a union of null and one other: the other's.
std::optional<LogicalType> UnionType(const AvroType& type, int depth) {
  std::optional<LogicalType> only;
  for (const AvroType* branch : type.parts) {
    if (branch->kind == AvroKind::kNull) continue;
    if (only) return std::nullopt;
    only = ColumnTypeOf(*branch, depth + 1);
    if (!only) return std::nullopt;
  }
  return only;
}

std::optional<LogicalType> RecordType(const AvroType& type, int depth) {
  duckdb::child_list_t<LogicalType> fields;
  for (const AvroField& field : type.fields) {
    auto column = ColumnTypeOf(*field.type, depth + 1);
    if (!column) return std::nullopt;
    fields.emplace_back(field.name, *column);
  }
  return fields.empty() ? std::nullopt : std::optional(LogicalType::STRUCT(std::move(fields)));
}

std::optional<LogicalType> ColumnTypeOf(const AvroType& type, int depth) {
  if (depth > kDepthMax) return std::nullopt;
  switch (type.kind) {
    case AvroKind::kNull:
      return std::nullopt;
    case AvroKind::kBoolean:
      return LogicalType::BOOLEAN;
    case AvroKind::kInt:
      return IntType(type.logical);
    case AvroKind::kLong:
      return LongType(type.logical);
    case AvroKind::kFloat:
      return LogicalType::FLOAT;
    case AvroKind::kDouble:
      return LogicalType::DOUBLE;
    case AvroKind::kBytes:
    case AvroKind::kFixed:
      return BytesType(type);
    case AvroKind::kString:
    case AvroKind::kEnum:
      return LogicalType::VARCHAR;
    case AvroKind::kRecord:
      return RecordType(type, depth);
    case AvroKind::kUnion:
      return UnionType(type, depth);
    case AvroKind::kArray:
    case AvroKind::kMap:
      break;
  }
  auto part = ColumnTypeOf(*type.parts[0], depth + 1);
  if (!part) return std::nullopt;
  return type.kind == AvroKind::kArray ? LogicalType::LIST(*part)
                                       : LogicalType::MAP(LogicalType::VARCHAR, *part);
}

}  // namespace

std::optional<LogicalType> AvroColumnType(const AvroType& type) {
  return ColumnTypeOf(type, 0);
}

std::vector<UndeclaredField> UndeclaredAvroFields(const AvroType& writer, const AvroType* reader,
                                                  const model::Schema& table,
                                                  const std::vector<ColumnType>& types) {
  Undeclared undeclared;
  undeclared.AddOf(writer, reader, table.Names(), types, "");
  return std::move(undeclared.found);
}

}  // namespace millrace::format
