#include "format/protobuf/proto_drift.h"

#include <algorithm>

namespace millrace::format {

using duckdb::LogicalType;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

namespace {

constexpr int kDepthMax = 16;  // a message may hold itself
constexpr uint8_t kUint64Digits = 20;

std::optional<LogicalType> FieldType(const FieldDescriptor& field, int depth);

struct Undeclared {
  std::vector<UndeclaredField> found = {};

  void AddOf(const Descriptor& message, const std::vector<std::string>& names,
             const std::vector<ColumnType>& types, const std::string& before) {
    for (int i = 0; i < message.field_count(); i++) {
      const FieldDescriptor& field = *message.field(i);
      const auto name = std::find(names.begin(), names.end(), field.name());
      if (name == names.end()) {
        found.push_back({before + field.name(), FieldType(field, 0)});
      } else {
        AddWithin(field, types[static_cast<size_t>(name - names.begin())], before + field.name());
      }
    }
  }

  void AddWithin(const FieldDescriptor& field, const ColumnType& column, const std::string& path) {
    if (field.is_map()) {
      const FieldDescriptor& value = *field.message_type()->map_value();
      if (column.kind == ColumnKind::kMap) AddWithinOne(value, column.children[1], path + "{}");
    } else if (field.is_repeated()) {
      if (column.kind == ColumnKind::kList) AddWithinOne(field, column.children[0], path + "[]");
    } else {
      AddWithinOne(field, column, path);
    }
  }

  void AddWithinOne(const FieldDescriptor& field, const ColumnType& column,
                    const std::string& path) {
    if (field.message_type() == nullptr || column.kind != ColumnKind::kStruct) return;
    AddOf(*field.message_type(), column.field_names, column.children, path + ".");
  }
};

std::optional<LogicalType> MessageType(const Descriptor& message, int depth) {
  const std::string& file = message.file()->name();
  if (file == "google/protobuf/timestamp.proto") return LogicalType::TIMESTAMP;
  if (file == "google/protobuf/wrappers.proto") return FieldType(*message.field(0), depth);
  if (file == "confluent/type/decimal.proto") return std::nullopt;  // its scale is in the values
  duckdb::child_list_t<LogicalType> fields;
  for (int i = 0; i < message.field_count(); i++) {
    auto type = FieldType(*message.field(i), depth + 1);
    if (!type) return std::nullopt;
    fields.emplace_back(message.field(i)->name(), *type);
  }
  return fields.empty() ? std::nullopt : std::optional(LogicalType::STRUCT(std::move(fields)));
}

// Of one value of the field.
std::optional<LogicalType> ValueType(const FieldDescriptor& field, int depth) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return LogicalType::INTEGER;
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return LogicalType::BIGINT;
    case FieldDescriptor::CPPTYPE_UINT64:
      return LogicalType::DECIMAL(kUint64Digits, 0);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return LogicalType::FLOAT;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return LogicalType::DOUBLE;
    case FieldDescriptor::CPPTYPE_BOOL:
      return LogicalType::BOOLEAN;
    case FieldDescriptor::CPPTYPE_ENUM:
      return LogicalType::VARCHAR;
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? LogicalType::BLOB : LogicalType::VARCHAR;
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return field.type() == FieldDescriptor::TYPE_GROUP
                 ? std::nullopt
                 : MessageType(*field.message_type(), depth);
  }
  return std::nullopt;
}

std::optional<LogicalType> FieldType(const FieldDescriptor& field, int depth) {
  if (depth > kDepthMax) return std::nullopt;
  if (field.is_map()) {
    auto value = ValueType(*field.message_type()->map_value(), depth + 1);
    return value ? std::optional(LogicalType::MAP(LogicalType::VARCHAR, *value)) : std::nullopt;
  }
  auto value = ValueType(field, depth + 1);
  if (!value || !field.is_repeated()) return value;
  return LogicalType::LIST(*value);
}

}  // namespace

std::optional<LogicalType> ProtoColumnType(const FieldDescriptor& field) {
  return FieldType(field, 0);
}

std::vector<UndeclaredField> UndeclaredProtoFields(const Descriptor& message,
                                                   const model::Schema& table,
                                                   const std::vector<ColumnType>& types) {
  Undeclared undeclared;
  undeclared.AddOf(message, table.Names(), types, "");
  return std::move(undeclared.found);
}

}  // namespace millrace::format
