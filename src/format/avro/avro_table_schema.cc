#include "format/avro/avro_table_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/strings.h"

namespace millrace::format {

namespace {

constexpr const char* kRecordName = "org.apache.flink.avro.generated.record";

Status CheckName(const std::string& name) {
  const bool good = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return c == '_' || (static_cast<unsigned char>(c) < 0x80 &&
                                          std::isalnum(static_cast<unsigned char>(c)) != 0);
                    });
  if (good) return {};
  return Status(Code::kUnsupported, fmt::format("\"{}\" is not a name that Avro allows", name))
      .WithHint("a name has letters, digits and _, and does not begin with a digit");
}

std::string Logical(const char* type, const char* logical) {
  return fmt::format(R"({{"type":"{}","logicalType":"{}"}})", type, logical);
}

std::string Nullable(const std::string& type) {
  return "[\"null\"," + type + "]";
}

Result<std::string> TypeOf(const ColumnType& type, const std::string& name, bool local_times);

Result<std::string> RecordOf(const std::vector<std::string>& names,
                             const std::vector<ColumnType>& types,
                             const std::vector<bool>& nullable, const std::string& name,
                             bool local_times) {
  std::string fields;
  for (size_t i = 0; i < names.size(); i++) {
    MR_RETURN_IF_ERROR(CheckName(names[i]));
    MR_ASSIGN_OR_RETURN(std::string type, TypeOf(types[i], name + "_" + names[i], local_times));
    if (i > 0) fields += ',';
    fields +=
        fmt::format(R"({{"name":"{}","type":{}{}}})", names[i], nullable[i] ? Nullable(type) : type,
                    nullable[i] ? ",\"default\":null" : "");
  }
  const size_t dot = name.rfind('.');
  return fmt::format(R"({{"type":"record","name":"{}","namespace":"{}","fields":[{}]}})",
                     name.substr(dot + 1), name.substr(0, dot), fields);
}

Result<std::string> TypeOf(const ColumnType& type, const std::string& name, bool local_times) {
  switch (type.kind) {
    case ColumnKind::kBool:
      return std::string("\"boolean\"");
    case ColumnKind::kInt8:
    case ColumnKind::kInt16:
    case ColumnKind::kInt32:
      return std::string("\"int\"");
    case ColumnKind::kInt64:
      return std::string("\"long\"");
    case ColumnKind::kFloat:
      return std::string("\"float\"");
    case ColumnKind::kDouble:
      return std::string("\"double\"");
    case ColumnKind::kDecimal:
      return fmt::format(R"({{"type":"bytes","logicalType":"decimal","precision":{},"scale":{}}})",
                         type.width, type.scale);
    case ColumnKind::kString:
      return std::string("\"string\"");
    case ColumnKind::kBytes:
      return std::string("\"bytes\"");
    case ColumnKind::kDate:
      return Logical("int", "date");
    case ColumnKind::kTime:
      return Logical("int", "time-millis");
    case ColumnKind::kTimestamp:
      return Logical("long", local_times ? "local-timestamp-millis" : "timestamp-millis");
    case ColumnKind::kTimestampTz:
      return Logical("long", "timestamp-millis");
    case ColumnKind::kList: {
      MR_ASSIGN_OR_RETURN(std::string element, TypeOf(type.children[0], name, local_times));
      return fmt::format(R"({{"type":"array","items":{}}})", Nullable(element));
    }
    case ColumnKind::kMap: {
      MR_ASSIGN_OR_RETURN(std::string value, TypeOf(type.children[1], name, local_times));
      return fmt::format(R"({{"type":"map","values":{}}})", Nullable(value));
    }
    case ColumnKind::kStruct:
      return RecordOf(type.field_names, type.children,
                      std::vector<bool>(type.children.size(), true), name, local_times);
  }
  return Status(Code::kInternal, "a column of an unknown kind");
}

}  // namespace

Result<std::string> AvroSchemaOf(const model::Schema& schema, const std::vector<ColumnType>& types,
                                 bool local_times) {
  std::vector<bool> nullable;
  for (const model::Column& column : schema.columns) nullable.push_back(column.nullable);
  return RecordOf(schema.Names(), types, nullable, kRecordName, local_times);
}

}  // namespace millrace::format
