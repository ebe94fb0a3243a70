#include "connectors/datagen/field_generator.h"

#include <cmath>
#include <limits>

#include "base/strings.h"

namespace millrace::connectors::datagen {

namespace {

using duckdb::LogicalTypeId;

constexpr int64_t kMicrosPerDay = 86'400'000'000;
constexpr int64_t kMaxLength = 1 << 20;

// splitmix64: a good hash of a counter.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

double Unit(uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

uint64_t Salt(int64_t seed, const std::string& name) {
  uint64_t hash = Mix(static_cast<uint64_t>(seed));
  for (char c : name) hash = Mix(hash ^ static_cast<unsigned char>(c));
  return hash;
}

// Uniform in [low, high].
int64_t Between(uint64_t bits, int64_t low, int64_t high) {
  const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
  if (span == 0) return static_cast<int64_t>(bits);
  return static_cast<int64_t>(static_cast<uint64_t>(low) + bits % span);
}

Status SetRange(FieldGenerator& field, int64_t low, int64_t high) {
  field.min_int = low;
  field.max_int = high;
  return Status::Ok();
}

Status SetDefaults(FieldGenerator& field, const model::Column& column) {
  switch (column.type.id()) {
    case LogicalTypeId::BOOLEAN:
    case LogicalTypeId::VARCHAR:
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
    case LogicalTypeId::DATE:
    case LogicalTypeId::TIME:
      return Status::Ok();
    case LogicalTypeId::TINYINT:
      return SetRange(field, INT8_MIN, INT8_MAX);
    case LogicalTypeId::SMALLINT:
      return SetRange(field, INT16_MIN, INT16_MAX);
    case LogicalTypeId::INTEGER:
      return SetRange(field, INT32_MIN, INT32_MAX);
    case LogicalTypeId::BIGINT:
      return SetRange(field, INT64_MIN, INT64_MAX);
    case LogicalTypeId::FLOAT:
      field.min = -std::numeric_limits<float>::max();
      field.max = std::numeric_limits<float>::max();
      return Status::Ok();
    case LogicalTypeId::DOUBLE:
      // Half the range, so that max - min is finite.
      field.min = -std::numeric_limits<double>::max() / 2;
      field.max = std::numeric_limits<double>::max() / 2;
      return Status::Ok();
    case LogicalTypeId::DECIMAL: {
      const int digits =
          duckdb::DecimalType::GetWidth(column.type) - duckdb::DecimalType::GetScale(column.type);
      field.max = std::pow(10.0, std::min(digits, 15)) - 1;
      field.min = -field.max;
      return Status::Ok();
    }
    default:
      return Status(Code::kUnsupported, "datagen cannot make up values for column \"" +
                                            column.name + "\" of type " + column.type.ToString());
  }
}

template <typename T>
void Set(duckdb::Vector& to, duckdb::idx_t row, T value) {
  duckdb::FlatVector::GetData<T>(to)[row] = value;
}

}  // namespace

Result<FieldGenerator> FieldGenerator::New(const TableContext& table, const model::Column& column) {
  const Options& options = table.options;
  const std::string prefix = "fields." + column.name + ".";
  auto given = [&](const char* what) { return options.Has(prefix + what); };
  FieldGenerator field;
  field.type = column.type;
  field.salt = Salt(options.GetInt("seed"), column.name);
  field.sequence = options.GetString(prefix + "kind") == "sequence";
  MR_RETURN_IF_ERROR(SetDefaults(field, column));
  if (given("min")) {
    field.min = options.GetDouble(prefix + "min");
    const double low = std::max(std::ceil(field.min), static_cast<double>(field.min_int));
    if (low < 0x1p63) field.min_int = static_cast<int64_t>(low);
  }
  if (given("max")) {
    field.max = options.GetDouble(prefix + "max");
    const double high = std::min(std::floor(field.max), static_cast<double>(field.max_int));
    if (high < 0x1p63) field.max_int = static_cast<int64_t>(high);
  }
  if (given("length")) field.length = options.GetInt(prefix + "length");
  if (given("max-past")) field.max_past_us = options.GetMicros(prefix + "max-past");
  if (given("null-rate")) field.null_rate = options.GetDouble(prefix + "null-rate");
  if (given("values")) field.values = millrace::Split(options.GetString(prefix + "values"), '|');
  field.start = options.GetInt(prefix + "start");
  field.end = options.GetInt(prefix + "end");
  const std::string where = "table \"" + table.name + "\", field \"" + column.name + "\": ";
  if (field.sequence && (!given("start") || !given("end") || field.start > field.end)) {
    return Status(Code::kBadOption,
                  where + "a sequence needs \"start\" and \"end\", in this order");
  }
  if (field.sequence && !column.type.IsNumeric() && column.type.id() != LogicalTypeId::VARCHAR) {
    return Status(Code::kBadOption,
                  where + "a sequence makes numbers, not " + column.type.ToString());
  }
  if (column.type.IsIntegral() ? field.min_int > field.max_int : field.min > field.max) {
    return Status(Code::kBadOption, where + "\"min\" is larger than \"max\", or out of the type");
  }
  if (field.length < 0 || field.length > kMaxLength) {
    return Status(Code::kBadOption, where + "\"length\" must be between 0 and 1048576");
  }
  return field;
}

void FieldGenerator::Fill(int64_t number, int64_t row_time_us, duckdb::Vector& to,
                          duckdb::idx_t row) const {
  uint64_t bits = Mix(salt ^ Mix(static_cast<uint64_t>(number)));
  if (null_rate > 0 && Unit(Mix(bits ^ 1)) < null_rate) {
    duckdb::FlatVector::SetNull(to, row, true);
    return;
  }
  if (sequence) {
    to.SetValue(row, duckdb::Value::BIGINT(start + number).DefaultCastAs(type));
    return;
  }
  const double real = min + Unit(bits) * (max - min);
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return Set<bool>(to, row, bits & 1);
    case LogicalTypeId::TINYINT:
      return Set(to, row, static_cast<int8_t>(Between(bits, min_int, max_int)));
    case LogicalTypeId::SMALLINT:
      return Set(to, row, static_cast<int16_t>(Between(bits, min_int, max_int)));
    case LogicalTypeId::INTEGER:
      return Set(to, row, static_cast<int32_t>(Between(bits, min_int, max_int)));
    case LogicalTypeId::BIGINT:
      return Set(to, row, Between(bits, min_int, max_int));
    case LogicalTypeId::FLOAT:
      return Set(to, row, static_cast<float>(real));
    case LogicalTypeId::DOUBLE:
      return Set(to, row, real);
    case LogicalTypeId::DECIMAL:
      return to.SetValue(row, duckdb::Value::DOUBLE(real).DefaultCastAs(type));
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_TZ:
      return Set(to, row, duckdb::timestamp_t(row_time_us - Between(bits, 0, max_past_us)));
    case LogicalTypeId::DATE:
      return Set(to, row, duckdb::date_t(static_cast<int32_t>(row_time_us / kMicrosPerDay)));
    case LogicalTypeId::TIME:
      return Set(to, row, duckdb::dtime_t(row_time_us % kMicrosPerDay));
    default:
      break;
  }
  std::string text;
  if (!values.empty()) {
    text = values[bits % values.size()];
  } else {
    static const char* const kDigits = "0123456789abcdef";
    text.reserve(static_cast<size_t>(length));
    for (int64_t i = 0; i < length; i++, bits >>= 4) {
      if (i % 16 == 0) bits = Mix(bits + static_cast<uint64_t>(i) + salt);
      text += kDigits[bits & 15];
    }
  }
  Set(to, row, duckdb::StringVector::AddString(to, text));
}

}  // namespace millrace::connectors::datagen
