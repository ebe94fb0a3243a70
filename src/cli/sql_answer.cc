#include "cli/sql_answer.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "base/strings.h"
#include "cli/text_table.h"

namespace millrace::cli {

namespace {

namespace ondemand = simdjson::ondemand;

// Reads a cell without turning numbers into doubles: their text is what the server wrote.
simdjson::error_code ReadCell(ondemand::value value, SqlCell& cell) {
  ondemand::json_type type;
  if (auto error = value.type().get(type)) return error;
  std::string_view raw;
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (auto error = value.get_array().get(array)) return error;
    if (auto error = array.raw_json().get(raw)) return error;
  } else if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (auto error = value.get_object().get(object)) return error;
    if (auto error = object.raw_json().get(raw)) return error;
  } else {
    raw = value.raw_json_token();
  }
  cell.json = std::string(Trim(raw));
  cell.text = cell.json;
  if (type != ondemand::json_type::string) return simdjson::SUCCESS;
  std::string_view text;
  if (auto error = value.get_string().get(text)) return error;
  cell.text = std::string(text);
  return simdjson::SUCCESS;
}

simdjson::error_code ReadColumns(ondemand::document& doc, SqlAnswer& answer) {
  ondemand::array columns;
  if (auto error = doc["columns"].get_array().get(columns)) return error;
  for (auto entry : columns) {
    ondemand::object column;
    if (auto error = entry.get_object().get(column)) return error;
    std::string_view name, type;
    if (auto error = column["name"].get_string().get(name)) return error;
    answer.names.emplace_back(name);
    if (auto error = column["type"].get_string().get(type)) return error;
    answer.types.emplace_back(type);
  }
  return simdjson::SUCCESS;
}

simdjson::error_code ReadAnswer(ondemand::document& doc, SqlAnswer& answer) {
  if (auto error = ReadColumns(doc, answer)) return error;
  ondemand::array rows;
  if (auto error = doc["rows"].get_array().get(rows)) return error;
  for (auto entry : rows) {
    ondemand::array cells;
    if (auto error = entry.get_array().get(cells)) return error;
    std::vector<SqlCell>& row = answer.rows.emplace_back();
    for (auto item : cells) {
      ondemand::value value;
      if (auto error = item.get(value)) return error;
      if (auto error = ReadCell(value, row.emplace_back())) return error;
    }
  }
  bool truncated = false;
  if (!doc["truncated"].get_bool().get(truncated)) answer.truncated = truncated;
  return simdjson::SUCCESS;
}

bool IsNumber(const std::string& type) {
  static const std::vector<std::string> kPrefixes = {
      "TINYINT",  "SMALLINT", "INTEGER",  "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
      "UINTEGER", "UBIGINT",  "UHUGEINT", "FLOAT",  "DOUBLE",  "DECIMAL"};
  if (type.find('[') != std::string::npos) return false;
  for (const std::string& prefix : kPrefixes) {
    if (type.rfind(prefix, 0) == 0) return true;
  }
  return false;
}

std::string CsvCell(const SqlCell& cell) {
  if (cell.is_null()) return "";
  if (!cell.text.empty() && cell.text.find_first_of(",\"\r\n") == std::string::npos)
    return cell.text;
  return QuoteIdentifier(cell.text);  // the same doubling of quotes
}

}  // namespace

Result<SqlAnswer> ParseSqlAnswer(const std::string& json) {
  SqlAnswer answer;
  simdjson::padded_string padded(json);
  ondemand::parser parser;
  ondemand::document doc;
  auto error = parser.iterate(padded).get(doc);
  if (!error) error = ReadAnswer(doc, answer);
  if (error) {
    return Status(Code::kCorruption, fmt::format("the answer to the query cannot be read: {}",
                                                 simdjson::error_message(error)));
  }
  return answer;
}

std::string AnswerAsTable(const SqlAnswer& answer) {
  std::vector<TextTable::Column> columns;
  for (size_t c = 0; c < answer.names.size(); c++) {
    columns.push_back({answer.names[c], IsNumber(answer.types[c])});
  }
  TextTable table(columns);
  for (const auto& row : answer.rows) {
    std::vector<std::string> cells;
    for (const SqlCell& cell : row) cells.push_back(cell.is_null() ? "NULL" : cell.text);
    table.Add(std::move(cells));
  }
  return table.Render(true) + fmt::format("({} row{}{})\n", answer.rows.size(),
                                          answer.rows.size() == 1 ? "" : "s",
                                          answer.truncated ? ", there are more" : "");
}

std::string AnswerAsCsv(const SqlAnswer& answer) {
  std::vector<std::string> header;
  for (const std::string& name : answer.names) header.push_back(CsvCell({"", name}));
  std::string out = Join(header, ",") + "\n";
  for (const auto& row : answer.rows) {
    std::vector<std::string> cells;
    for (const SqlCell& cell : row) cells.push_back(CsvCell(cell));
    out += Join(cells, ",") + "\n";
  }
  return out;
}

std::string AnswerAsJson(const SqlAnswer& answer) {
  std::string out;
  for (const auto& row : answer.rows) {
    out += '{';
    for (size_t c = 0; c < row.size(); c++) {
      out += (c ? "," : "") + JsonQuote(answer.names[c]) + ":" + row[c].json;
    }
    out += "}\n";
  }
  return out;
}

std::string RenderAnswer(const SqlAnswer& answer, const std::string& format) {
  if (format == "csv") return AnswerAsCsv(answer);
  if (format == "json") return AnswerAsJson(answer);
  return AnswerAsTable(answer);
}

}  // namespace millrace::cli
