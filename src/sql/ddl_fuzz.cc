// libFuzzer: any bytes as a script. Nothing may crash or hang; every position must be in the text.
#include <duckdb.hpp>

#include "base/check.h"
#include "base/strings.h"
#include "sql/catalog.h"
#include "sql/parser.h"

namespace {

using namespace millrace;
using namespace millrace::sql;

void CheckSpan(const SourceSpan& span, int lines) {
  MR_CHECK(span.line >= 0 && span.line <= lines, "line outside the text");
  MR_CHECK(span.line == 0 || span.column >= 1, "column outside the text");
}

void CheckRewritten(const Result<Rewritten>& result, const Fragment& fragment, int lines) {
  if (!result.ok()) {
    MR_CHECK(!result.status().message().empty(), "error without a message");
    return CheckSpan(result.status().span(), lines);
  }
  for (size_t i = 0; i <= result->text.size(); i += 1 + result->text.size() / 64) {
    MR_CHECK(result->map.ToSource(i) <= fragment.text.size(), "position outside the query");
    CheckSpan(result->Locate(i), lines);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  int lines = 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  ParsedScript script = ParseScriptAll(text, "fuzz.sql");
  for (const Status& error : script.errors) CheckSpan(error.span(), lines);
  Catalog catalog;
  for (const Statement& statement : script.statements) {
    MR_CHECK(statement.text.offset + statement.text.text.size() <= size, "statement outside");
    CheckSpan(statement.text.span, lines);
    Status status = catalog.Apply(statement);
    if (!status.ok()) CheckSpan(status.span(), lines);
    if (const auto* select = statement.As<Select>()) {
      CheckRewritten(RewriteQuery(select->query), select->query, lines);
    }
    if (const auto* insert = statement.As<Insert>()) {
      CheckRewritten(RewriteQuery(insert->query), insert->query, lines);
    }
  }
  Fragment whole{text, 0, SourceSpan{"fuzz.sql", 1, 1, 0}};
  CheckRewritten(RewriteExpression(whole), whole, lines);
  return 0;
}
