// IndexName: the index that a row goes to, by the pattern of option 'index'.
//
// Source: Flink's documentation of the Elasticsearch SQL connector, "Dynamic Index".
#pragma once

#include <duckdb.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::connectors::elasticsearch {

class IndexName {
 public:
  // Errors: kBadOption for a pattern that is none, kUnknownColumn.
  static Result<IndexName> Parse(const std::string& pattern, const model::Schema& schema);

  // Appends the name for a row. False, with the column, when a value of it is NULL: then there is
  // no index for the row.
  bool Append(duckdb::DataChunk& rows, duckdb::idx_t row, std::string& out,
              size_t& null_column) const;

  // Columns that the name depends on.
  std::vector<size_t> columns() const;

 private:
  // Literal text, or a column's value, as a date or time where there is a format for strftime.
  struct Part {
    std::string text;
    std::optional<size_t> column;
    std::string time_format;
  };
  std::vector<Part> parts_;
};

// A pattern of Java's DateTimeFormatter (y, M, d, H, m, s, S, quoted text) as one for strftime.
// Error kBadOption.
Result<std::string> TimeFormat(const std::string& pattern);

}  // namespace millrace::connectors::elasticsearch
