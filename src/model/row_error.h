// RowError: why one record could not become a row. A value: it goes to the dead letters together
// with the record's bytes; it never stops the other rows.
#pragma once

#include <cstdint>
#include <string>

namespace millrace::model {

enum class RowErrorKind {
  kMalformed,   // the bytes are not of the format (bad JSON, truncated CSV line, bad UTF-8)
  kType,        // a value does not fit the column's type
  kNull,        // NULL or missing in a NOT NULL column
  kConstraint,  // a CHECK constraint is false
  kTime,        // event time is not plausible (too far ahead of the clock)
  kLate,        // behind the watermark
  kRejected,    // the sink refused it
};

const char* RowErrorKindName(RowErrorKind kind);  // "malformed", "type", ...

struct RowError {
  uint32_t record_index = 0;  // index in the input the decoder was given
  RowErrorKind kind = RowErrorKind::kMalformed;
  std::string column;   // empty when the whole record is at fault
  std::string message;  // one line, lower case, e.g. `"abc" is not an INT`
};

}  // namespace millrace::model
