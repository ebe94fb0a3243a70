// The date and time functions of format/value_parser.h.
#include "format/civil_time.h"
#include "format/value_parser.h"

namespace millrace::format {

namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Two digits at p, or a number above 99 when they are none.
unsigned TwoDigits(const char* p) {
  const unsigned high = static_cast<unsigned char>(p[0]) - unsigned{'0'};
  const unsigned low = static_cast<unsigned char>(p[1]) - unsigned{'0'};
  return high > 9 || low > 9 ? 1000 : high * 10 + low;
}

// Reads from the front of `text` and removes what it read.
ParseResult TakeDate(std::string_view& text, int64_t& days) {
  CivilDate date;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    const bool negative = text[0] == '-';
    size_t i = 1;
    date.year = 0;
    for (; i < text.size() && IsDigit(text[i]) && i <= 6; i++) {
      date.year = date.year * 10 + (text[i] - '0');
    }
    if (i < 5) return ParseResult::kNotA;
    if (negative) date.year = -date.year;
    text.remove_prefix(i);
  } else {
    if (text.size() < 4) return ParseResult::kNotA;
    const unsigned century = TwoDigits(text.data());
    const unsigned year = TwoDigits(text.data() + 2);
    if (century > 99 || year > 99) return ParseResult::kNotA;
    date.year = century * 100 + year;
    text.remove_prefix(4);
  }
  if (text.size() < 6 || text[0] != '-' || text[3] != '-') return ParseResult::kNotA;
  date.month = static_cast<int>(TwoDigits(text.data() + 1));
  date.day = static_cast<int>(TwoDigits(text.data() + 4));
  if (!ValidDate(date)) return ParseResult::kNotA;
  text.remove_prefix(6);
  days = DaysFromCivil(date);
  return ParseResult::kOk;
}

ParseResult TakeTime(std::string_view& text, int64_t& micros) {
  if (text.size() < 5 || text[2] != ':') return ParseResult::kNotA;
  const unsigned hour = TwoDigits(text.data());
  const unsigned minute = TwoDigits(text.data() + 3);
  if (hour > 23 || minute > 59) return ParseResult::kNotA;
  micros = (static_cast<int64_t>(hour) * 60 + minute) * 60 * kMicrosPerSecond;
  text.remove_prefix(5);
  if (text.empty() || text[0] != ':') return ParseResult::kOk;
  if (text.size() < 3) return ParseResult::kNotA;
  const unsigned second = TwoDigits(text.data() + 1);
  if (second > 59) return ParseResult::kNotA;
  micros += second * kMicrosPerSecond;
  text.remove_prefix(3);
  if (text.empty() || text[0] != '.') return ParseResult::kOk;
  size_t i = 1;
  int64_t unit = kMicrosPerSecond / 10;
  for (; i < text.size() && IsDigit(text[i]); i++) {
    micros += (text[i] - '0') * unit;
    unit /= 10;
  }
  if (i == 1) return ParseResult::kNotA;
  text.remove_prefix(i);
  return ParseResult::kOk;
}

// 'Z' or an offset; text is what follows the time and must be used up.
ParseResult TakeZone(std::string_view text, int64_t& offset_micros) {
  offset_micros = 0;
  if (text.empty() || text == "Z" || text == "z") return ParseResult::kOk;
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return ParseResult::kNotA;
  const unsigned hour = TwoDigits(text.data() + 1);
  unsigned minute = 0;
  if (text.size() == 5) {
    minute = TwoDigits(text.data() + 3);
  } else if (text.size() == 6 && text[3] == ':') {
    minute = TwoDigits(text.data() + 4);
  } else if (text.size() != 3) {
    return ParseResult::kNotA;
  }
  if (hour > 18 || minute > 59) return ParseResult::kNotA;
  offset_micros = (static_cast<int64_t>(hour) * 60 + minute) * 60 * kMicrosPerSecond;
  if (text[0] == '-') offset_micros = -offset_micros;
  return ParseResult::kOk;
}

}  // namespace

ParseResult ParseDate(std::string_view text, int32_t& days) {
  int64_t wide = 0;
  const ParseResult result = TakeDate(text, wide);
  if (result != ParseResult::kOk) return result;
  if (!text.empty()) return ParseResult::kNotA;
  days = static_cast<int32_t>(wide);  // six digits of year stay far inside
  return ParseResult::kOk;
}

ParseResult ParseTime(std::string_view text, int64_t& micros) {
  const ParseResult result = TakeTime(text, micros);
  if (result != ParseResult::kOk) return result;
  return text.empty() || text == "Z" ? ParseResult::kOk : ParseResult::kNotA;
}

ParseResult ParseTimestamp(std::string_view text, int64_t& micros) {
  int64_t days = 0;
  int64_t time = 0;
  int64_t offset = 0;
  if (TakeDate(text, days) != ParseResult::kOk) return ParseResult::kNotA;
  if (text.empty() || (text[0] != ' ' && text[0] != 'T')) return ParseResult::kNotA;
  text.remove_prefix(1);
  if (TakeTime(text, time) != ParseResult::kOk) return ParseResult::kNotA;
  if (!text.empty() && TakeZone(text, offset) != ParseResult::kOk) return ParseResult::kNotA;
  // 64 bits of microseconds reach from the year -290308 to 294247, less a day for the offset.
  constexpr int64_t kDaysMin = -106751990;
  constexpr int64_t kDaysMax = 106751989;
  if (days < kDaysMin || days > kDaysMax) return ParseResult::kOutOfRange;
  micros = days * kMicrosPerDay + time - offset;
  return ParseResult::kOk;
}

}  // namespace millrace::format
