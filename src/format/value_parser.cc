#include "format/value_parser.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/strings.h"

namespace millrace::format {

namespace {

__extension__ typedef unsigned __int128 uint128;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

constexpr uint128 PowerOfTen(int n) {
  uint128 value = 1;
  for (int i = 0; i < n; i++) value *= 10;
  return value;
}
constexpr auto kPowersOfTen = [] {
  std::array<uint128, 39> powers{};
  for (int i = 0; i < 39; i++) powers[static_cast<size_t>(i)] = PowerOfTen(i);
  return powers;
}();

// A number's text taken apart: value = ±digits * 10^(exponent - digits after the point).
struct NumberText {
  bool negative = false;
  std::string_view digits;  // may contain one '.'
  int64_t whole_digits = 0;
  int64_t exponent = 0;
};

bool SplitNumber(std::string_view text, NumberText& number) {
  size_t i = 0;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) number.negative = text[i++] == '-';
  const size_t first = i;
  bool point = false;
  size_t digits = 0;
  for (; i < text.size(); i++) {
    if (IsDigit(text[i])) {
      digits++;
      if (!point) number.whole_digits++;
    } else if (text[i] == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  number.digits = text.substr(first, i - first);
  if (digits == 0) return false;
  if (i == text.size()) return true;
  if (text[i] != 'e' && text[i] != 'E') return false;
  if (++i == text.size()) return false;
  bool exponent_negative = false;
  if (text[i] == '-' || text[i] == '+') exponent_negative = text[i++] == '-';
  if (i == text.size()) return false;
  for (; i < text.size(); i++) {
    if (!IsDigit(text[i])) return false;
    // Clamped: far past anything that a column can hold, far below what could overflow here.
    if (number.exponent < 1000000) number.exponent = number.exponent * 10 + (text[i] - '0');
  }
  if (exponent_negative) number.exponent = -number.exponent;
  return true;
}

// Digits of `number` times 10^scale; `exact` refuses to drop a digit that is not 0.
ParseResult Scale(const NumberText& number, int scale, bool exact, uint128& value) {
  const int64_t keep = number.whole_digits + number.exponent + scale;
  int64_t index = 0;
  value = 0;
  bool round_up = false;
  for (char c : number.digits) {
    if (c == '.') continue;
    const uint8_t digit = static_cast<uint8_t>(c - '0');
    if (index < keep) {
      if (value >= kPowersOfTen[37]) return ParseResult::kOutOfRange;
      value = value * 10 + digit;
    } else {
      if (exact && digit != 0) return ParseResult::kNotA;
      if (index == keep) round_up = digit >= 5;
    }
    index++;
  }
  for (; index < keep && value != 0; index++) {
    if (value >= kPowersOfTen[37]) return ParseResult::kOutOfRange;
    value *= 10;
  }
  if (round_up) value++;
  return ParseResult::kOk;
}

template <typename T>
ParseResult ParseFloatingText(std::string_view text, T& value) {
  std::string_view digits = text;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) digits.remove_prefix(1);
  if (digits.empty()) return ParseResult::kNotA;
  if (!IsDigit(digits[0]) && digits[0] != '.') {
    if (digits == "NaN" && digits.size() == text.size()) {
      value = std::numeric_limits<T>::quiet_NaN();
      return ParseResult::kOk;
    }
    if (digits != "Infinity") return ParseResult::kNotA;
    value =
        text[0] == '-' ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
    return ParseResult::kOk;
  }
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) {
    return ParseResult::kNotA;
  }
  if (error == std::errc::result_out_of_range) {
    // from_chars says the same for too large and too small; the decimal exponent tells them apart.
    NumberText number;
    if (!SplitNumber(digits, number)) return ParseResult::kNotA;
    size_t first = number.digits.find_first_not_of("0.");
    int64_t leading = number.whole_digits + number.exponent;
    if (first == std::string_view::npos) first = 0;
    const size_t point = number.digits.find('.');
    leading -= static_cast<int64_t>(first) - (point != std::string_view::npos && first > point);
    if (leading > 0) return ParseResult::kOutOfRange;
    value = 0;
  }
  if (std::isinf(value)) return ParseResult::kOutOfRange;
  if (text[0] == '-') value = -value;
  return ParseResult::kOk;
}

}  // namespace

