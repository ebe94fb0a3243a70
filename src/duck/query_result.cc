#include "duck/query_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <duckdb/common/types/blob.hpp>

#include "base/strings.h"

namespace millrace::duck {

namespace {

using duckdb::LogicalTypeId;
using duckdb::Value;

bool IsNumber(const duckdb::LogicalType& type) {
  return type.IsNumeric();
}

// Characters, not bytes: continuation bytes of UTF-8 take no column on a terminal.
size_t DisplayWidth(std::string_view text) {
  size_t width = 0;
  for (char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return width;
}

std::string CutTo(const std::string& text, size_t max_cell) {
  if (DisplayWidth(text) <= max_cell) return text;
  std::string out;
  size_t width = 0;
  for (char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80 && ++width >= max_cell) break;
    out += c;
  }
  return out + "…";
}

std::string Cell(const Value& value, size_t max_cell) {
  if (value.IsNull()) return "NULL";
  std::string out;
  for (char c : value.ToString()) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));  // no terminal escapes
    } else {
      out += c;
    }
  }
  return CutTo(out, max_cell);
}

std::string CsvCell(const Value& value) {
  if (value.IsNull()) return "";
  std::string text = value.ToString();
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

void AppendFloating(double number, const std::string& text, std::string& out) {
  if (std::isnan(number)) {
    out += "\"NaN\"";
  } else if (std::isinf(number)) {
    out += number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    out += text;
  }
}

void AppendList(const std::vector<Value>& children, std::string& out) {
  out += '[';
  for (size_t i = 0; i < children.size(); i++) {
    if (i) out += ',';
    AppendJson(children[i], out);
  }
  out += ']';
}

}  // namespace

void AppendJson(const Value& value, std::string& out) {
  if (value.IsNull()) {
    out += "null";
    return;
  }
  switch (value.type().id()) {
    case LogicalTypeId::BOOLEAN:
      out += value.GetValue<bool>() ? "true" : "false";
      return;
    case LogicalTypeId::FLOAT:
      // By its own shortest text: through double 0.1f would print as 0.10000000149011612.
      AppendFloating(static_cast<double>(value.GetValue<float>()),
                     fmt::format("{}", value.GetValue<float>()), out);
      return;
    case LogicalTypeId::DOUBLE:
      AppendFloating(value.GetValue<double>(), fmt::format("{}", value.GetValue<double>()), out);
      return;
    case LogicalTypeId::LIST:
      AppendList(duckdb::ListValue::GetChildren(value), out);
      return;
    case LogicalTypeId::ARRAY:
      AppendList(duckdb::ArrayValue::GetChildren(value), out);
      return;
    case LogicalTypeId::STRUCT: {
      const auto& children = duckdb::StructValue::GetChildren(value);
      out += '{';
      for (size_t i = 0; i < children.size(); i++) {
        if (i) out += ',';
        out += JsonQuote(duckdb::StructType::GetChildName(value.type(), i)) + ":";
        AppendJson(children[i], out);
      }
      out += '}';
      return;
    }
    case LogicalTypeId::MAP: {
      out += '{';
      bool first = true;
      for (const Value& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& pair = duckdb::StructValue::GetChildren(entry);
        if (!first) out += ',';
        first = false;
        out += JsonQuote(pair[0].ToString()) + ":";
        AppendJson(pair[1], out);
      }
      out += '}';
      return;
    }
    case LogicalTypeId::BLOB:
      out += '"' + Base64(duckdb::StringValue::Get(value)) + '"';
      return;
    default:
      if (IsNumber(value.type())) {
        out += value.ToString();
      } else {
        out += JsonQuote(value.ToString());
      }
  }
}

Value QueryResult::Get(size_t row, size_t column) const {
  for (auto& chunk : rows->Chunks()) {
    if (row < chunk.size()) return chunk.GetValue(column, row);
    row -= chunk.size();
  }
  return Value();
}

std::string QueryResult::ToJson() const {
  std::string out = "{\"columns\":[";
  for (size_t i = 0; i < columns.size(); i++) {
    if (i) out += ',';
    out += "{\"name\":" + JsonQuote(columns[i].name) +
           ",\"type\":" + JsonQuote(columns[i].type.ToString()) + "}";
  }
  out += "],\"rows\":[";
  bool first = true;
  if (rows) {
    for (auto& chunk : rows->Chunks()) {
      for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
        out += first ? "[" : ",[";
        first = false;
        for (size_t c = 0; c < columns.size(); c++) {
          if (c) out += ',';
          AppendJson(chunk.GetValue(c, r), out);
        }
        out += ']';
      }
    }
  }
  out += fmt::format("],\"elapsed_ms\":{:.3f}", elapsed_ms);
  if (truncated) out += ",\"truncated\":true";
  return out + "}";
}

std::string QueryResult::ToTable(size_t max_cell) const {
  std::vector<size_t> widths;
  std::vector<std::vector<std::string>> cells;
  for (const auto& column : columns) widths.push_back(DisplayWidth(column.name));
  if (rows) {
    for (auto& chunk : rows->Chunks()) {
      for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
        auto& line = cells.emplace_back();
        for (size_t c = 0; c < columns.size(); c++) {
          line.push_back(Cell(chunk.GetValue(c, r), max_cell));
          widths[c] = std::max(widths[c], DisplayWidth(line.back()));
        }
      }
    }
  }
  std::string out;
  auto add_line = [&](auto&& text_of) {
    std::string line;
    for (size_t c = 0; c < columns.size(); c++) {
      const std::string text = text_of(c);
      const std::string fill(widths[c] - DisplayWidth(text), ' ');
      if (c) line += "  ";
      line += IsNumber(columns[c].type) ? fill + text : text + fill;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  };
  if (!columns.empty()) {
    add_line([&](size_t c) { return columns[c].name; });
    std::string rule;
    for (size_t c = 0; c < columns.size(); c++) {
      rule += (c ? "  " : "") + std::string(widths[c], '-');
    }
    out += rule + "\n";
  }
  for (const auto& line : cells) {
    add_line([&](size_t c) { return line[c]; });
  }
  out += fmt::format("({} {}{})\n", row_count(), row_count() == 1 ? "row" : "rows",
                     truncated ? ", more were left out" : "");
  return out;
}

std::string QueryResult::ToCsv() const {
  std::string out;
  for (size_t c = 0; c < columns.size(); c++) {
    out += (c ? "," : "") + CsvCell(Value(columns[c].name));
  }
  out += "\r\n";
  if (!rows) return out;
  for (auto& chunk : rows->Chunks()) {
    for (duckdb::idx_t r = 0; r < chunk.size(); r++) {
      for (size_t c = 0; c < columns.size(); c++) {
        out += (c ? "," : "") + CsvCell(chunk.GetValue(c, r));
      }
      out += "\r\n";
    }
  }
  return out;
}

}  // namespace millrace::duck
