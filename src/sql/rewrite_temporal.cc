// FOR SYSTEM_TIME AS OF: the join keeps its place and its condition, and gets a mark in it; see
// duck/temporal_marks.h.
#include <duckdb.hpp>

#include <array>

#include "base/strings.h"
#include "sql/query_rewriter.h"

namespace millrace::sql {
namespace {

constexpr const char* kExample =
    "write JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency";

// Words that end a join's condition, outside brackets.
bool EndsCondition(const Token& token, const Token& next) {
  // LEFT and RIGHT are functions, too.
  if (token.Is("LEFT") || token.Is("RIGHT")) return !next.IsOperator("(");
  constexpr std::array<std::string_view, 20> kWords = {
      "JOIN",   "INNER",  "FULL",    "CROSS", "NATURAL", "WHERE",    "GROUP",
      "HAVING", "WINDOW", "ORDER",   "LIMIT", "OFFSET",  "FETCH",    "UNION",
      "EXCEPT", "MINUS",  "QUALIFY", "SEMI",  "ANTI",    "INTERSECT"};
  for (std::string_view word : kWords) {
    if (token.Is(word)) return true;
  }
  return false;
}

}  // namespace

size_t QueryRewriter::EndOfCondition(size_t begin, size_t end) const {
  size_t i = begin;
  while (i < end) {
    const Token& token = At(i);
    if (token.IsOperator("(") || token.IsOperator("[")) {
      i = cursor_.MatchingClose(i) + 1;
      continue;
    }
    if (token.IsOperator(")") || token.IsOperator(",")) break;
    if (i > begin && !MayBeName(i) && EndsCondition(token, At(i + 1))) break;
    i++;
  }
  return std::min(i, end);
}

Status QueryRewriter::SystemTime(size_t& i, size_t end, Piece& out) {
  const size_t clause = i;
  size_t k = i + 2;
  if (!At(k).Is("AS") || !At(k + 1).Is("OF")) {
    return Wrong(clause, k + 1, "FOR SYSTEM_TIME must be followed by AS OF and a time column",
                 kExample);
  }
  k += 2;
  const bool after_table = clause > 0 && At(clause - 1).IsName();
  if (!after_table) {
    return Unsupported(clause, clause + 2, "FOR SYSTEM_TIME AS OF after something else than a name",
                       "make a view of the subquery, and join that");
  }

  // The time: a column of the left side, or PROCTIME().
  const size_t time_begin = k;
  bool is_column = k < end && At(k).IsName();
  while (is_column && k + 2 < end && At(k + 1).IsOperator(".") && At(k + 2).IsName()) k += 2;
  k++;
  const bool is_call = At(k).IsOperator("(") && At(time_begin).Is("PROCTIME");
  if (is_call) k += 2;
  if (!is_column || (At(k).IsOperator("(") && !is_call)) {
    return Unsupported(time_begin, k, "FOR SYSTEM_TIME AS OF something else than a time column",
                       kExample);
  }
  const size_t time_end = k;

  if (At(k).Is("AS")) k++;
  std::string alias = At(clause - 1).NameText();
  const size_t alias_at = k;
  if (k < end && At(k).IsName() && !At(k).Is("ON") && !At(k).Is("USING") &&
      !EndsCondition(At(k), At(k + 1))) {
    alias = At(k++).NameText();
  }
  if (k >= end || !At(k).Is("ON")) {
    return Unsupported(clause, clause + 2, "FOR SYSTEM_TIME AS OF without JOIN … ON", kExample);
  }

  out.Make("AS " + QuoteIdentifier(alias) + " ON mr_as_of(", At(alias_at).offset);
  MR_RETURN_IF_ERROR(Range(time_begin, time_end, out));
  out.Make(") = mr_version(" + QuoteIdentifier(alias) + ") AND (", At(k).offset);
  const size_t condition = k + 1;
  const size_t after = EndOfCondition(condition, end);
  if (after == condition) return Wrong(k, k + 1, "ON has no condition", kExample);
  MR_RETURN_IF_ERROR(Range(condition, after, out));
  out.Make(")", At(after - 1).offset);
  i = after;
  return Status::Ok();
}

}  // namespace millrace::sql
