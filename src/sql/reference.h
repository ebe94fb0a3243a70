// The part of docs/reference/sql.md that is made from descriptions in the code: statements, types,
// functions, what is refused, and differences from Flink. Also what `millrace functions` prints.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "sql/catalog.h"
#include "sql/function_spec.h"

namespace millrace::sql {

struct TypeDescription {
  std::string_view name;     // as in Flink
  std::string_view duckdb;   // what it is here
  std::string_view meaning;  // its range
};
const std::vector<TypeDescription>& TypeDescriptions();

// The value of an expression of the Flink dialect without columns, as text. The clock stands at
// 1970; the time zone is UTC.
Result<std::string> EvaluateExample(std::string_view expression);

// Markdown: the table of statements.
std::string RenderStatements();
// Markdown. Evaluates every example, so it fails where one of them does.
Result<std::string> RenderReference();
// For a terminal: one line per function, a project's own ones first; with a name only those that
// have it, with an example.
Result<std::string> RenderFunctionList(const std::string& name,
                                       const std::vector<const Function*>& own = {});

// The text of a page with what stands between two marks replaced. kInvalidArgument without marks.
inline constexpr std::string_view kStatementsBegin = "<!-- generated: the list of statements -->\n";
inline constexpr std::string_view kGeneratedBegin =
    "<!-- generated: millrace functions --markdown -->\n";
inline constexpr std::string_view kGeneratedEnd = "<!-- end of what is generated -->\n";
Result<std::string> ReplaceGenerated(const std::string& page, const std::string& generated,
                                     std::string_view begins = kGeneratedBegin);

}  // namespace millrace::sql
