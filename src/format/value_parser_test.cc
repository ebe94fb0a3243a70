#include "format/value_parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "format/civil_time.h"
#include "format/value_printer.h"

namespace millrace::format {
namespace {

constexpr auto kOk = ParseResult::kOk;
constexpr auto kNotA = ParseResult::kNotA;
constexpr auto kOutOfRange = ParseResult::kOutOfRange;

TEST(ParseInteger, TakesWholeNumbersOnly) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const std::vector<std::tuple<std::string, ParseResult, int64_t>> cases = {
      {"0", kOk, 0},
      {"-0", kOk, 0},
      {"+7", kOk, 7},
      {"007", kOk, 7},
      {"9223372036854775807", kOk, kMax},
      {"-9223372036854775808", kOk, kMin},
      {"9223372036854775808", kOutOfRange, 0},
      {"-9223372036854775809", kOutOfRange, 0},
      {"99999999999999999999999999999999999999999999", kOutOfRange, 0},
      {"1e999999999999", kOutOfRange, 0},
      {"2.0", kOk, 2},
      {"1e3", kOk, 1000},
      {"120e-1", kOk, 12},
      {"0e99999", kOk, 0},
      {"1.5", kNotA, 0},
      {"1e-1", kNotA, 0},
      {"", kNotA, 0},
      {"-", kNotA, 0},
      {"1 ", kNotA, 0},
      {"0x10", kNotA, 0},
      {"1e", kNotA, 0},
      {".", kNotA, 0},
      {"1.2.3", kNotA, 0}};
  for (const auto& [text, result, expected] : cases) {
    int64_t value = 0;
    EXPECT_EQ(ParseInteger(text, kMin, kMax, value), result) << text;
    if (result == kOk) {
      EXPECT_EQ(value, expected) << text;
    }
  }
  int64_t value = 0;
  EXPECT_EQ(ParseInteger("128", -128, 127, value), kOutOfRange);
  EXPECT_EQ(ParseInteger("-128", -128, 127, value), kOk);
}

TEST(ParseFloating, KnowsTheLimits) {
  double value = 0;
  EXPECT_EQ(ParseFloating("1e308", value), kOk);
  EXPECT_EQ(ParseFloating("1e309", value), kOutOfRange);
  EXPECT_EQ(ParseFloating("-" + std::string(400, '9'), value), kOutOfRange);
  EXPECT_EQ(ParseFloating("1e-400", value), kOk);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(ParseFloating("0." + std::string(400, '0') + "1", value), kOk);
  EXPECT_EQ(value, 0);
  EXPECT_EQ(ParseFloating("-0.0", value), kOk);
  EXPECT_TRUE(std::signbit(value));
  EXPECT_EQ(ParseFloating("+.5", value), kOk);
  EXPECT_EQ(value, 0.5);
  EXPECT_EQ(ParseFloating("NaN", value), kOk);
  EXPECT_TRUE(std::isnan(value));
  EXPECT_EQ(ParseFloating("-Infinity", value), kOk);
  EXPECT_TRUE(std::isinf(value));
  for (const char* text : {"", "-", "--1", "inf", "nan", "-NaN", "1.0d", "0x1p3", " 1", "1e+"}) {
    EXPECT_EQ(ParseFloating(text, value), kNotA) << text;
  }
  float single = 0;
  EXPECT_EQ(ParseFloating("3.5e38", single), kOutOfRange);
  EXPECT_EQ(ParseFloating("1e-46", single), kOk);
}

TEST(ParseDecimal, IsExactAndRoundsHalfAwayFromZero) {
  const std::vector<std::tuple<std::string, int, int, std::string>> cases = {
      {"1.005", 10, 2, "1.01"},
      {"-1.005", 10, 2, "-1.01"},
      {"1.0049999", 10, 2, "1.00"},
      {"0.1", 38, 38, "0.10000000000000000000000000000000000000"},
      {"99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999"},
      {"-12345678901234567890.123456789", 29, 9, "-12345678901234567890.123456789"},
      {"1e5", 10, 2, "100000.00"},
      {"1e-9", 10, 2, "0.00"},
      {"0.05e1", 4, 1, "0.5"},
      {"0e999", 4, 1, "0.0"},
      {"-0.001", 4, 2, "0.00"}};
  for (const auto& [text, width, scale, expected] : cases) {
    duckdb::hugeint_t value;
    ASSERT_EQ(ParseDecimal(text, static_cast<uint8_t>(width), static_cast<uint8_t>(scale), value),
              kOk)
        << text;
    std::string printed;
    AppendDecimal(value, static_cast<uint8_t>(scale), printed);
    EXPECT_EQ(printed, expected) << text;
  }
  duckdb::hugeint_t value;
  EXPECT_EQ(ParseDecimal("100", 4, 2, value), kOutOfRange);
  EXPECT_EQ(ParseDecimal("99.995", 4, 2, value), kOutOfRange);
  EXPECT_EQ(ParseDecimal("1e38", 38, 0, value), kOutOfRange);
  EXPECT_EQ(ParseDecimal("1e2000000", 38, 0, value), kOutOfRange);
  EXPECT_EQ(ParseDecimal("abc", 38, 0, value), kNotA);
  EXPECT_EQ(ParseDecimal("", 38, 0, value), kNotA);
}

TEST(ParseTimestamp, TakesBothForms) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"2024-02-29 12:34:56", "2024-02-29 12:34:56"},
      {"2024-02-29T12:34:56.789", "2024-02-29 12:34:56.789"},
      {"2024-02-29 12:34:56.123456789", "2024-02-29 12:34:56.123456"},
      {"2024-02-29T12:34:56Z", "2024-02-29 12:34:56"},
      {"2024-02-29T12:34:56.5+02:00", "2024-02-29 10:34:56.5"},
      {"2024-02-29 12:34:56-0130", "2024-02-29 14:04:56"},
      {"2024-03-01T00:30:00+01", "2024-02-29 23:30:00"},
      {"2024-02-29T12:34", "2024-02-29 12:34:00"},
      {"1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
      {"0000-01-01 00:00:00", "0000-01-01 00:00:00"},
      {"9999-12-31 23:59:59.999", "9999-12-31 23:59:59.999"},
      {"+12345-01-02 03:04:05", "+12345-01-02 03:04:05"},
      {"-0044-03-15 00:00:00", "-0044-03-15 00:00:00"}};
  for (const auto& [text, expected] : cases) {
    int64_t micros = 0;
    ASSERT_EQ(ParseTimestamp(text, micros), kOk) << text;
    std::string printed;
    AppendTimestamp(micros, ' ', printed);
    EXPECT_EQ(printed, expected) << text;
  }
  int64_t micros = 0;
  for (const char* text : {"",
                           "2024-02-29",
                           "2023-02-29 00:00:00",
                           "2024-13-01 00:00:00",
                           "2024-00-01 00:00:00",
                           "2024-01-00 00:00:00",
                           "2024-1-1 00:00:00",
                           "2024-01-01 24:00:00",
                           "2024-01-01 00:60:00",
                           "2024-01-01 00:00:60",
                           "2024-01-01 00:00:00.",
                           "2024-01-01 00:00:00 ",
                           "2024-01-01  00:00",
                           "2024-01-01 00:00:00+",
                           "2024-01-01 00:00:00+1",
                           "2024-01-01 00:00:00+99:00",
                           "2024-01-01 00:00:00ZZ",
                           "1700000000",
                           "infinity",
                           "2024-01-01x00:00:00",
                           "+1-01-01 00:00",
                           "+1234567-01-01 00:00:00",
                           "\xff\xff\xff\xff-01-01 00:00:00",
                           "2024-01-01 0a:00:00"}) {
    EXPECT_EQ(ParseTimestamp(text, micros), kNotA) << text;
  }
  EXPECT_EQ(ParseTimestamp("+300000-01-01 00:00:00", micros), kOutOfRange);
  EXPECT_EQ(ParseTimestamp("-300000-01-01 00:00:00", micros), kOutOfRange);
}