ParseResult ParseBool(std::string_view text, bool& value) {
  if (EqualsIgnoreCase(text, "true")) {
    value = true;
  } else if (EqualsIgnoreCase(text, "false")) {
    value = false;
  } else {
    return ParseResult::kNotA;
  }
  return ParseResult::kOk;
}

ParseResult ParseInteger(std::string_view text, int64_t min, int64_t max, int64_t& value) {
  size_t i = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) i++;
  if (i < text.size() && text.size() - i <= 18) {
    int64_t magnitude = 0;
    for (; i < text.size() && IsDigit(text[i]); i++) magnitude = magnitude * 10 + (text[i] - '0');
    if (i == text.size()) {
      value = negative ? -magnitude : magnitude;
      return value >= min && value <= max ? ParseResult::kOk : ParseResult::kOutOfRange;
    }
  }
  NumberText number;
  if (!SplitNumber(text, number)) return ParseResult::kNotA;
  uint128 magnitude = 0;
  const ParseResult result = Scale(number, 0, true, magnitude);
  if (result != ParseResult::kOk) return result;
  const uint128 limit =
      negative ? static_cast<uint128>(0) - static_cast<uint128>(min) : static_cast<uint128>(max);
  if (magnitude > limit) return ParseResult::kOutOfRange;
  const uint64_t low = static_cast<uint64_t>(magnitude);
  value = static_cast<int64_t>(negative ? 0 - low : low);
  return ParseResult::kOk;
}

ParseResult ParseFloating(std::string_view text, float& value) {
  return ParseFloatingText(text, value);
}
ParseResult ParseFloating(std::string_view text, double& value) {
  return ParseFloatingText(text, value);
}

ParseResult ParseDecimal(std::string_view text, uint8_t width, uint8_t scale,
                         duckdb::hugeint_t& value) {
  NumberText number;
  if (!SplitNumber(text, number)) return ParseResult::kNotA;
  uint128 magnitude = 0;
  const ParseResult result = Scale(number, scale, false, magnitude);
  if (result != ParseResult::kOk) return result;
  if (magnitude >= kPowersOfTen[width]) return ParseResult::kOutOfRange;
  if (number.negative) magnitude = static_cast<uint128>(0) - magnitude;
  value.lower = static_cast<uint64_t>(magnitude);
  value.upper = static_cast<int64_t>(static_cast<uint64_t>(magnitude >> 64));
  return ParseResult::kOk;
}

bool ParseBase64(std::string_view text, std::string& out) {
  static constexpr auto kValues = [] {
    std::array<int8_t, 256> values{};
    for (auto& v : values) v = -1;
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < 64; i++) {
      values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
    }
    return values;
  }();
  if (text.size() % 4 != 0) return false;
  size_t padding = 0;
  while (padding < 2 && text.size() > padding && text[text.size() - 1 - padding] == '=') padding++;
  for (size_t i = 0; i < text.size(); i += 4) {
    const size_t pad = i + 4 == text.size() ? padding : 0;
    uint32_t word = 0;
    for (size_t k = 0; k < 4; k++) {
      const int8_t v = k >= 4 - pad ? int8_t{0} : kValues[static_cast<unsigned char>(text[i + k])];
      if (v < 0) return false;
      word = word << 6 | static_cast<uint32_t>(v);
    }
    // The unused bits of the last character must be 0, or two texts would mean the same bytes.
    if ((pad == 1 && (word & 0xFF) != 0) || (pad == 2 && (word & 0xFFFF) != 0)) return false;
    for (size_t k = 0; k < 3 - pad; k++) out += static_cast<char>(word >> (16 - 8 * k) & 0xFF);
  }
  return true;
}

}  // namespace millrace::format
