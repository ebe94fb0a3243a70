#include "format/avro/avro_decimal.h"

#include <algorithm>

#include "format/avro/avro_cursor.h"

namespace millrace::format {

using duckdb::Hugeint;
using duckdb::hugeint_t;

namespace {

constexpr size_t kBytesMax = sizeof(hugeint_t);
constexpr int kDigitsMax = 38;

bool IsNegative(std::string_view bytes) {
  return !bytes.empty() && (bytes[0] & '\x80') != 0;
}

// value * 10^digits, or value / 10^-digits.
bool Shift(hugeint_t& value, int digits) {
  while (digits < 0 && value != hugeint_t(0)) {
    const int step = std::min(-digits, kDigitsMax);
    hugeint_t rest;
    const hugeint_t power = Hugeint::POWERS_OF_TEN[step];
    const hugeint_t whole = Hugeint::DivMod(value, power, rest);
    const hugeint_t half = power / hugeint_t(2);
    const bool negative = value < hugeint_t(0);
    value = whole;
    // Only the digit next to the point decides, so one step does it all but for absurd scales.
    if ((negative ? -rest : rest) >= half) value = value + hugeint_t(negative ? -1 : 1);
    digits += step;
  }
  if (digits <= 0 || value == hugeint_t(0)) return true;
  return digits <= kDigitsMax && Hugeint::TryMultiply(value, Hugeint::POWERS_OF_TEN[digits], value);
}

}  // namespace

bool ReadAvroDecimal(std::string_view bytes, int scale, const ColumnType& type, hugeint_t& value) {
  const char sign = IsNegative(bytes) ? '\xFF' : '\0';
  while (bytes.size() > 1 && bytes[0] == sign && ((bytes[1] ^ sign) & '\x80') == 0) {
    bytes.remove_prefix(1);
  }
  if (bytes.size() > kBytesMax) return false;
  uint64_t lower = sign == '\0' ? 0 : UINT64_MAX;
  uint64_t upper = lower;
  for (char byte : bytes) {
    upper = (upper << 8) | (lower >> 56);
    lower = (lower << 8) | static_cast<uint8_t>(byte);
  }
  value.lower = lower;
  value.upper = static_cast<int64_t>(upper);
  if (value == duckdb::NumericLimits<hugeint_t>::Minimum()) return false;  // has no positive twin
  if (!Shift(value, type.scale - scale)) return false;
  const hugeint_t limit = Hugeint::POWERS_OF_TEN[type.width];
  return value < limit && value > -limit;
}

void AppendAvroDecimal(hugeint_t value, int64_t size, std::string& out) {
  char bytes[kBytesMax];
  for (size_t i = 0; i < kBytesMax; i++) {
    const uint64_t half = i < 8 ? static_cast<uint64_t>(value.upper) : value.lower;
    bytes[i] = static_cast<char>(half >> (8 * (7 - i % 8)));
  }
  std::string_view shown(bytes, kBytesMax);
  const char sign = value.upper < 0 ? '\xFF' : '\0';
  while (shown.size() > 1 && shown[0] == sign && ((shown[1] ^ sign) & '\x80') == 0) {
    shown.remove_prefix(1);
  }
  if (size == 0) {
    AppendAvroBytes(shown, out);
    return;
  }
  out.append(static_cast<size_t>(size) - std::min(static_cast<size_t>(size), shown.size()), sign);
  out += shown;
}

}  // namespace millrace::format
