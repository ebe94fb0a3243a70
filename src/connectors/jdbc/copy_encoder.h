// CopyEncoder: rows as lines of PostgreSQL's COPY text format.
//
// Format: values separated by tabs, lines ended by "\n", NULL is \N; backslash, tab, newline and
// carriage return are escaped (PostgreSQL documentation, COPY, "Text Format").
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/status.h"

namespace millrace::connectors::jdbc {

class CopyEncoder {
 public:
  // `replace_nul`: U+FFFD instead of the character NUL, which PostgreSQL cannot store; otherwise
  // such a value is an error.
  explicit CopyEncoder(bool replace_nul) : replace_nul_(replace_nul) {}

  // Appends one value without separator. Numbers keep all their digits; NaN and the infinities,
  // of dates and timestamps too, keep their meaning; LIST, STRUCT and MAP become JSON.
  Status AppendValue(const duckdb::Value& value, std::string& out) const;

 private:
  Status AppendText(std::string_view text, std::string& out) const;
  bool replace_nul_;
};

// The PostgreSQL type that a new table gets for a column of this type.
std::string PostgresType(const duckdb::LogicalType& type);

}  // namespace millrace::connectors::jdbc
