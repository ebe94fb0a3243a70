// Schema: the names and types of a table's columns.
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

namespace millrace::model {

struct Column {
  std::string name;
  duckdb::LogicalType type;
  bool nullable = true;
};

struct Schema {
  std::vector<Column> columns;

  size_t size() const { return columns.size(); }
  // Index of the column with this name (exact match first, then ignoring case), or -1.
  int Find(std::string_view name) const;
  duckdb::vector<duckdb::LogicalType> Types() const;
  std::vector<std::string> Names() const;
};

}  // namespace millrace::model
