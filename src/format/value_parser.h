// Text -> typed value, shared by every text format. Pure functions over the whole text: anything
// left over makes it kNotA. None allocates, none looks past the text's end.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string>
#include <string_view>

namespace millrace::format {

enum class ParseResult : uint8_t {
  kOk,
  kNotA,        // the text is not of the type
  kOutOfRange,  // it is, but too large (or too early or late) for it
};

// Any letter case.
ParseResult ParseBool(std::string_view text, bool& value);
// Sign, digits; a fraction or exponent only when the value is whole all the same ("2.0", "1e3").
ParseResult ParseInteger(std::string_view text, int64_t min, int64_t max, int64_t& value);
// Decimal text, "NaN", "Infinity", "-Infinity". Too large is kOutOfRange, too small is 0.
ParseResult ParseFloating(std::string_view text, float& value);
ParseResult ParseFloating(std::string_view text, double& value);
// The value times 10^scale. Exact; digits past the scale are rounded half away from zero, as Flink
// and DuckDB do.
ParseResult ParseDecimal(std::string_view text, uint8_t width, uint8_t scale,
                         duckdb::hugeint_t& value);

// Days since 1970-01-01. "yyyy-MM-dd"; years outside 0..9999 have a sign and up to 6 digits.
ParseResult ParseDate(std::string_view text, int32_t& days);
// Microseconds since midnight. "HH:mm[:ss[.f…]]"; more than six digits are cut.
ParseResult ParseTime(std::string_view text, int64_t& micros);
// Microseconds since 1970-01-01 UTC. Date, blank or 'T', time, then nothing (which is UTC), 'Z', or
// an offset (+HH, +HH:mm, +HHmm).
ParseResult ParseTimestamp(std::string_view text, int64_t& micros);

// Appends the bytes to `out`; false when the text is not base64 (RFC 4648, padded).
bool ParseBase64(std::string_view text, std::string& out);

}  // namespace millrace::format
