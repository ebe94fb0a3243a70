#include "connectors/iceberg/value_bytes.h"

#include <cmath>
#include <cstring>

#include "format/avro/avro_cursor.h"
#include "format/avro/avro_decimal.h"

namespace millrace::connectors::iceberg {

using duckdb::LogicalTypeId;

namespace {

constexpr size_t kBoundCharacters = 16;

template <typename T>
std::string LittleEndian(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename T>
std::optional<std::string> Floating(T value) {
  if (std::isnan(value)) return std::nullopt;
  return LittleEndian(value);
}

// Two's complement, big endian, as short as it can be.
std::string DecimalBytes(const duckdb::Value& value) {
  duckdb::hugeint_t number = 0;
  switch (value.type().InternalType()) {
    case duckdb::PhysicalType::INT16:
      number = value.GetValueUnsafe<int16_t>();
      break;
    case duckdb::PhysicalType::INT32:
      number = value.GetValueUnsafe<int32_t>();
      break;
    case duckdb::PhysicalType::INT64:
      number = value.GetValueUnsafe<int64_t>();
      break;
    default:
      number = value.GetValueUnsafe<duckdb::hugeint_t>();
  }
  std::string with_length;
  format::AppendAvroDecimal(number, 0, with_length);
  std::string_view bytes;
  format::AvroCursor(with_length).ReadBytes(bytes);
  return std::string(bytes);
}

bool StartsCharacter(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
}

// Bytes of the first characters of a text.
size_t CutAt(const std::string& text) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); i++) {
    if (StartsCharacter(text[i]) && characters++ == kBoundCharacters) return i;
  }
  return text.size();
}

// The shortest text of its characters that is above all that begin with it; nothing: there is none.
// Only ASCII characters are raised, as they stay one byte; others are cut off.
std::optional<std::string> Raised(std::string text) {
  while (!text.empty()) {
    const auto last = static_cast<unsigned char>(text.back());
    if (last < 0x7F) {
      text.back() = static_cast<char>(last + 1);
      return text;
    }
    text.pop_back();
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> ValueBytes(const duckdb::Value& value) {
  if (value.IsNull()) return std::nullopt;
  switch (value.type().id()) {
    case LogicalTypeId::BOOLEAN:
      return std::string(1, value.GetValueUnsafe<bool>() ? '\1' : '\0');
    case LogicalTypeId::INTEGER:
      return LittleEndian(value.GetValueUnsafe<int32_t>());
    case LogicalTypeId::BIGINT:
      return LittleEndian(value.GetValueUnsafe<int64_t>());
    case LogicalTypeId::FLOAT:
      return Floating(value.GetValueUnsafe<float>());
    case LogicalTypeId::DOUBLE:
      return Floating(value.GetValueUnsafe<double>());
    case LogicalTypeId::DATE:
      return LittleEndian(value.GetValueUnsafe<duckdb::date_t>().days);
    case LogicalTypeId::TIME:
      return LittleEndian(value.GetValueUnsafe<duckdb::dtime_t>().micros);
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      return LittleEndian(value.GetValueUnsafe<duckdb::timestamp_t>().value);
    case LogicalTypeId::DECIMAL:
      return DecimalBytes(value);
    case LogicalTypeId::VARCHAR:
      return duckdb::StringValue::Get(value);
    default:
      return std::nullopt;
  }
}

std::optional<duckdb::Value> ValueOfBytes(std::string_view bytes, const duckdb::LogicalType& type) {
  if (type.id() == LogicalTypeId::VARCHAR) {
    if (!duckdb::Value::StringIsValid(bytes.data(), bytes.size())) return std::nullopt;
    return duckdb::Value(std::string(bytes));
  }
  int64_t number = 0;
  if (bytes.size() == sizeof(int32_t)) {  // also of a BIGINT that was an INTEGER once
    int32_t narrow = 0;
    std::memcpy(&narrow, bytes.data(), sizeof narrow);
    number = narrow;
  } else if (bytes.size() == sizeof number) {
    std::memcpy(&number, bytes.data(), sizeof number);
  } else {
    return std::nullopt;
  }
  switch (type.id()) {
    case LogicalTypeId::INTEGER:
      return duckdb::Value::INTEGER(static_cast<int32_t>(number));
    case LogicalTypeId::BIGINT:
      return duckdb::Value::BIGINT(number);
    case LogicalTypeId::DATE:
      return duckdb::Value::DATE(duckdb::date_t(static_cast<int32_t>(number)));
    case LogicalTypeId::TIME:
      return duckdb::Value::TIME(duckdb::dtime_t(number));
    case LogicalTypeId::TIMESTAMP:
      return duckdb::Value::TIMESTAMP(duckdb::timestamp_t(number));
    case LogicalTypeId::TIMESTAMP_TZ:
      return duckdb::Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(number));
    default:
      return std::nullopt;
  }
}

std::optional<std::string> BoundBytes(const duckdb::Value& value, bool lower) {
  std::optional<std::string> bytes = ValueBytes(value);
  if (!bytes || value.type().id() != LogicalTypeId::VARCHAR) return bytes;
  const size_t cut = CutAt(*bytes);
  if (cut == bytes->size()) return bytes;
  bytes->resize(cut);
  return lower ? bytes : Raised(std::move(*bytes));
}

}  // namespace millrace::connectors::iceberg
