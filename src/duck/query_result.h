// QueryResult: the rows of a query and the three ways people and programs look at them.
//
// Values as JSON: BOOLEAN true/false; integers and DECIMAL as numbers with all their digits; finite
// FLOAT and DOUBLE as numbers, the others as the strings "NaN", "Infinity", "-Infinity"; LIST as
// array, STRUCT and MAP as object; BLOB as base64; dates, times and the rest as DuckDB's text.
#pragma once

#include <duckdb.hpp>
#include <duckdb/common/types/column/column_data_collection.hpp>
#include <memory>
#include <string>
#include <vector>

namespace millrace::duck {

struct ResultColumn {
  std::string name;
  duckdb::LogicalType type;
};

class QueryResult {
 public:
  std::vector<ResultColumn> columns;
  // Null when the statement has no result.
  std::unique_ptr<duckdb::ColumnDataCollection> rows;
  bool truncated = false;  // stopped at QueryOptions::max_rows
  double elapsed_ms = 0;

  size_t row_count() const { return rows ? rows->Count() : 0; }
  // Slow: for tests and single values.
  duckdb::Value Get(size_t row, size_t column) const;

  // {"columns":[{"name","type"}],"rows":[[…]],"elapsed_ms":…} and "truncated":true if so.
  std::string ToJson() const;
  // Aligned columns under a header, numbers to the right, NULL as "NULL", newlines as "\n"; cells
  // longer than max_cell characters are cut with "…". Ends with a line `(3 rows)`.
  std::string ToTable(size_t max_cell = 60) const;
  // RFC 4180 with a header line; NULL is an empty cell, the empty string is "".
  std::string ToCsv() const;
};

// Appends one value as JSON as described at the top.
void AppendJson(const duckdb::Value& value, std::string& out);

}  // namespace millrace::duck
