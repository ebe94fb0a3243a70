// RowPrinter: rows of a SELECT over streams, on stdout as they come.
//
// Columns are as wide as the first rows need. When the query updates its results, the first column
// tells how, with Flink's signs: +I a row is new, -D it is gone, -U and +U it was and has become.
// (A row that is taken back and the one right after it that is added are shown as an update.)
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string>
#include <vector>

#include "cli/text_table.h"

namespace millrace::cli {

// The sign of row `i` of `count`.
const char* ChangeSign(const int32_t* weights, size_t count, size_t i);

class RowPrinter {
 public:
  RowPrinter(std::vector<std::string> names, bool updates);

  // `weights` null: all rows are new. Prints at most up to `rows_max` rows in all (0: no limit).
  void Print(duckdb::DataChunk& rows, const int32_t* weights, int64_t rows_max);
  // The header when there were no rows, and the number of rows.
  void Finish();
  int64_t printed() const { return printed_; }

 private:
  void PrintHeader(const std::vector<std::vector<std::string>>& first_rows);

  std::vector<std::string> names_;
  bool updates_;
  std::vector<TextTable::Column> columns_;
  std::vector<size_t> widths_;
  int64_t printed_ = 0;
};

}  // namespace millrace::cli
