// SqlAnswer: the rows of a query as the HTTP API sends them (POST /api/sql), and the forms in which
// `millrace sql` prints them.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::cli {

struct SqlCell {
  std::string json;  // as sent: 12.50, "a", null, [1,2]; numbers keep all their digits
  std::string text;  // the same for people: a string without its quotes
  bool is_null() const { return json == "null"; }
};

struct SqlAnswer {
  std::vector<std::string> names;
  std::vector<std::string> types;
  std::vector<std::vector<SqlCell>> rows;
  bool truncated = false;  // there were more rows
};

// Reads {"columns":[…],"rows":[…],…}. Error: kCorruption.
Result<SqlAnswer> ParseSqlAnswer(const std::string& json);

// Aligned columns, NULL as "NULL", then "(3 rows)".
std::string AnswerAsTable(const SqlAnswer& answer);
// RFC 4180 with a header; NULL is an empty cell, the empty string is "".
std::string AnswerAsCsv(const SqlAnswer& answer);
// One object per line.
std::string AnswerAsJson(const SqlAnswer& answer);
// `format`: table, csv or json.
std::string RenderAnswer(const SqlAnswer& answer, const std::string& format);

}  // namespace millrace::cli
