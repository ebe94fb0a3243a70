#include "project/trace_windows.h"

#include <algorithm>

#include "sql/lexer.h"

namespace millrace::project {

std::vector<std::string> WindowCallsOf(const std::string& sql) {
  const std::vector<sql::Token> tokens = sql::Lex(sql, {}).tokens;
  std::vector<std::string> calls;
  for (size_t at = 0; at + 3 < tokens.size(); at++) {
    const sql::Token& name = tokens[at + 2];
    const bool is_window = name.Is("TUMBLE") || name.Is("HOP") || name.Is("CUMULATE");
    if (!tokens[at].Is("TABLE") || !tokens[at + 1].IsOperator("(") || !is_window) continue;
    int depth = 0;
    for (size_t end = at + 3; end < tokens.size(); end++) {
      if (tokens[end].IsOperator("(")) depth++;
      if (tokens[end].IsOperator(")")) depth--;
      if (depth > 0) continue;
      const std::string call = sql.substr(name.offset, tokens[end].end() - name.offset);
      if (std::find(calls.begin(), calls.end(), call) == calls.end()) calls.push_back(call);
      break;
    }
  }
  return calls;
}

}  // namespace millrace::project
