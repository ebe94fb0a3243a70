// Flink's type names and DuckDB's types.
//
//   STRING, CHAR(n), VARCHAR(n)            VARCHAR     BYTES, BINARY(n), VARBINARY(n)   BLOB
//   TINYINT SMALLINT INT INTEGER BIGINT    the same    BOOLEAN FLOAT REAL DOUBLE DATE   the same
//   DECIMAL|DEC|NUMERIC[(p[,s])]           DECIMAL, (10,0) when not given
//   TIME[(0-6)]                            TIME
//   TIMESTAMP[(0-6)] [WITHOUT TIME ZONE]   TIMESTAMP, microseconds whatever the precision
//   TIMESTAMP_LTZ[(0-6)]                   TIMESTAMP WITH TIME ZONE
//   INTERVAL DAY TO SECOND …               INTERVAL
//   ARRAY<T>  MAP<K, V>  ROW<a T, …>       T[]  MAP(K, V)  STRUCT(a T, …)
//   MULTISET<T>                            MAP(T, INTEGER): each element with its count
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/status.h"
#include "sql/cursor.h"

namespace millrace::sql {

struct SqlType {
  duckdb::LogicalType type;
  bool nullable = true;
  // CHAR(n), VARCHAR(n): values are cut (CHAR: also filled with blanks) to this many characters by a
  // CAST. 0: no limit.
  int64_t length = 0;
  bool fixed_length = false;  // CHAR
  Fragment text;
};

// Reads a type at the cursor, with its NOT NULL. Errors: kType (no such type, bad precision),
// kUnsupported (RAW, nanoseconds …), kSyntax.
Result<SqlType> ParseType(TokenCursor& cursor);
// A whole text, e.g. of a command line option.
Result<SqlType> ParseTypeText(const std::string& text);

// The Flink name of a DuckDB type: what a user would write in CREATE TABLE. Types that Flink lacks
// become the smallest that holds every value (UINTEGER: BIGINT, ENUM: STRING).
std::string ToFlinkType(const duckdb::LogicalType& type);

}  // namespace millrace::sql
