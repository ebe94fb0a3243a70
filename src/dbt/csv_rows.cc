#include "dbt/csv_rows.h"

#include <fmt/format.h>

#include <vector>

#include "base/strings.h"

namespace millrace::dbt {

namespace {

// One line's cells, which may hold line ends in quotes; `at` moves behind it.
std::vector<std::string> NextCells(const std::string& text, size_t& at) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (; at < text.size(); at++) {
    const char c = text[at];
    if (quoted && c == '"' && text.compare(at, 2, "\"\"") == 0) {
      cells.back() += text[at++];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == '\n' && !quoted) {
      at++;
      break;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else if (c != '\r' || quoted) {
      cells.back() += c;
    }
  }
  return cells;
}

}  // namespace

Result<Value> ParseCsvRows(const std::string& text) {
  Value rows = Value::List{};
  size_t at = 0;
  std::vector<std::string> header = NextCells(text, at);
  for (std::string& name : header) name = std::string(Trim(name));
  while (at < text.size()) {
    const std::vector<std::string> cells = NextCells(text, at);
    if (cells.size() == 1 && Trim(cells[0]).empty()) continue;
    if (cells.size() != header.size()) {
      return Status(Code::kSyntax,
                    fmt::format("row {} of the CSV has {} cells, its header has {}",
                                rows.list().size() + 1, cells.size(), header.size()));
    }
    Value row = Value::Object();
    for (size_t i = 0; i < cells.size(); i++) {
      row.Set(header[i], cells[i].empty() ? Value() : Value(cells[i]));
    }
    rows.Append(row);
  }
  return rows;
}

}  // namespace millrace::dbt