TEST(ParseDateAndTime, WholeTextOnly) {
  int32_t days = 0;
  EXPECT_EQ(ParseDate("1970-01-02", days), kOk);
  EXPECT_EQ(days, 1);
  EXPECT_EQ(ParseDate("1970-01-02 ", days), kNotA);
  EXPECT_EQ(ParseDate("1970/01/02", days), kNotA);
  int64_t micros = 0;
  EXPECT_EQ(ParseTime("23:59:59.000001", micros), kOk);
  EXPECT_EQ(micros, 86399000001);
  EXPECT_EQ(ParseTime("23:59:59.000001x", micros), kNotA);
  EXPECT_EQ(ParseTime("23:5", micros), kNotA);
}

TEST(CivilTime, AgreesWithItselfOverFourCenturies) {
  for (int64_t day = -200000; day < 200000; day++) {
    const CivilDate date = CivilFromDays(day);
    ASSERT_TRUE(ValidDate(date));
    ASSERT_EQ(DaysFromCivil(date), day);
    ASSERT_EQ(duckdb::Date::FromDate(static_cast<int32_t>(date.year), date.month, date.day).days,
              day);
  }
}

TEST(ParseBase64, IsStrict) {
  std::string out;
  EXPECT_TRUE(ParseBase64("", out));
  EXPECT_TRUE(ParseBase64("AP+A", out));
  EXPECT_EQ(out, std::string("\0\xff\x80", 3));
  out.clear();
  EXPECT_TRUE(ParseBase64("YQ==", out));
  EXPECT_EQ(out, "a");
  for (const char* text : {"Y", "YQ", "YQ=", "YR==", "Y===", "====", "Y=Q=", "YQ==YQ==", "-_-_",
                           "YQ= ", "\xff\xff\xff\xff"}) {
    EXPECT_FALSE(ParseBase64(text, out)) << text;
  }
}

}  // namespace
}  // namespace millrace::format
