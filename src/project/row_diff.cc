#include "project/row_diff.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.h"

namespace millrace::project {

namespace {

std::string Line(const TextRow& row) {
  std::vector<std::string> cells;
  for (const CellText& cell : row) cells.push_back(cell ? *cell : "NULL");
  return Join(cells, " | ");
}

size_t EqualCells(const TextRow& a, const TextRow& b) {
  size_t equal = 0;
  for (size_t i = 0; i < a.size(); i++) equal += a[i] == b[i];
  return equal;
}

std::string DifferingColumns(const std::vector<std::string>& columns, const TextRow& a,
                             const TextRow& b) {
  std::vector<std::string> names;
  for (size_t i = 0; i < a.size(); i++) {
    if (a[i] != b[i]) names.push_back(columns[i]);
  }
  return Join(names, ", ");
}

// Takes out of both what is in both.
void RemoveCommon(std::vector<TextRow>& a, std::vector<TextRow>& b) {
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::vector<TextRow> only_a, only_b;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only_a));
  std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(only_b));
  a = std::move(only_a);
  b = std::move(only_b);
}

}  // namespace

std::string DiffRows(const std::vector<std::string>& columns, std::vector<TextRow> expected,
                     std::vector<TextRow> got, bool ordered, size_t lines_max) {
  if (ordered && expected == got) return "";
  std::vector<std::string> lines;
  std::vector<TextRow> missing = expected, extra = got;
  RemoveCommon(missing, extra);
  if (missing.empty() && extra.empty()) {
    if (!ordered) return "";
    lines.push_back("the rows are right, their order is not:");
    for (const TextRow& row : got) lines.push_back("got       " + Line(row));
  }
  for (const TextRow& row : missing) {
    auto nearest = std::max_element(extra.begin(), extra.end(), [&](auto& a, auto& b) {
      return EqualCells(row, a) < EqualCells(row, b);
    });
    if (nearest != extra.end() && 2 * EqualCells(row, *nearest) >= row.size()) {
      lines.push_back("expected  " + Line(row));
      lines.push_back(fmt::format("got       {}    <- {}", Line(*nearest),
                                  DifferingColumns(columns, row, *nearest)));
      extra.erase(nearest);
    } else {
      lines.push_back("missing   " + Line(row));
    }
  }
  for (const TextRow& row : extra) lines.push_back("extra     " + Line(row));
  if (lines.size() > lines_max) {
    const size_t more = lines.size() - lines_max;
    lines.resize(lines_max);
    lines.push_back(fmt::format("… and {} more lines", more));
  }
  return "columns   " + Join(columns, " | ") + "\n" + Join(lines, "\n") + "\n";
}

}  // namespace millrace::project
