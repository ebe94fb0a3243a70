// Aligned columns for terminals.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

// How many columns a terminal needs for `text`, counted in code points.
size_t DisplayWidth(std::string_view text);
// `text` on one line (newlines, tabs and other control characters escaped), cut with "…" when it is
// wider than `width_max`.
std::string OneLine(std::string_view text, size_t width_max);
// Fills up with blanks to `width`.
std::string Pad(std::string_view text, size_t width, bool right);

// Columns under a header, two blanks apart; numbers belong to the right.
class TextTable {
 public:
  struct Column {
    std::string name;
    bool right = false;
  };

  explicit TextTable(std::vector<Column> columns, size_t cell_width_max = 60);

  // One text per column.
  void Add(std::vector<std::string> cells);
  size_t row_count() const { return rows_.size(); }
  // With a line of dashes under the header if `ruled`. Lines end with '\n', without trailing
  // blanks.
  std::string Render(bool ruled = false) const;

  // For rows that come one after the other: widths from the rows added so far; the same line
  // format.
  std::vector<size_t> Widths() const;
  static std::string Line(const std::vector<Column>& columns, const std::vector<size_t>& widths,
                          const std::vector<std::string>& cells);

 private:
  std::vector<Column> columns_;
  size_t cell_width_max_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace millrace::cli
