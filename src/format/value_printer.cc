#include "format/value_printer.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/strings.h"
#include "format/civil_time.h"

namespace millrace::format {

namespace {

__extension__ typedef unsigned __int128 uint128;

void AppendTwoDigits(int64_t value, std::string& out) {
  out += static_cast<char>('0' + value / 10);
  out += static_cast<char>('0' + value % 10);
}

void AppendPadded(uint64_t value, size_t digits, std::string& out) {
  char buffer[20];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  const size_t size = static_cast<size_t>(end - buffer);
  if (size < digits) out.append(digits - size, '0');
  out.append(buffer, size);
}

template <typename T>
void AppendFloatingText(T value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  const std::string_view text(buffer, static_cast<size_t>(end - buffer));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void AppendCivil(int64_t days, std::string& out) {
  const CivilDate date = CivilFromDays(days);
  if (date.year < 0 || date.year > 9999) out += date.year < 0 ? '-' : '+';
  AppendPadded(static_cast<uint64_t>(std::abs(date.year)), 4, out);
  out += '-';
  AppendTwoDigits(date.month, out);
  out += '-';
  AppendTwoDigits(date.day, out);
}

duckdb::hugeint_t DecimalAt(const ColumnType& type, const duckdb::UnifiedVectorFormat& column,
                            duckdb::idx_t index) {
  switch (type.physical) {
    case duckdb::PhysicalType::INT16:
      return {duckdb::UnifiedVectorFormat::GetData<int16_t>(column)[index]};
    case duckdb::PhysicalType::INT32:
      return {duckdb::UnifiedVectorFormat::GetData<int32_t>(column)[index]};
    case duckdb::PhysicalType::INT64:
      return {duckdb::UnifiedVectorFormat::GetData<int64_t>(column)[index]};
    default:
      return duckdb::UnifiedVectorFormat::GetData<duckdb::hugeint_t>(column)[index];
  }
}

}  // namespace

void AppendFloating(double value, std::string& out) {
  AppendFloatingText(value, out);
}
void AppendFloating(float value, std::string& out) {
  AppendFloatingText(value, out);
}

void AppendInteger(int64_t value, std::string& out) {
  char buffer[24];
  out.append(buffer, static_cast<size_t>(std::to_chars(buffer, buffer + sizeof(buffer), value).ptr -
                                         buffer));
}

void AppendDecimal(duckdb::hugeint_t value, uint8_t scale, std::string& out) {
  uint128 magnitude = static_cast<uint128>(static_cast<uint64_t>(value.upper)) << 64 | value.lower;
  if (value.upper < 0) {
    out += '-';
    magnitude = static_cast<uint128>(0) - magnitude;
  }
  constexpr uint64_t kChunk = 1000000000000000000;  // 18 digits at a time
  const size_t first = out.size();
  if (magnitude < kChunk) {
    AppendPadded(static_cast<uint64_t>(magnitude), 1, out);
  } else if (const uint128 high = magnitude / kChunk; high < kChunk) {
    AppendPadded(static_cast<uint64_t>(high), 1, out);
    AppendPadded(static_cast<uint64_t>(magnitude % kChunk), 18, out);
  } else {
    AppendPadded(static_cast<uint64_t>(high / kChunk), 1, out);
    AppendPadded(static_cast<uint64_t>(high % kChunk), 18, out);
    AppendPadded(static_cast<uint64_t>(magnitude % kChunk), 18, out);
  }
  if (scale == 0) return;
  const size_t digits = out.size() - first;
  if (digits <= scale) out.insert(first, scale + 1 - digits, '0');
  out.insert(out.size() - scale, 1, '.');
}

void AppendDate(int32_t days, std::string& out) {
  const duckdb::date_t date(days);
  if (!duckdb::Date::IsFinite(date)) {
    out += days < 0 ? "-infinity" : "infinity";
    return;
  }
  AppendCivil(days, out);
}

void AppendTime(int64_t micros, std::string& out) {
  const int64_t seconds = micros / kMicrosPerSecond;
  AppendTwoDigits(seconds / 3600, out);
  out += ':';
  AppendTwoDigits(seconds / 60 % 60, out);
  out += ':';
  AppendTwoDigits(seconds % 60, out);
  const int64_t fraction = micros % kMicrosPerSecond;
  if (fraction == 0) return;
  out += '.';
  AppendPadded(static_cast<uint64_t>(fraction), 6, out);
  while (out.back() == '0') out.pop_back();
}

void AppendTimestamp(int64_t micros, char separator, std::string& out) {
  if (!duckdb::Timestamp::IsFinite(duckdb::timestamp_t(micros))) {
    out += micros < 0 ? "-infinity" : "infinity";
    return;
  }
  int64_t days = micros / kMicrosPerDay;
  int64_t time = micros % kMicrosPerDay;
  if (time < 0) {
    time += kMicrosPerDay;
    days--;
  }
  AppendCivil(days, out);
  out += separator;
  AppendTime(time, out);
}

void AppendJsonString(std::string_view text, std::string& out) {
  static constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (size_t i = 0; i < 256; i++) plain[i] = i >= 0x20 && i != '"' && i != '\\';
    return plain;
  }();
  out += '"';
  size_t start = 0;
  for (size_t i = 0; i < text.size(); i++) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (kPlain[c]) continue;
    out.append(text, start, i - start);
    start = i + 1;
    const std::string_view quoted = "\b\t\n\f\r\"\\";
    if (const size_t k = quoted.find(text[i]); k != std::string_view::npos) {
      out += '\\';
      out += "btnfr\"\\"[k];
    } else {
      out += "\\u00";
      out += static_cast<char>('0' + (c >> 4));
      out += "0123456789ABCDEF"[c & 15];
    }
  }
  out.append(text, start, std::string_view::npos);
  out += '"';
}

