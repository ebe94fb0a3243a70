// Lists of columns, by index into a row's types.
#pragma once

#include <duckdb.hpp>
#include <numeric>
#include <vector>

namespace millrace::stream {

// The types of these columns, in their order.
inline duckdb::vector<duckdb::LogicalType> Pick(const duckdb::vector<duckdb::LogicalType>& types,
                                                const std::vector<duckdb::idx_t>& columns) {
  duckdb::vector<duckdb::LogicalType> picked;
  for (duckdb::idx_t c : columns) picked.push_back(types[c]);
  return picked;
}

// 0, 1, … count - 1.
inline std::vector<duckdb::idx_t> FirstColumns(size_t count) {
  std::vector<duckdb::idx_t> columns(count);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

// 0, 1, … count - 1 without one of them.
inline std::vector<duckdb::idx_t> ColumnsBut(size_t count, size_t left_out) {
  std::vector<duckdb::idx_t> columns = FirstColumns(count);
  columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(left_out));
  return columns;
}

}  // namespace millrace::stream
