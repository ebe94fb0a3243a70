#include <duckdb.hpp>

#include <map>
#include <set>

#include "base/strings.h"
#include "sql/date_pattern.h"
#include "sql/interval.h"
#include "sql/query_rewriter.h"

namespace millrace::sql {
namespace {

bool IsIntegral(const duckdb::LogicalType& type) {
  switch (type.id()) {
    case duckdb::LogicalTypeId::TINYINT:
    case duckdb::LogicalTypeId::SMALLINT:
    case duckdb::LogicalTypeId::INTEGER:
    case duckdb::LogicalTypeId::BIGINT:
      return true;
    default:
      return false;
  }
}

// Parsing takes one digit or two for %m; only formatting knows %-m.
std::string ForParsing(const std::string& strftime) {
  std::string result;
  for (size_t i = 0; i < strftime.size(); i++) {
    bool after_percent = i > 0 && strftime[i - 1] == '%' && (i < 2 || strftime[i - 2] != '%');
    if (strftime[i] == '-' && after_percent) continue;
    result += strftime[i];
  }
  return result;
}

// Java's "$1" and "\x" in a replacement text as RE2's "\1" and "\\".
std::string ConvertReplacement(const std::string& java) {
  std::string result;
  for (size_t i = 0; i < java.size(); i++) {
    bool more = i + 1 < java.size();
    if (java[i] == '$' && more && java[i + 1] >= '0' && java[i + 1] <= '9') {
      result += '\\';
    } else if (java[i] == '\\' && more) {
      i++;
      if (java[i] == '\\') result += '\\';
      result += java[i];
    } else if (java[i] == '\\') {
      result += "\\\\";
    } else {
      result += java[i];
    }
  }
  return result;
}

}  // namespace

std::vector<QueryRewriter::Argument> QueryRewriter::SplitArguments(size_t open,
                                                                   size_t close) const {
  std::vector<Argument> arguments;
  if (open + 1 == close) return arguments;
  int depth = 0;
  Argument current{open + 1, 0, ""};
  auto finish = [&](size_t end) {
    current.end = end;
    if (end > current.begin + 2 && At(current.begin).IsName() &&
        At(current.begin + 1).IsOperator("=>")) {
      current.name = ToUpper(At(current.begin).NameText());
      current.begin += 2;
    }
    arguments.push_back(current);
  };
  for (size_t i = open + 1; i < close; i++) {
    const Token& token = At(i);
    if (token.IsOperator("(") || token.IsOperator("[") || token.IsOperator("{")) depth++;
    if (token.IsOperator(")") || token.IsOperator("]") || token.IsOperator("}")) depth--;
    if (depth == 0 && token.IsOperator(",")) {
      finish(i);
      current = Argument{i + 1, 0, ""};
    }
  }
  finish(close);
  return arguments;
}

size_t QueryRewriter::FindWord(std::string_view word, size_t begin, size_t end) const {
  int depth = 0;
  for (size_t i = begin; i < end; i++) {
    const Token& token = At(i);
    if (token.IsOperator("(") || token.IsOperator("[") || token.IsOperator("{")) depth++;
    if (token.IsOperator(")") || token.IsOperator("]") || token.IsOperator("}")) depth--;
    if (depth == 0 && token.Is(word)) return i;
  }
  return end;
}

Status QueryRewriter::CheckCount(size_t i, const std::vector<Argument>& arguments, size_t low,
                                 size_t high) const {
  if (arguments.size() >= low && arguments.size() <= high) return Status::Ok();
  std::string takes = std::to_string(low);
  if (high != low) takes += " to " + std::to_string(high);
  return Status(Code::kBind, "function " + ToUpper(At(i).text) + " takes " + takes +
                                 (high == 1 ? " argument" : " arguments") + ", found " +
                                 std::to_string(arguments.size()))
      .At(SpanOf(i, i + 1));
}

Result<bool> QueryRewriter::Function(size_t& i, size_t end, Piece& out) {
  size_t close = cursor_.MatchingClose(i + 1);
  if (close >= end) return false;
  std::string name = ToUpper(At(i).text.substr(0, 64));
  auto done = [&](Status status) -> Result<bool> {
    if (!status.ok()) return status;
    i = close + 1;
    return true;
  };
  if (name == "CAST" || name == "TRY_CAST") return done(Cast(i, close, out));
  if (name == "OVERLAY") return done(Overlay(i, close, out));
  if (name == "JSON_VALUE" || name == "JSON_QUERY") return done(JsonValue(i, close, out));
  Result<bool> handled = false;
  if (name == "EXTRACT") {
    handled = Extract(i, close, out);
  } else if (name == "FLOOR" || name == "CEIL" || name == "CEILING") {
    handled = FloorOrCeil(i, close, out);
  } else {
    handled = Window(i, close, out);
  }
  if (!handled.ok()) return handled;
  if (*handled) return done(Status::Ok());

  std::vector<Argument> arguments;
  auto rules = FindFunctionRules(name);
  static const std::set<std::string, std::less<>> kOwn = {
      "CONCAT",  "TIMESTAMPADD",  "TIMESTAMPDIFF",  "REGEXP_REPLACE", "FIRST_VALUE", "LAST_VALUE",
      "TO_DATE", "DATE_FORMAT",   "TO_TIMESTAMP",   "FROM_UNIXTIME",  "UNIX_TIMESTAMP"};
  if (rules.empty() && !kOwn.contains(name)) return false;
  arguments = SplitArguments(i + 1, close);
  for (const Argument& argument : arguments) {
    if (argument.begin == argument.end) {
      return Wrong(i, close + 1, "an argument of " + name + " is missing", "");
    }
  }
  if (name == "CONCAT") return done(Concat(i, arguments, out));
  if (name == "TIMESTAMPADD") return done(TimestampAdd(i, arguments, out));
  if (name == "TIMESTAMPDIFF") return done(TimestampDiff(i, arguments, out));
  if (name == "REGEXP_REPLACE") return done(RegexpReplace(i, arguments, out));
  if (name == "FIRST_VALUE" || name == "LAST_VALUE") {
    handled = FirstOrLast(i, close, arguments, out);
  } else {
    handled = WithPattern(i, arguments, out);
    if (handled.ok() && !*handled) handled = ByRule(rules, i, arguments, out);
  }
  if (!handled.ok()) return handled;
  if (!*handled) return false;
  return done(Status::Ok());
}

Result<bool> QueryRewriter::ByRule(const std::vector<const FunctionRule*>& rules, size_t i,
                                   const std::vector<Argument>& arguments, Piece& out) {
  int count = static_cast<int>(arguments.size());
  int low = 1 << 20;
  int high = 0;
  for (const FunctionRule* rule : rules) {
    low = std::min(low, rule->arguments_min);
    high = std::max(high, rule->arguments_max);
    if (count < rule->arguments_min || count > rule->arguments_max) continue;
    if (rule->result.empty()) {
      return Unsupported(i, i + 1, "function " + std::string(rule->name),
                         std::string(rule->hint));
    }
    MR_RETURN_IF_ERROR(Expand(rule->result, i, arguments, out));
    return true;
  }
  if (rules.empty()) return false;
  return CheckCount(i, arguments, low, high);
}

Status QueryRewriter::Expand(std::string_view pattern, size_t i,
                             const std::vector<Argument>& arguments, Piece& out) {
  size_t at = At(i).offset;
  while (!pattern.empty()) {
    size_t dollar = pattern.find('$');
    out.Make(pattern.substr(0, dollar), at);
    if (dollar == std::string_view::npos) break;
    char which = pattern[dollar + 1];
    for (size_t k = 0; k < arguments.size(); k++) {
      bool wanted = which == '*' || static_cast<size_t>(which - '1') == k;
      if (!wanted) continue;
      if (which == '*' && k > 0) out.Make(", ", At(arguments[k].begin).offset);
      MR_RETURN_IF_ERROR(Range(arguments[k].begin, arguments[k].end, out));
    }
    pattern.remove_prefix(dollar + 2);
  }
  return Status::Ok();
}

Status QueryRewriter::Cast(size_t i, size_t close, Piece& out) {
  size_t as = FindWord("AS", i + 2, close);
  if (as == close || as == i + 2) {
    return Wrong(i, close + 1, "CAST lacks its type", "write CAST(value AS TYPE)");
  }
  cursor_.MoveTo(as + 1);
  MR_ASSIGN_OR_RETURN(SqlType type, ParseType(cursor_));
  if (cursor_.pos() != close) return cursor_.Unexpected("\")\" after the type");
  Piece value;
  MR_RETURN_IF_ERROR(Range(i + 2, as, value));
  return CastTo(At(i).Is("CAST") ? "CAST(" : "TRY_CAST(", type, i, value, out);
}

// Where the two systems differ: Flink cuts fractions where DuckDB rounds, and obeys CHAR(n).
Status QueryRewriter::CastTo(const char* cast, const SqlType& type, size_t i, const Piece& value,
                             Piece& out) {
  size_t at = At(i).offset;
  bool text = type.type.id() == duckdb::LogicalTypeId::VARCHAR && type.length > 0;
  bool integral = IsIntegral(type.type);
  if (text) out.Make(type.fixed_length ? "rpad(" : "left(", at);
  out.Make(cast, at);
  if (integral) out.Make("mr_cut(", at);
  out.Append(value);
  if (integral) out.Make(")", at);
  out.Make(" AS " + type.type.ToString() + ")", at);
  if (text) {
    out.Make(", " + std::to_string(type.length) + (type.fixed_length ? ", ' ')" : ")"), at);
  }
  return Status::Ok();
}

// NULL if any part is NULL, as || has it; DuckDB's concat leaves NULLs out.
Status QueryRewriter::Concat(size_t i, const std::vector<Argument>& arguments, Piece& out) {
  if (arguments.empty()) return CheckCount(i, arguments, 1, 1000);
  size_t at = At(i).offset;
  out.Make(arguments.size() == 1 ? "CAST(" : "(", at);
  for (size_t k = 0; k < arguments.size(); k++) {
    out.Make(k == 0 ? "(" : " || (", At(arguments[k].begin).offset);
    MR_RETURN_IF_ERROR(Range(arguments[k].begin, arguments[k].end, out));
    out.Make(")", at);
  }
  out.Make(arguments.size() == 1 ? " AS VARCHAR)" : ")", at);
  return Status::Ok();
}

Result<bool> QueryRewriter::FloorOrCeil(size_t i, size_t close, Piece& out) {
  size_t to = FindWord("TO", i + 2, close);
  if (to == close) return false;
  std::string unit = NormaliseUnit(At(to + 1).text);
  if (to == i + 2 || to + 2 != close || unit.empty()) {
    return Wrong(to, close, "expected a unit of time after \"TO\"", "write FLOOR(ts TO HOUR)");
  }
  if (unit == "WEEK") {
    return Unsupported(to + 1, close, "rounding to a WEEK",
                       "round to a DAY and subtract (DAYOFWEEK(ts) - 1) days");
  }
  size_t at = At(i).offset;
  bool floor = At(i).Is("FLOOR");
  out.Make(std::string(floor ? "date_trunc('" : "mr_ceil_time('") + ToLower(unit) + "', ", at);
  MR_RETURN_IF_ERROR(Range(i + 2, to, out));
  out.Make(floor ? ")" : ", INTERVAL '1' " + unit + ")", at);
  return true;
}

Result<bool> QueryRewriter::Extract(size_t i, size_t close, Piece& out) {
  size_t from = FindWord("FROM", i + 2, close);
  if (from != i + 3 || from + 1 >= close) {
    return Wrong(i, close + 1, "expected EXTRACT(unit FROM value)", "");
  }
  size_t at = At(i).offset;
  bool day_of_week = At(i + 2).Is("DOW");
  if (!day_of_week && !At(i + 2).Is("EPOCH")) return false;
  // Sunday is 1 in Flink, 0 in DuckDB; seconds since 1970 are whole.
  out.Make(day_of_week ? "(extract(dow FROM " : "mr_unix_timestamp(", at);
  MR_RETURN_IF_ERROR(Range(from + 1, close, out));
  out.Make(day_of_week ? ") + 1)" : ")", at);
  return true;
}

Status QueryRewriter::Overlay(size_t i, size_t close, Piece& out) {
  size_t placing = FindWord("PLACING", i + 2, close);
  size_t from = FindWord("FROM", placing, close);
  size_t count = FindWord("FOR", from, close);
  bool counted = count != close;
  if (placing == i + 2 || from >= close || from == placing + 1 || count == from + 1 ||
      (counted && count + 1 == close)) {
    return Wrong(i, close + 1, "expected OVERLAY(text PLACING other FROM start [FOR length])", "");
  }
  size_t at = At(i).offset;
  out.Make(counted ? "mr_overlay(" : "mr_overlay_whole(", at);
  MR_RETURN_IF_ERROR(Range(i + 2, placing, out));
  out.Make(", ", at);
  MR_RETURN_IF_ERROR(Range(placing + 1, from, out));
  out.Make(", ", at);
  MR_RETURN_IF_ERROR(Range(from + 1, count, out));
  if (counted) {
    out.Make(", ", at);
    MR_RETURN_IF_ERROR(Range(count + 1, close, out));
  }
  out.Make(")", at);
  return Status::Ok();
}

Result<std::string> QueryRewriter::UnitOf(const Argument& argument) const {
  std::string unit = NormaliseUnit(At(argument.begin).text);
  if (argument.end != argument.begin + 1 || unit.empty()) {
    return Wrong(argument.begin, argument.end, "expected a unit of time as the first argument",
                 "one of SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER, YEAR");
  }
  return unit;
}

Status QueryRewriter::TimestampAdd(size_t i, const std::vector<Argument>& arguments, Piece& out) {
  MR_RETURN_IF_ERROR(CheckCount(i, arguments, 3, 3));
  MR_ASSIGN_OR_RETURN(std::string unit, UnitOf(arguments[0]));
  bool calendar = unit == "DAY" || unit == "WEEK" || unit == "MONTH" || unit == "QUARTER" ||
                  unit == "YEAR";
  size_t at = At(i).offset;
  out.Make("((", at);
  MR_RETURN_IF_ERROR(Range(arguments[2].begin, arguments[2].end, out));
  out.Make(") + to_" + ToLower(unit) + "s(CAST(", at);
  MR_RETURN_IF_ERROR(Range(arguments[1].begin, arguments[1].end, out));
  out.Make(calendar ? " AS INTEGER)))" : " AS BIGINT)))", at);
  return Status::Ok();
}

// Whole units between the two, cut towards zero: DuckDB's date_sub, not its date_diff.
Status QueryRewriter::TimestampDiff(size_t i, const std::vector<Argument>& arguments, Piece& out) {
  MR_RETURN_IF_ERROR(CheckCount(i, arguments, 3, 3));
  MR_ASSIGN_OR_RETURN(std::string unit, UnitOf(arguments[0]));
  size_t at = At(i).offset;
  out.Make("CAST(date_sub('" + ToLower(unit) + "', ", at);
  MR_RETURN_IF_ERROR(Range(arguments[1].begin, arguments[1].end, out));
  out.Make(", ", at);
  MR_RETURN_IF_ERROR(Range(arguments[2].begin, arguments[2].end, out));
  out.Make(") AS INTEGER)", at);
  return Status::Ok();
}

Result<bool> QueryRewriter::WithPattern(size_t i, const std::vector<Argument>& arguments,
                                        Piece& out) {
  struct Form {
    const char* before;
    const char* between;
    const char* after;
    bool parses;
  };
  static const std::map<std::string, Form> forms = {
      {"DATE_FORMAT", {"strftime(CAST(", " AS TIMESTAMP), ", ")", false}},
      {"FROM_UNIXTIME", {"mr_from_unixtime(", ", ", ")", false}},
      {"TO_TIMESTAMP", {"try_strptime(", ", ", ")", true}},
      {"TO_DATE", {"CAST(try_strptime(", ", ", ") AS DATE)", true}},
      {"UNIX_TIMESTAMP", {"mr_unix_timestamp(try_strptime(", ", ", "))", true}}};
  auto form = forms.find(ToUpper(At(i).text));
  if (form == forms.end()) return false;
  if (form->first == "DATE_FORMAT") MR_RETURN_IF_ERROR(CheckCount(i, arguments, 2, 2));
  if (arguments.size() != 2) return false;
  const Argument& pattern = arguments[1];
  if (pattern.end != pattern.begin + 1 || At(pattern.begin).kind != TokenKind::kString) {
    return Unsupported(pattern.begin, pattern.end, "a date pattern that is not a literal",
                       "write the pattern as a string: 'yyyy-MM-dd HH:mm:ss'");
  }
  DatePattern converted = ConvertDatePattern(At(pattern.begin).value);
  if (!converted.fault.empty()) {
    return Unsupported(pattern.begin, pattern.end,
                       "date pattern " + At(pattern.begin).Describe() + ": " + converted.fault +
                           "; it",
                       "use yyyy MM dd HH mm ss SSS, with other letters in quotes");
  }
  size_t at = At(i).offset;
  out.Make(form->second.before, at);
  MR_RETURN_IF_ERROR(Range(arguments[0].begin, arguments[0].end, out));
  out.Make(form->second.between, at);
  out.Make(QuoteLiteral(form->second.parses ? ForParsing(converted.strftime) : converted.strftime),
           At(pattern.begin).offset);
  out.Make(form->second.after, at);
  return true;
}

Status QueryRewriter::RegexpReplace(size_t i, const std::vector<Argument>& arguments, Piece& out) {
  MR_RETURN_IF_ERROR(CheckCount(i, arguments, 3, 3));
  size_t at = At(i).offset;
  out.Make("regexp_replace(", at);
  for (size_t k = 0; k < 3; k++) {
    const Argument& argument = arguments[k];
    const Token& first = At(argument.begin);
    if (k == 2 && argument.end == argument.begin + 1 && first.kind == TokenKind::kString) {
      out.Make(QuoteLiteral(ConvertReplacement(first.value)), first.offset);
    } else {
      MR_RETURN_IF_ERROR(Range(argument.begin, argument.end, out));
    }
    out.Make(", ", at);
  }
  out.Make("'g')", at);
  return Status::Ok();
}

Status QueryRewriter::JsonValue(size_t i, size_t close, Piece& out) {
  std::vector<Argument> arguments = SplitArguments(i + 1, close);
  MR_RETURN_IF_ERROR(CheckCount(i, arguments, 2, 2));
  const Argument& value = arguments[0];
  Argument path = arguments[1];
  if (value.begin == value.end || At(path.begin).kind != TokenKind::kString) {
    return Wrong(path.begin, path.end, "the path must be a string literal",
                 "write JSON_VALUE(text, '$.field')");
  }
  std::string text = At(path.begin).value;
  if (text.starts_with("lax ")) text = text.substr(4);
  if (!text.starts_with("$")) {
    return Unsupported(path.begin, path.begin + 1, "JSON path " + At(path.begin).Describe(),
                       "write a path like '$.field' or '$.list[0]'");
  }
  cursor_.MoveTo(path.begin + 1);
  std::optional<SqlType> returning;
  if (At(i).Is("JSON_VALUE") && cursor_.AcceptWord("RETURNING")) {
    MR_ASSIGN_OR_RETURN(returning, ParseType(cursor_));
  }
  while (cursor_.AcceptWords({"NULL", "ON", "EMPTY"}) ||
         cursor_.AcceptWords({"NULL", "ON", "ERROR"})) {
  }
  if (cursor_.pos() != close) {
    return Unsupported(cursor_.pos(), close, "this clause of " + ToUpper(At(i).text),
                       "a missing or faulty value is NULL; use COALESCE for another one");
  }
  size_t at = At(i).offset;
  Piece call;
  call.Make(At(i).Is("JSON_VALUE") ? "mr_json_value(" : "mr_json_query(", at);
  MR_RETURN_IF_ERROR(Range(value.begin, value.end, call));
  call.Make(", ", at);
  call.Make(QuoteLiteral(text), At(path.begin).offset);
  call.Make(")", at);
  if (returning) return CastTo("TRY_CAST(", *returning, i, call, out);
  out.Append(call);
  return Status::Ok();
}

// As aggregates both leave NULLs out; before OVER they are the standard's window functions.
Result<bool> QueryRewriter::FirstOrLast(size_t i, size_t close,
                                        const std::vector<Argument>& arguments, Piece& out) {
  for (std::string_view word : {"OVER", "FILTER", "IGNORE", "RESPECT"}) {
    if (At(close + 1).Is(word)) return false;
  }
  MR_RETURN_IF_ERROR(CheckCount(i, arguments, 1, 1));
  size_t at = At(i).offset;
  Piece value;
  MR_RETURN_IF_ERROR(Range(arguments[0].begin, arguments[0].end, value));
  if (At(i).Is("FIRST_VALUE")) {
    out.Make("any_value(", at);
    out.Append(value);
    out.Make(")", at);
    return true;
  }
  // Repeated below, so nothing that could itself hold such a repetition.
  for (size_t k = arguments[0].begin; k < arguments[0].end; k++) {
    if (!At(k).IsOperator("(")) continue;
    return Unsupported(i, close + 1, "LAST_VALUE of an expression with calls",
                       "compute it in a subquery or view first: LAST_VALUE(column)");
  }
  out.Make("last(", at);
  out.Append(value);
  out.Make(") FILTER (WHERE (", at);
  out.Append(value);
  out.Make(") IS NOT NULL)", at);
  return true;
}

}  // namespace millrace::sql
