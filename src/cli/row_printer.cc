#include "cli/row_printer.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::cli {

namespace {
constexpr size_t kCellWidthMax = 60;
}

const char* ChangeSign(const int32_t* weights, size_t count, size_t i) {
  if (!weights) return "+I";
  if (weights[i] < 0) return i + 1 < count && weights[i + 1] > 0 ? "-U" : "-D";
  return i > 0 && weights[i - 1] < 0 ? "+U" : "+I";
}

RowPrinter::RowPrinter(std::vector<std::string> names, bool updates)
    : names_(std::move(names)), updates_(updates) {
  if (updates_) columns_.push_back({"op", false});
  for (const std::string& name : names_) columns_.push_back({name, false});
}

void RowPrinter::PrintHeader(const std::vector<std::vector<std::string>>& first_rows) {
  TextTable table(columns_, kCellWidthMax);
  for (const auto& row : first_rows) table.Add(row);
  widths_ = table.Widths();
  std::vector<std::string> names, dashes;
  for (size_t c = 0; c < columns_.size(); c++) {
    names.push_back(columns_[c].name);
    dashes.emplace_back(widths_[c], '-');
  }
  fmt::print("{}{}", TextTable::Line(columns_, widths_, names),
             TextTable::Line(columns_, widths_, dashes));
}

void RowPrinter::Print(duckdb::DataChunk& rows, const int32_t* weights, int64_t rows_max) {
  size_t shift = updates_ ? 1 : 0;
  std::vector<std::vector<std::string>> texts;
  for (size_t r = 0; r < rows.size(); r++) {
    if (rows_max > 0 && printed_ + static_cast<int64_t>(texts.size()) >= rows_max) break;
    std::vector<std::string>& cells = texts.emplace_back();
    if (updates_) cells.emplace_back(ChangeSign(weights, rows.size(), r));
    for (size_t c = 0; c < names_.size(); c++) {
      duckdb::Value value = rows.GetValue(c, r);
      cells.push_back(value.IsNull() ? "NULL" : OneLine(value.ToString(), kCellWidthMax));
    }
  }
  if (texts.empty()) return;
  if (widths_.empty()) {
    for (size_t c = 0; c < names_.size(); c++) {
      columns_[c + shift].right = rows.data[c].GetType().IsNumeric();
    }
    PrintHeader(texts);
  }
  for (const auto& cells : texts) fmt::print("{}", TextTable::Line(columns_, widths_, cells));
  std::fflush(stdout);
  printed_ += static_cast<int64_t>(texts.size());
}

void RowPrinter::Finish() {
  if (widths_.empty()) PrintHeader({});
  fmt::print("({} {}{})\n", printed_, updates_ ? "change" : "row", printed_ == 1 ? "" : "s");
  std::fflush(stdout);
}

}  // namespace millrace::cli
