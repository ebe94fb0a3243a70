#include "cli/text_table.h"

#include <algorithm>

#include "base/visible_text.h"

namespace millrace::cli {

namespace {
bool StartsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}
}  // namespace

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), StartsCharacter));
}

std::string OneLine(std::string_view text, size_t width_max) {
  std::string out = VisibleText(text);
  if (DisplayWidth(out) <= width_max) return out;
  size_t characters = 0;
  size_t end = 0;
  for (; end < out.size(); end++) {
    if (StartsCharacter(out[end]) && ++characters == width_max) break;
  }
  return out.substr(0, end) + "…";
}

std::string Pad(std::string_view text, size_t width, bool right) {
  size_t have = DisplayWidth(text);
  std::string blanks(have < width ? width - have : 0, ' ');
  return right ? blanks + std::string(text) : std::string(text) + blanks;
}

TextTable::TextTable(std::vector<Column> columns, size_t cell_width_max)
    : columns_(std::move(columns)), cell_width_max_(cell_width_max) {}

void TextTable::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = OneLine(cell, cell_width_max_);
  rows_.push_back(std::move(cells));
}

std::vector<size_t> TextTable::Widths() const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); c++) {
    size_t width = DisplayWidth(columns_[c].name);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c]));
    widths.push_back(width);
  }
  return widths;
}

std::string TextTable::Line(const std::vector<Column>& columns, const std::vector<size_t>& widths,
                            const std::vector<std::string>& cells) {
  std::string line;
  for (size_t c = 0; c < columns.size(); c++) {
    if (c) line += "  ";
    line += Pad(cells[c], widths[c], columns[c].right);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string TextTable::Render(bool ruled) const {
  std::vector<size_t> widths = Widths();
  std::vector<std::string> names, dashes;
  for (size_t c = 0; c < columns_.size(); c++) {
    names.push_back(columns_[c].name);
    dashes.emplace_back(widths[c], '-');
  }
  std::string out = Line(columns_, widths, names);
  if (ruled) out += Line(columns_, widths, dashes);
  for (const auto& row : rows_) out += Line(columns_, widths, row);
  return out;
}

}  // namespace millrace::cli
