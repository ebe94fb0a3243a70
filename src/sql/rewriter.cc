#include <duckdb.hpp>

#include "sql/rewriter.h"

#include <set>

#include "base/strings.h"
#include "sql/interval.h"
#include "sql/query_rewriter.h"

namespace millrace::sql {
namespace {

// Reserved in DuckDB, ordinary names in Flink; none of them is ever a keyword in a query of Flink.
bool NeedsQuotes(const Token& token) {
  static const std::set<std::string, std::less<>> words = {
      "ANALYSE",  "ANALYZE", "CONCURRENTLY", "DEFERRABLE", "DO",        "GLOB",    "INITIALLY",
      "ISNULL",   "LAMBDA",  "NOTNULL",      "RETURNING", "SHOW",    "SUMMARIZE",
      "VARIADIC", "FREEZE",  "VERBOSE",      "COLLATION"};
  return token.kind == TokenKind::kWord &&
         (token.text.find('$') != std::string_view::npos ||
          words.contains(ToUpper(token.text.substr(0, 20))));
}

// The standard's pattern, in which % and _ are as in LIKE, as a regular expression.
std::string SimilarPattern(const std::string& pattern) {
  std::string result;
  for (char c : pattern) {
    if (c == '%') {
      result += ".*";
    } else if (c == '.' || c == '^' || c == '$' || c == '\\') {
      result.append("\\").append(1, c);
    } else {
      result += c == '_' ? '.' : c;
    }
  }
  return result;
}

bool IsPlanAdvice(std::string_view hint) {
  static const std::set<std::string, std::less<>> advice = {
      "BROADCAST", "SHUFFLE_HASH", "SHUFFLE_MERGE", "NEST_LOOP", "MULTI_JOIN"};
  std::string_view text = Trim(hint);
  size_t end = 0;
  while (end < text.size() && (isalpha(static_cast<unsigned char>(text[end])) || text[end] == '_')) {
    end++;
  }
  return advice.contains(ToUpper(text.substr(0, end)));
}

}  // namespace

size_t PositionMap::ToSource(size_t target) const {
  const Mark* found = nullptr;
  auto after = std::upper_bound(marks_.begin(), marks_.end(), target,
                                [](size_t t, const Mark& m) { return t < m.target; });
  if (after != marks_.begin()) found = &*std::prev(after);
  if (!found) return 0;
  return found->verbatim ? found->source + (target - found->target) : found->source;
}

SourceSpan Rewritten::Locate(size_t target) const {
  return LocateIn(original, std::min(map.ToSource(target), original.text.size()));
}

Result<Rewritten> QueryRewriter::Run() {
  Piece out;
  // Every closing bracket must belong to an opening one of its kind; later code relies on it.
  std::vector<size_t> open;
  for (size_t i = 0; i + 1 < tokens_.size(); i++) {
    const Token& token = tokens_[i];
    if (token.IsOperator(";")) {
      return Wrong(i, i + 1, "\";\" inside a query", "end the statement there, or remove it");
    }
    if (token.IsOperator("(") || token.IsOperator("[") || token.IsOperator("{")) open.push_back(i);
    const char* opener = token.IsOperator(")")   ? "("
                         : token.IsOperator("]") ? "["
                         : token.IsOperator("}") ? "{"
                                                 : nullptr;
    if (!opener) continue;
    if (open.empty() || !At(open.back()).IsOperator(opener)) {
      return Wrong(i, i + 1, "\"" + std::string(token.text) + "\" closes nothing",
                   std::string("remove it, or add the \"") + opener + "\" that it belongs to");
    }
    open.pop_back();
  }
  if (!open.empty()) {
    return Wrong(open.back(), open.back() + 1,
                 "\"" + std::string(At(open.back()).text) + "\" is not closed", "");
  }
  MR_RETURN_IF_ERROR(Range(0, tokens_.size() - 1, out));
  return std::move(out).Finish(original_);
}

Result<Rewritten> QueryRewriter::RunFunction(const CreateFunction& function) {
  parameters_ = &function.parameters;
  MR_ASSIGN_OR_RETURN(Rewritten body, Run());
  if (function.returns.empty()) return body;
  MR_ASSIGN_OR_RETURN(SqlType type, ParseTypeText(function.returns.text));
  Piece value;
  value.Make("(", 0);
  MR_RETURN_IF_ERROR(Range(0, tokens_.size() - 1, value));
  value.Make(")", 0);
  Piece out;
  MR_RETURN_IF_ERROR(CastTo("CAST(", type, 0, value, out));
  return std::move(out).Finish(original_);
}

// A parameter of the function whose body this is.
bool QueryRewriter::Parameter(size_t i, Piece& out) const {
  const Token& token = At(i);
  bool field = i > 0 && At(i - 1).IsOperator(".");
  if (!parameters_ || !token.IsName() || field || At(i + 1).IsOperator("(")) return false;
  for (const FunctionParameter& parameter : *parameters_) {
    if (!EqualsIgnoreCase(parameter.name, token.NameText())) continue;
    std::string name = QuoteIdentifier(parameter.name);
    if (parameter.type) name = "CAST(" + name + " AS " + parameter.type->ToString() + ")";
    out.Make(name, token.offset);
    return true;
  }
  return false;
}

Status QueryRewriter::Unsupported(size_t begin, size_t end, std::string what,
                                  std::string hint) const {
  Status status = Status(Code::kUnsupported, what + " is not supported").At(SpanOf(begin, end));
  return hint.empty() ? status : std::move(status).WithHint(std::move(hint));
}

Status QueryRewriter::Wrong(size_t begin, size_t end, std::string what, std::string hint) const {
  Status status = Status(Code::kSyntax, std::move(what)).At(SpanOf(begin, end));
  return hint.empty() ? status : std::move(status).WithHint(std::move(hint));
}

Status QueryRewriter::Range(size_t begin, size_t end, Piece& out) {
  if (depth_ > kNestingMax) {
    return Wrong(begin, begin + 1, "query is nested too deeply", "split it into views");
  }
  depth_++;
  for (size_t i = begin; i < end;) {
    if (i > begin) Gap(i, out);
    MR_ASSIGN_OR_RETURN(bool handled, Special(i, end, out));
    if (!handled) CopyToken(i++, out);
  }
  depth_--;
  return Status::Ok();
}

void QueryRewriter::CopyToken(size_t i, Piece& out) const {
  out.Copy(At(i).text, At(i).offset);
}

void QueryRewriter::QuoteName(size_t i, Piece& out) const {
  out.Make(QuoteIdentifier(At(i).NameText()), At(i).offset);
}

// Blanks stay, so that messages of the binder show lines like the user's; a comment becomes blank,
// as DuckDB nests /* */ and Flink does not.
void QueryRewriter::Gap(size_t i, Piece& out) const {
  size_t from = At(i - 1).end();
  std::string_view gap =
      std::string_view(original_.text).substr(from, At(i).offset - from);
  if (gap.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) {
    out.Copy(gap, from);
  } else {
    out.Make(gap.find('\n') == std::string_view::npos ? " " : "\n", from);
  }
}

// False where a word is a name whatever it spells: after a dot or AS, before a dot.
bool QueryRewriter::MayBeName(size_t i) const {
  if (i > 0 && (At(i - 1).IsOperator(".") || At(i - 1).Is("AS"))) return true;
  return At(i + 1).IsOperator(".");
}

Status QueryRewriter::Hint(size_t i) const {
  if (IsPlanAdvice(At(i).value)) return Status::Ok();  // advice how to run, not what to compute
  std::string upper = ToUpper(At(i).value);
  if (upper.find("OPTIONS") != std::string::npos) {
    return Unsupported(i, i + 1, "an OPTIONS hint on a table that is read",
                       "write CREATE TABLE other WITH ('option' = 'value') LIKE the_table, and read "
                       "that one");
  }
  return Unsupported(i, i + 1, "hint " + At(i).Describe(), "leave it out");
}

Result<bool> QueryRewriter::Special(size_t& i, size_t end, Piece& out) {
  const Token& token = At(i);
  if (Parameter(i, out)) {
    i++;
    return true;
  }
  switch (token.kind) {
    case TokenKind::kHint:
      MR_RETURN_IF_ERROR(Hint(i));
      i++;
      return true;
    case TokenKind::kQuoted:
      if (token.text.front() == '"') return false;
      QuoteName(i++, out);
      return true;
    case TokenKind::kString:
      if (i + 1 < end && At(i + 1).kind == TokenKind::kString) {
        return Wrong(i + 1, i + 2, "two strings stand side by side",
                     "join them with ||, or write '' for a quote inside a string");
      }
      if (token.text.front() == '\'') return false;
      out.Make(QuoteLiteral(token.value), token.offset);
      i++;
      return true;
    case TokenKind::kOperator:
      if (!token.IsOperator("::")) return false;
      {
        out.Make("::", token.offset);
        cursor_.MoveTo(i + 1);
        MR_ASSIGN_OR_RETURN(SqlType type, ParseType(cursor_));
        out.Make(type.type.ToString(), At(i + 1).offset);
        i = cursor_.pos();
      }
      return true;
    case TokenKind::kWord:
      return SpecialWord(i, end, out);
    default:
      return false;
  }
}

Result<bool> QueryRewriter::Interval(size_t& i, Piece& out) {
  cursor_.MoveTo(i);
  MR_ASSIGN_OR_RETURN(IntervalLiteral interval, ParseInterval(cursor_));
  size_t after = cursor_.pos();
  if (interval.plain) {
    for (size_t k = i; k < after; k++) {
      if (k > i) Gap(k, out);
      CopyToken(k, out);
    }
  } else {
    std::string amount = interval.months != 0 ? std::to_string(interval.months) + " months"
                                              : std::to_string(interval.micros) + " microseconds";
    out.Make("INTERVAL '" + amount + "'", At(i).offset);
  }
  i = after;
  return true;
}

Result<bool> QueryRewriter::SpecialWord(size_t& i, size_t end, Piece& out) {
  const Token& token = At(i);
  const Token& next = At(i + 1);
  bool last = i + 1 >= end;
  if (MayBeName(i)) {
    if (!NeedsQuotes(token)) return false;
    QuoteName(i++, out);
    return true;
  }
  if (!last && next.kind == TokenKind::kString && next.offset == token.end()) {
    if (token.Is("X")) {
      std::string blob;
      const std::string& hex = next.value;
      bool valid = hex.size() % 2 == 0;
      for (size_t k = 0; valid && k < hex.size(); k += 2) {
        valid = isxdigit(static_cast<unsigned char>(hex[k])) &&
                isxdigit(static_cast<unsigned char>(hex[k + 1]));
        blob += "\\x" + hex.substr(k, 2);
      }
      if (!valid) return Wrong(i, i + 2, "bad hexadecimal digits in a binary string", "");
      out.Make("'" + blob + "'::BLOB", token.offset);
      i += 2;
      return true;
    }
    if (token.text.size() <= 1 || token.text.front() == '_') {
      return Wrong(i, i + 2, "strings with the prefix " + token.Describe() + " do not exist",
                   "write 'text', or U&'\\XXXX' for special characters");
    }
  }
  cursor_.MoveTo(i);
  if (AtIntervalLiteral(cursor_)) return Interval(i, out);
  if (token.Is("FOR") && next.Is("SYSTEM_TIME")) {
    MR_RETURN_IF_ERROR(SystemTime(i, end, out));
    return true;
  }
  if (token.Is("MATCH_RECOGNIZE") && next.IsOperator("(")) {
    return Unsupported(i, i + 1, "MATCH_RECOGNIZE",
                       "join the stream with itself on the key and a range of time, one join per "
                       "step of the pattern");
  }
  if (token.Is("SIMILAR") && next.Is("TO")) {
    if (At(i + 2).kind != TokenKind::kString || At(i + 3).Is("ESCAPE")) {
      return Unsupported(i, i + 2, "SIMILAR TO something else than a literal (without ESCAPE)",
                         "use LIKE, or REGEXP(text, 'pattern')");
    }
    out.Make("SIMILAR TO " + QuoteLiteral(SimilarPattern(At(i + 2).value)), token.offset);
    i += 3;
    return true;
  }
  if (token.Is("IS") && IsJson(i, out)) return true;
  if (token.Is("BETWEEN") && next.Is("SYMMETRIC")) {
    return Unsupported(i, i + 2, "BETWEEN SYMMETRIC",
                       "write BETWEEN LEAST(a, b) AND GREATEST(a, b)");
  }
  if (token.Is("BETWEEN") && next.Is("ASYMMETRIC")) {
    out.Copy(token.text, token.offset);
    i += 2;
    return true;
  }
  if (token.Is("LATERAL") && next.Is("TABLE") && At(i + 2).IsOperator("(")) {
    return Unsupported(i, i + 2, "LATERAL TABLE(function)",
                       "use CROSS JOIN UNNEST(array) AS t(column)");
  }
  if (token.Is("TABLE") && next.IsOperator("(") && !last) {
    size_t close = cursor_.MatchingClose(i + 1);
    if (At(i + 2).IsName() && At(i + 3).IsOperator("(") &&
        cursor_.MatchingClose(i + 3) + 1 == close) {
      MR_ASSIGN_OR_RETURN(bool window, Window(i + 2, close - 1, out));
      if (window) {
        i = close + 1;
        return true;
      }
    }
    return Unsupported(i, i + 3, "TABLE(…) with something else than TUMBLE, HOP or CUMULATE",
                       "use CROSS JOIN UNNEST(array) AS t(column) for a function that makes rows");
  }
  if (token.Is("MAP") && next.IsOperator("[") && !last) {
    size_t close = cursor_.MatchingClose(i + 1);
    std::vector<Argument> items = SplitArguments(i + 1, close);
    if (items.size() % 2 != 0) {
      return Wrong(i, close + 1, "MAP[…] needs a value for every key", "write MAP['a', 1, 'b', 2]");
    }
    out.Make("MAP {", token.offset);
    for (size_t k = 0; k < items.size(); k++) {
      if (k > 0) out.Make(k % 2 == 1 ? ": " : ", ", At(items[k].begin).offset);
      MR_RETURN_IF_ERROR(Range(items[k].begin, items[k].end, out));
    }
    out.Make("}", At(close).offset);
    i = close + 1;
    return true;
  }
  if (next.IsOperator("(") && !last) return Function(i, end, out);
  if (token.Is("CURRENT_TIMESTAMP") || token.Is("LOCALTIMESTAMP") || token.Is("CURRENT_DATE") ||
      token.Is("CURRENT_TIME") || token.Is("LOCALTIME")) {
    for (const FunctionRule* rule : FindFunctionRules(ToUpper(token.text))) {
      if (rule->arguments_min == 0) {
        out.Make(rule->result, token.offset);
        i++;
        return true;
      }
    }
  }
  if (NeedsQuotes(token)) {
    QuoteName(i++, out);
    return true;
  }
  return false;
}

namespace {

Result<Rewritten> Rewrite(const Fragment& fragment, const char* what) {
  Lexed lexed = Lex(fragment.text, fragment.span);
  MR_RETURN_IF_ERROR(lexed.status);
  if (lexed.tokens.size() == 1) {
    return Status(Code::kSyntax, std::string(what) + " is empty").At(fragment.span);
  }
  return QueryRewriter(fragment, lexed.tokens).Run();
}

}  // namespace

Result<Rewritten> RewriteQuery(const Fragment& query) { return Rewrite(query, "query"); }

Result<Rewritten> RewriteFunctionBody(const CreateFunction& function) {
  Lexed lexed = Lex(function.body.text, function.body.span);
  MR_RETURN_IF_ERROR(lexed.status);
  if (lexed.tokens.size() == 1) {
    return Status(Code::kSyntax, "the function's expression is empty").At(function.body.span);
  }
  return QueryRewriter(function.body, lexed.tokens).RunFunction(function);
}

Result<Rewritten> RewriteExpression(const Fragment& expression) {
  return Rewrite(expression, "expression");
}

}  // namespace millrace::sql
