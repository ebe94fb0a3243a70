#include "base/units.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <utility>

#include "base/strings.h"

namespace millrace {

namespace {
struct Unit {
  std::string_view name;
  double factor;
};

// Splits "10 min" into its number and its lower-case unit.
Result<std::pair<double, std::string>> SplitQuantity(std::string_view text) {
  std::string_view trimmed = Trim(text);
  double number = 0;
  auto [end, error] = std::from_chars(trimmed.data(), trimmed.data() + trimmed.size(), number);
  if (error != std::errc() || number < 0) {
    return Status(Code::kBadOption, fmt::format("\"{}\" does not start with a number", text));
  }
  std::string_view unit = trimmed.substr(static_cast<size_t>(end - trimmed.data()));
  return std::make_pair(number, ToLower(Trim(unit)));
}

template <size_t N>
Result<int64_t> Parse(std::string_view text, const Unit (&units)[N], const char* example) {
  MR_ASSIGN_OR_RETURN(auto quantity, SplitQuantity(text));
  for (const Unit& u : units) {
    if (quantity.second != u.name) continue;
    double value = quantity.first * u.factor;
    if (value > 9e18) return Status(Code::kBadOption, fmt::format("\"{}\" is too large", text));
    return static_cast<int64_t>(std::llround(value));
  }
  return Status(Code::kBadOption,
                fmt::format("\"{}\" has an unknown unit \"{}\"", text, quantity.second))
      .WithHint(fmt::format("write it like {}", example));
}
}  // namespace

Result<int64_t> ParseDurationMicros(std::string_view text) {
  static constexpr double kSecond = 1e6;
  static constexpr Unit kUnits[] = {{"", 1e3},
                                    {"ns", 1e-3},
                                    {"us", 1},
                                    {"µs", 1},
                                    {"ms", 1e3},
                                    {"milli", 1e3},
                                    {"millis", 1e3},
                                    {"millisecond", 1e3},
                                    {"milliseconds", 1e3},
                                    {"s", kSecond},
                                    {"sec", kSecond},
                                    {"secs", kSecond},
                                    {"second", kSecond},
                                    {"seconds", kSecond},
                                    {"m", 60 * kSecond},
                                    {"min", 60 * kSecond},
                                    {"mins", 60 * kSecond},
                                    {"minute", 60 * kSecond},
                                    {"minutes", 60 * kSecond},
                                    {"h", 3600 * kSecond},
                                    {"hour", 3600 * kSecond},
                                    {"hours", 3600 * kSecond},
                                    {"d", 86400 * kSecond},
                                    {"day", 86400 * kSecond},
                                    {"days", 86400 * kSecond}};
  return Parse(text, kUnits, "\"500 ms\", \"10 s\", \"5 min\", \"2 h\" or \"30 d\"");
}

Result<int64_t> ParseBytes(std::string_view text) {
  static constexpr Unit kUnits[] = {{"", 1},
                                    {"b", 1},
                                    {"bytes", 1},
                                    {"k", 1024.},
                                    {"kb", 1024.},
                                    {"kib", 1024.},
                                    {"m", 1048576.},
                                    {"mb", 1048576.},
                                    {"mib", 1048576.},
                                    {"g", 1073741824.},
                                    {"gb", 1073741824.},
                                    {"gib", 1073741824.},
                                    {"t", 1099511627776.},
                                    {"tb", 1099511627776.},
                                    {"tib", 1099511627776.}};
  return Parse(text, kUnits, "\"64 kb\", \"128 mb\" or \"1 gb\"");
}

std::string FormatDurationMicros(int64_t micros) {
  double us = static_cast<double>(micros);
  if (us < 0) return "-" + FormatDurationMicros(-micros);
  if (us < 1e3) return fmt::format("{} us", micros);
  if (us < 1e4) return fmt::format("{:.1f} ms", us / 1e3);
  if (us < 1e6) return fmt::format("{:.0f} ms", us / 1e3);
  if (us < 6e7) return fmt::format("{:.1f} s", us / 1e6);
  int64_t seconds = micros / 1'000'000;
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  if (seconds < 86400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86400, seconds / 3600 % 24);
}

std::string FormatBytes(int64_t bytes) {
  static constexpr const char* kNames[] = {"B", "KB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (std::abs(value) >= 1024 && unit < 4) {
    value /= 1024;
    unit++;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kNames[unit]);
}

std::string FormatCount(double count) {
  double magnitude = std::abs(count);
  if (magnitude < 1e4) return fmt::format("{:.0f}", count);
  if (magnitude < 1e6) return fmt::format("{:.1f} k", count / 1e3);
  if (magnitude < 1e9) return fmt::format("{:.1f} M", count / 1e6);
  return fmt::format("{:.1f} G", count / 1e9);
}

}  // namespace millrace
