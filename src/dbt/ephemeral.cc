#include "dbt/ephemeral.h"

#include <cctype>

#include "base/strings.h"
#include "dbt/dialect.h"

namespace millrace::dbt {

namespace {

// Where the first word after blanks and comments starts.
size_t FirstWord(const std::string& sql, size_t at) {
  while (at < sql.size()) {
    if (std::isspace(static_cast<unsigned char>(sql[at]))) {
      at++;
    } else if (sql.compare(at, 2, "--") == 0) {
      at = std::min(sql.find('\n', at), sql.size());
    } else if (sql.compare(at, 2, "/*") == 0) {
      const size_t end = sql.find("*/", at);
      at = end == std::string::npos ? sql.size() : end + 2;
    } else {
      break;
    }
  }
  return at;
}

// The end of `word` at `at`, or `at` when another word stands there.
size_t SkipWord(const std::string& sql, size_t at, std::string_view word) {
  const size_t end = at + word.size();
  if (!EqualsIgnoreCase(std::string_view(sql).substr(at, word.size()), word)) return at;
  if (end < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[end])) || sql[end] == '_')) {
    return at;
  }
  return end;
}

}  // namespace

std::string EphemeralName(const std::string& model) {
  return "__dbt__cte__" + model;
}

std::string WithCommonTables(const std::string& sql, const std::vector<CommonTable>& tables,
                             const std::string& quote_character) {
  if (tables.empty()) return sql;
  std::vector<std::string> parts;
  for (const CommonTable& table : tables) {
    parts.push_back(QuoteWith(quote_character, table.name) + " as (\n" + table.sql + "\n)");
  }
  const size_t start = FirstWord(sql, 0);
  const size_t after_with = SkipWord(sql, start, "with");
  if (after_with == start) {
    return sql.substr(0, start) + "with " + Join(parts, ", ") + "\n" + sql.substr(start);
  }
  const size_t next = FirstWord(sql, after_with);
  const size_t after = SkipWord(sql, next, "recursive");
  return sql.substr(0, after) + " " + Join(parts, ", ") + ", " + sql.substr(after);
}

std::string Statement(std::string sql) {
  while (!sql.empty() &&
         (std::isspace(static_cast<unsigned char>(sql.back())) || sql.back() == ';')) {
    sql.pop_back();
  }
  return sql;
}

}  // namespace millrace::dbt
