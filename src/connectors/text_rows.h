// TextRows: rows that come as text, value by value, turned into typed rows for a lookup. A row with
// a value that is not of its column's type makes its key's answer unusable, with the reason.
#pragma once

#include <duckdb.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/lookup.h"

namespace millrace::connectors {

class TextRows {
 public:
  TextRows(const model::Schema& schema, const std::vector<size_t>& columns);

  // One value per column; nothing is NULL.
  void Add(uint32_t key, const std::vector<std::optional<std::string_view>>& values,
           LookupOutput& out);
  // Hands on what was added.
  void Flush(LookupOutput& out);

 private:
  std::vector<std::string> names_;
  duckdb::vector<duckdb::LogicalType> types_;
  duckdb::DataChunk texts_;
  std::vector<uint32_t> keys_;
};

}  // namespace millrace::connectors
