// Reads a script of Flink SQL into statements.
//
// Contract: pure, callable from any thread. Queries are not understood here, only delimited; see
// rewriter.h. Statements that this version does not carry out are kUnsupported, with their place
// and the nearest thing that works.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/statement.h"

namespace millrace::sql {

// All statements, or the first fault. `file` is named in errors and spans. An empty script has none.
Result<std::vector<Statement>> ParseScript(std::string_view text, const std::string& file);

struct ParsedScript {
  std::vector<Statement> statements;  // those that are right
  std::vector<Status> errors;         // in order of position
};
// As above, but goes on after the next ';' to find every fault.
ParsedScript ParseScriptAll(std::string_view text, const std::string& file);

}  // namespace millrace::sql
