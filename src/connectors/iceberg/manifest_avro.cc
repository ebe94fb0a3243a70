#include "connectors/iceberg/manifest_avro.h"

#include <fmt/format.h>

#include "base/strings.h"
#include "format/avro/avro_cursor.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using duckdb::Value;
using format::AppendAvroBytes;
using format::AppendAvroLong;
using format::AvroValue;

namespace {

constexpr const char* kInt = R"("int")";
constexpr const char* kLong = R"("long")";
constexpr const char* kBytes = R"("bytes")";
constexpr const char* kString = R"("string")";
constexpr const char* kBoolean = R"("boolean")";

std::string Field(int id, const std::string& name, const std::string& type) {
  return fmt::format(R"({{"name":{},"type":{},"field-id":{}}})", JsonQuote(name), type, id);
}

std::string Optional(int id, const std::string& name, const std::string& type) {
  return fmt::format(R"({{"name":{},"type":["null",{}],"default":null,"field-id":{}}})",
                     JsonQuote(name), type, id);
}

std::string Record(const std::string& name, const std::vector<std::string>& fields) {
  return fmt::format(R"({{"type":"record","name":"{}","fields":[{}]}})", name, Join(fields, ","));
}

// A map whose keys are numbers: Avro's own maps have texts.
std::string ById(int id, const std::string& name, int key_id, const std::string& value) {
  const std::string pair = Record(fmt::format("k{}_v{}", key_id, key_id + 1),
                                  {Field(key_id, "key", kInt), Field(key_id + 1, "value", value)});
  return Optional(id, name, R"({"type":"array","logicalType":"map","items":)" + pair + "}");
}

std::string AvroTypeOf(const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return kBoolean;
    case LogicalTypeId::INTEGER:
      return kInt;
    case LogicalTypeId::BIGINT:
      return kLong;
    case LogicalTypeId::FLOAT:
      return R"("float")";
    case LogicalTypeId::DOUBLE:
      return R"("double")";
    case LogicalTypeId::DATE:
      return R"({"type":"int","logicalType":"date"})";
    case LogicalTypeId::TIME:
      return R"({"type":"long","logicalType":"time-micros"})";
    case LogicalTypeId::TIMESTAMP:
      return R"({"type":"long","logicalType":"timestamp-micros","adjust-to-utc":false})";
    case LogicalTypeId::TIMESTAMP_TZ:
      return R"({"type":"long","logicalType":"timestamp-micros","adjust-to-utc":true})";
    default:
      return kString;
  }
}

// Avro's names have letters, digits and "_" only.
std::string AvroName(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = std::isalpha(byte) || c == '_';
    if (letter || (std::isdigit(byte) && !out.empty())) {
      out += c;
    } else {
      out += std::isdigit(byte) ? fmt::format("_{}", c) : fmt::format("_x{:02X}", byte);
    }
  }
  return out;
}

template <typename T, typename Append>
void AppendPairs(const std::map<int, T>& values, std::string& out, Append append) {
  AppendAvroLong(values.empty() ? 0 : 1, out);
  if (values.empty()) return;
  AppendAvroLong(static_cast<int64_t>(values.size()), out);
  for (const auto& [id, value] : values) {
    AppendAvroLong(id, out);
    append(value);
  }
  AppendAvroLong(0, out);
}

}  // namespace

std::string ManifestListAvroSchema() {
  const std::string summary = Record(
      "r508", {Field(509, "contains_null", kBoolean), Optional(518, "contains_nan", kBoolean),
               Optional(510, "lower_bound", kBytes), Optional(511, "upper_bound", kBytes)});
  return Record(
      "manifest_file",
      {Field(500, "manifest_path", kString), Field(501, "manifest_length", kLong),
       Field(502, "partition_spec_id", kInt), Field(517, "content", kInt),
       Field(515, "sequence_number", kLong), Field(516, "min_sequence_number", kLong),
       Field(503, "added_snapshot_id", kLong), Field(504, "added_files_count", kInt),
       Field(505, "existing_files_count", kInt), Field(506, "deleted_files_count", kInt),
       Field(512, "added_rows_count", kLong), Field(513, "existing_rows_count", kLong),
       Field(514, "deleted_rows_count", kLong),
       Optional(507, "partitions", R"({"type":"array","element-id":508,"items":)" + summary + "}"),
       Optional(519, "key_metadata", kBytes)});
}

std::string ManifestAvroSchema(const std::vector<PartitionColumn>& columns) {
  std::vector<std::string> partition;
  for (const PartitionColumn& column : columns) {
    partition.push_back(Optional(column.id, AvroName(column.name), AvroTypeOf(column.type)));
  }
  const std::string file = Record(
      "r2", {Field(134, "content", kInt), Field(100, "file_path", kString),
             Field(101, "file_format", kString), Field(102, "partition", Record("r102", partition)),
             Field(103, "record_count", kLong), Field(104, "file_size_in_bytes", kLong),
             ById(108, "column_sizes", 117, kLong), ById(109, "value_counts", 119, kLong),
             ById(110, "null_value_counts", 121, kLong), ById(137, "nan_value_counts", 138, kLong),
             ById(125, "lower_bounds", 126, kBytes), ById(128, "upper_bounds", 129, kBytes),
             Optional(131, "key_metadata", kBytes),
             Optional(132, "split_offsets", R"({"type":"array","items":"long","element-id":133})"),
             Optional(135, "equality_ids", R"({"type":"array","items":"int","element-id":136})"),
             Optional(140, "sort_order_id", kInt)});
  return Record("manifest_entry",
                {Field(0, "status", kInt), Optional(1, "snapshot_id", kLong),
                 Optional(3, "sequence_number", kLong), Optional(4, "file_sequence_number", kLong),
                 Field(2, "data_file", file)});
}

