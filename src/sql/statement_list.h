// Every statement that scripts may have: the parser's errors, `millrace run --help` and the
// reference (docs/reference/sql.md) are made from this list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::sql {

struct StatementDescription {
  std::vector<std::string_view> first_words;  // upper case; any of them begins it
  std::string_view name;                      // as StatementName has it
  std::string_view syntax;
  std::string_view notes;    // Markdown, of one line
  std::string_view example;  // parses
};

const std::vector<StatementDescription>& StatementDescriptions();
// In the list's order, each once.
const std::vector<std::string>& StatementFirstWords();

}  // namespace millrace::sql