void AppendScalar(const ColumnType& type, const duckdb::UnifiedVectorFormat& column,
                  duckdb::idx_t index, char timestamp_separator, std::string& out) {
  using duckdb::UnifiedVectorFormat;
  switch (type.kind) {
    case ColumnKind::kBool:
      out += UnifiedVectorFormat::GetData<bool>(column)[index] ? "true" : "false";
      break;
    case ColumnKind::kInt8:
      AppendInteger(UnifiedVectorFormat::GetData<int8_t>(column)[index], out);
      break;
    case ColumnKind::kInt16:
      AppendInteger(UnifiedVectorFormat::GetData<int16_t>(column)[index], out);
      break;
    case ColumnKind::kInt32:
      AppendInteger(UnifiedVectorFormat::GetData<int32_t>(column)[index], out);
      break;
    case ColumnKind::kInt64:
      AppendInteger(UnifiedVectorFormat::GetData<int64_t>(column)[index], out);
      break;
    case ColumnKind::kFloat:
      AppendFloating(UnifiedVectorFormat::GetData<float>(column)[index], out);
      break;
    case ColumnKind::kDouble:
      AppendFloating(UnifiedVectorFormat::GetData<double>(column)[index], out);
      break;
    case ColumnKind::kDecimal:
      AppendDecimal(DecimalAt(type, column, index), type.scale, out);
      break;
    case ColumnKind::kDate:
      AppendDate(UnifiedVectorFormat::GetData<int32_t>(column)[index], out);
      break;
    case ColumnKind::kTime:
      AppendTime(UnifiedVectorFormat::GetData<int64_t>(column)[index], out);
      break;
    case ColumnKind::kTimestamp:
    case ColumnKind::kTimestampTz: {
      const int64_t micros = UnifiedVectorFormat::GetData<int64_t>(column)[index];
      AppendTimestamp(micros, timestamp_separator, out);
      if (type.kind == ColumnKind::kTimestampTz &&
          duckdb::Timestamp::IsFinite(duckdb::timestamp_t(micros))) {
        out += 'Z';
      }
      break;
    }
    case ColumnKind::kString:
    case ColumnKind::kBytes: {
      const auto& value = UnifiedVectorFormat::GetData<duckdb::string_t>(column)[index];
      const std::string_view bytes(value.GetData(), value.GetSize());
      if (type.kind == ColumnKind::kBytes) {
        out += Base64(bytes);
      } else {
        out += bytes;
      }
      break;
    }
    default:
      break;
  }
}

}  // namespace millrace::format