void AppendOptional(const std::optional<int64_t>& value, std::string& out) {
  AppendAvroLong(value ? 1 : 0, out);
  if (value) AppendAvroLong(*value, out);
}

void AppendOptional(const std::optional<std::string>& value, std::string& out) {
  AppendAvroLong(value ? 1 : 0, out);
  if (value) AppendAvroBytes(*value, out);
}

void AppendOptional(const std::map<int, int64_t>& values, std::string& out) {
  AppendPairs(values, out, [&](int64_t value) { AppendAvroLong(value, out); });
}

void AppendOptional(const std::map<int, std::string>& values, std::string& out) {
  AppendPairs(values, out, [&](const std::string& value) { AppendAvroBytes(value, out); });
}

void AppendOptional(const std::vector<int64_t>& values, std::string& out) {
  AppendAvroLong(values.empty() ? 0 : 1, out);
  if (values.empty()) return;
  AppendAvroLong(static_cast<int64_t>(values.size()), out);
  for (const int64_t value : values) AppendAvroLong(value, out);
  AppendAvroLong(0, out);
}

void AppendPartitionValue(const Value& value, std::string& out) {
  AppendAvroLong(value.IsNull() ? 0 : 1, out);
  if (value.IsNull()) return;
  switch (value.type().id()) {
    case LogicalTypeId::BOOLEAN:
      out += value.GetValueUnsafe<bool>() ? '\1' : '\0';
      return;
    case LogicalTypeId::INTEGER:
      return AppendAvroLong(value.GetValueUnsafe<int32_t>(), out);
    case LogicalTypeId::FLOAT:
      return format::AppendAvroFloating(value.GetValueUnsafe<float>(), out);
    case LogicalTypeId::DOUBLE:
      return format::AppendAvroFloating(value.GetValueUnsafe<double>(), out);
    case LogicalTypeId::DATE:
      return AppendAvroLong(value.GetValueUnsafe<duckdb::date_t>().days, out);
    case LogicalTypeId::VARCHAR:
      return AppendAvroBytes(duckdb::StringValue::Get(value), out);
    default:  // whatever is a number of 64 bits
      return AppendAvroLong(value.GetValueUnsafe<int64_t>(), out);
  }
}

std::optional<int64_t> NumberIn(const AvroValue& record, std::string_view field) {
  const AvroValue* found = record.Find(field);
  return found ? std::optional(found->number) : std::nullopt;
}

std::optional<std::string> BytesIn(const AvroValue& record, std::string_view field) {
  const AvroValue* found = record.Find(field);
  return found ? std::optional(found->bytes) : std::nullopt;
}

std::map<int, int64_t> NumbersByIdIn(const AvroValue& record, std::string_view field) {
  std::map<int, int64_t> numbers;
  const AvroValue* found = record.Find(field);
  for (size_t i = 0; found && i < found->parts.size(); i++) {
    const auto key = NumberIn(found->parts[i], "key"), value = NumberIn(found->parts[i], "value");
    if (key && value) numbers[static_cast<int>(*key)] = *value;
  }
  return numbers;
}

std::map<int, std::string> BytesByIdIn(const AvroValue& record, std::string_view field) {
  std::map<int, std::string> texts;
  const AvroValue* found = record.Find(field);
  for (size_t i = 0; found && i < found->parts.size(); i++) {
    const auto key = NumberIn(found->parts[i], "key");
    const auto value = BytesIn(found->parts[i], "value");
    if (key && value) texts[static_cast<int>(*key)] = *value;
  }
  return texts;
}

std::vector<int64_t> NumbersIn(const AvroValue& record, std::string_view field) {
  std::vector<int64_t> numbers;
  const AvroValue* found = record.Find(field);
  for (size_t i = 0; found && i < found->parts.size(); i++) {
    numbers.push_back(found->parts[i].number);
  }
  return numbers;
}

Value PartitionValueOf(const AvroValue& value, const LogicalType& type) {
  if (value.is_null()) return Value(type);
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return Value::BOOLEAN(value.number != 0);
    case LogicalTypeId::INTEGER:
      return Value::INTEGER(static_cast<int32_t>(value.number));
    case LogicalTypeId::FLOAT:
      return Value::FLOAT(static_cast<float>(value.floating));
    case LogicalTypeId::DOUBLE:
      return Value::DOUBLE(value.floating);
    case LogicalTypeId::DATE:
      return Value::DATE(duckdb::date_t(static_cast<int32_t>(value.number)));
    case LogicalTypeId::TIME:
      return Value::TIME(duckdb::dtime_t(value.number));
    case LogicalTypeId::TIMESTAMP:
      return Value::TIMESTAMP(duckdb::timestamp_t(value.number));
    case LogicalTypeId::TIMESTAMP_TZ:
      return Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(value.number));
    case LogicalTypeId::VARCHAR:
      return Value(value.bytes);
    default:
      return Value::BIGINT(value.number);
  }
}

}  // namespace millrace::connectors::iceberg
