// INTERVAL literals: INTERVAL '5' MINUTE, INTERVAL '1 02:03' DAY TO MINUTE, INTERVAL '1-6' YEAR TO MONTH.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "sql/cursor.h"

namespace millrace::sql {

struct IntervalLiteral {
  int64_t months = 0;  // one of the two is 0
  int64_t micros = 0;  // a day is 24 hours
  // INTERVAL 'whole number' UNIT, which DuckDB reads as it stands.
  bool plain = false;
};

// True if the cursor stands at INTERVAL followed by a string, with or without a sign.
bool AtIntervalLiteral(const TokenCursor& cursor);
// Reads it. Errors: kSyntax (text does not fit the unit), kType (out of range).
Result<IntervalLiteral> ParseInterval(TokenCursor& cursor);
// The singular upper-case name of a time unit ("MINUTE" for "minutes", "SQL_TSI_MINUTE"), or "".
std::string NormaliseUnit(std::string_view word);

}  // namespace millrace::sql
