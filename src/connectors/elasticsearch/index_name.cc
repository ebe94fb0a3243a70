#include "connectors/elasticsearch/index_name.h"

#include <fmt/format.h>

#include <duckdb/function/scalar/strftime_format.hpp>
#include <map>

#include "base/strings.h"

namespace millrace::connectors::elasticsearch {

namespace {

using duckdb::LogicalTypeId;

// What Flink writes where the pattern says only {column} or {column|}.
std::string DefaultPattern(const duckdb::LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::DATE:
      return "yyyy_MM_dd";
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_MS:
    case LogicalTypeId::TIMESTAMP_NS:
    case LogicalTypeId::TIMESTAMP_SEC:
    case LogicalTypeId::TIMESTAMP_TZ:
      return "yyyy_MM_dd_HH_mm_ss";
    default:
      return "";
  }
}

Status BadPattern(const std::string& pattern, const std::string& why) {
  return Status(Code::kBadOption, fmt::format("option \"index\" is \"{}\": {}", pattern, why))
      .WithHint("for example 'orders' or 'orders-{order_time|yyyy-MM-dd}'");
}

}  // namespace

Result<std::string> TimeFormat(const std::string& pattern) {
  static const std::map<std::string, std::string> kFields = {
      {"yyyy", "%Y"}, {"uuuu", "%Y"}, {"yy", "%y"}, {"MM", "%m"},  {"dd", "%d"},
      {"HH", "%H"},   {"mm", "%M"},   {"ss", "%S"}, {"SSS", "%g"},
  };
  std::string out;
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'') {
      const size_t end = pattern.find('\'', i + 1);
      if (end == std::string::npos) {
        return Status(Code::kBadOption,
                      fmt::format("\"{}\" is no pattern of a time: a quote is open", pattern));
      }
      out += end == i + 1 ? "'" : pattern.substr(i + 1, end - i - 1);
      i = end + 1;
      continue;
    }
    if (!std::isalpha(static_cast<unsigned char>(c))) {
      out += c == '%' ? "%%" : std::string(1, c);
      i++;
      continue;
    }
    const size_t end = std::min(pattern.find_first_not_of(c, i), pattern.size());
    auto field = kFields.find(pattern.substr(i, end - i));
    if (field == kFields.end()) {
      return Status(Code::kBadOption, fmt::format("\"{}\" in the pattern of a time is not known",
                                                  pattern.substr(i, end - i)))
          .WithHint("yyyy, yy, MM, dd, HH, mm, ss and SSS are, and text in single quotes");
    }
    out += field->second;
    i = end;
  }
  return out;
}

Result<IndexName> IndexName::Parse(const std::string& pattern, const model::Schema& schema) {
  IndexName name;
  for (size_t i = 0; i < pattern.size();) {
    const size_t open = std::min(pattern.find('{', i), pattern.size());
    if (open > i) name.parts_.push_back({pattern.substr(i, open - i), {}, ""});
    if (open == pattern.size()) break;
    const size_t close = pattern.find('}', open);
    if (close == std::string::npos) return BadPattern(pattern, "a { is not closed");
    const std::string inside = pattern.substr(open + 1, close - open - 1);
    const size_t bar = inside.find('|');
    const std::string column = inside.substr(0, bar);
    if (column.ends_with(")")) {
      return BadPattern(pattern,
                        column + " would give another index when an epoch is written again")
          .WithHint("name a column of the table that holds the time");
    }
    const int at = schema.Find(column);
    if (at < 0) {
      return Status(Code::kUnknownColumn,
                    fmt::format("option \"index\" names the column \"{}\", which does not exist",
                                column))
          .WithHint(DidYouMean(column, schema.Names()));
    }
    const std::string standard = DefaultPattern(schema.columns[static_cast<size_t>(at)].type);
    std::string time_pattern = bar == std::string::npos ? "" : inside.substr(bar + 1);
    if (!time_pattern.empty() && standard.empty()) {
      return BadPattern(pattern, "column \"" + column + "\" is no DATE or TIMESTAMP");
    }
    if (time_pattern.empty()) time_pattern = standard;
    MR_ASSIGN_OR_RETURN(std::string format, TimeFormat(time_pattern));
    name.parts_.push_back({"", static_cast<size_t>(at), std::move(format)});
    i = close + 1;
  }
  if (name.parts_.empty()) return BadPattern(pattern, "it is empty");
  return name;
}

std::vector<size_t> IndexName::columns() const {
  std::vector<size_t> columns;
  for (const Part& part : parts_) {
    if (part.column) columns.push_back(*part.column);
  }
  return columns;
}

bool IndexName::Append(duckdb::DataChunk& rows, duckdb::idx_t row, std::string& out,
                       size_t& null_column) const {
  for (const Part& part : parts_) {
    if (!part.column) {
      out += part.text;
      continue;
    }
    const duckdb::Value value = rows.GetValue(*part.column, row);
    if (value.IsNull()) {
      null_column = *part.column;
      return false;
    }
    if (part.time_format.empty()) {
      out += value.ToString();
      continue;
    }
    const auto time = value.DefaultCastAs(duckdb::LogicalType::TIMESTAMP);
    out += duckdb::StrfTimeFormat::Format(duckdb::TimestampValue::Get(time), part.time_format);
  }
  return true;
}

}  // namespace millrace::connectors::elasticsearch
