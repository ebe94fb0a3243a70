// Statements of Flink that are known by their first words and not carried out, each with the nearest
// thing that works.
#pragma once

#include <string_view>
#include <vector>

namespace millrace::sql {

struct RefusedStatement {
  std::vector<std::string_view> words;  // upper case
  const char* hint;
};

const std::vector<RefusedStatement>& RefusedStatements();

}  // namespace millrace::sql
