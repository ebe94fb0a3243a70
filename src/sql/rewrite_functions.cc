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
  Result<bool> handled = Json(i, close, out);
  if (!handled.ok()) return handled;
  if (*handled) return done(Status::Ok());
  if (name == "EXTRACT") {
    handled = Extract(i, close, out);
  } else if (name == "SUBSTRING") {
    handled = SubstringFrom(i, close, out);
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
      "CONCAT",  "TIMESTAMPADD", "TIMESTAMPDIFF", "FIRST_VALUE",   "LAST_VALUE",
      "TO_DATE", "DATE_FORMAT",  "TO_TIMESTAMP",  "FROM_UNIXTIME", "UNIX_TIMESTAMP"};
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
      return Unsupported(i, i + 1, "function " + std::string(rule->name), std::string(rule->hint));
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
      bool wanted =
          which == '*' || (which == '+' && k > 0) || static_cast<size_t>(which - '1') == k;
      if (!wanted) continue;
      if ((which == '*' && k > 0) || (which == '+' && k > 1))
        out.Make(", ", At(arguments[k].begin).offset);
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
  bool is_text = type.type.id() == duckdb::LogicalTypeId::VARCHAR;
  bool is_bytes = type.type.id() == duckdb::LogicalTypeId::BLOB;
  bool bounded = (is_text || is_bytes) && type.length > 0;
  bool is_instant = type.type.id() == duckdb::LogicalTypeId::TIMESTAMP_TZ;
  bool integral = IsIntegral(type.type);
  if (bounded && is_bytes) out.Make(type.fixed_length ? "mr_fill_bytes(" : "mr_cut_bytes(", at);
  if (bounded && is_text) out.Make(type.fixed_length ? "rpad(" : "left(", at);
  out.Make(cast, at);
  if (integral) out.Make("mr_cut(", at);
  if (is_text) out.Make("mr_text(", at);
  if (is_bytes) out.Make("mr_bytes(", at);
  bool tries = std::string_view(cast).starts_with("TRY_");
  bool is_time = type.type.id() == duckdb::LogicalTypeId::TIME;
  if (is_time) out.Make("mr_local(", at);
  if (is_instant) out.Make(tries ? "mr_try_instant(" : "mr_instant(", at);
  out.Append(value);
  if (integral || is_text || is_bytes || is_instant || is_time) out.Make(")", at);
  out.Make(" AS " + type.type.ToString() + ")", at);
  if (bounded) {
    bool padded = is_text && type.fixed_length;
    out.Make(", " + std::to_string(type.length) + (padded ? ", ' ')" : ")"), at);
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
  size_t at = At(i).offset;
  bool floor = At(i).Is("FLOOR");
  out.Make(std::string(floor ? "mr_floor_time('" : "mr_ceil_time('") + ToLower(unit) + "', ", at);
  MR_RETURN_IF_ERROR(Range(i + 2, to, out));
  bool quarter = unit == "QUARTER";
  out.Make(floor ? ")" : ", INTERVAL " + (quarter ? "3 MONTH)" : "1 " + unit + ")"), at);
  return true;
}

// SUBSTRING(text FROM start [FOR length]); false: with commas.
Result<bool> QueryRewriter::SubstringFrom(size_t i, size_t close, Piece& out) {
  size_t from = FindWord("FROM", i + 2, close);
  if (from == close) return false;
  size_t count = FindWord("FOR", from, close);
  bool counted = count != close;
  if (from == i + 2 || count == from + 1 || (counted && count + 1 == close)) {
    return Wrong(i, close + 1, "expected SUBSTRING(text FROM start [FOR length])", "");
  }
  size_t at = At(i).offset;
  out.Make(counted ? "mr_substring(" : "mr_substring_from(", at);
  MR_RETURN_IF_ERROR(Range(i + 2, from, out));
  out.Make(", ", at);
  MR_RETURN_IF_ERROR(Range(from + 1, count, out));
  if (counted) {
    out.Make(", ", at);
    MR_RETURN_IF_ERROR(Range(count + 1, close, out));
  }
  out.Make(")", at);
  return true;
}

Result<bool> QueryRewriter::Extract(size_t i, size_t close, Piece& out) {
  size_t from = FindWord("FROM", i + 2, close);
  if (from != i + 3 || from + 1 >= close) {
    return Wrong(i, close + 1, "expected EXTRACT(unit FROM value)", "");
  }
  size_t at = At(i).offset;
  struct Unit {
    const char* name;
    const char* before;
    const char* after;
  };
  // Sunday is 1 in Flink, 0 in DuckDB; seconds since 1970 are whole; parts of a second leave the
  // seconds out.
  static constexpr Unit kUnits[] = {{"DOW", "(extract(dow FROM ", ") + 1)"},
                                    {"EPOCH", "mr_unix_timestamp(", ")"},
                                    {"MILLISECOND", "(extract(milliseconds FROM ", ") % 1000)"},
                                    {"MICROSECOND", "(extract(microseconds FROM ", ") % 1000000)"}};
  for (const Unit& unit : kUnits) {
    if (!At(i + 2).Is(unit.name)) continue;
    out.Make(unit.before, at);
    MR_RETURN_IF_ERROR(Range(from + 1, close, out));
    out.Make(unit.after, at);
    return true;
  }
  return false;
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
  bool calendar =
      unit == "DAY" || unit == "WEEK" || unit == "MONTH" || unit == "QUARTER" || unit == "YEAR";
  size_t at = At(i).offset;
  out.Make(calendar ? "mr_add_time((" : "((", at);
  MR_RETURN_IF_ERROR(Range(arguments[2].begin, arguments[2].end, out));
  out.Make(std::string(calendar ? "), to_" : ") + to_") + ToLower(unit) + "s(CAST(", at);
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
      {"DATE_FORMAT", {"strftime(TRY_CAST(", " AS TIMESTAMP), ", ")", false}},
      {"FROM_UNIXTIME", {"mr_from_unixtime(", ", ", ")", false}},
      {"TO_TIMESTAMP", {"try_strptime(", ", ", ")", true}},
      {"TO_DATE", {"CAST(try_strptime(", ", ", ") AS DATE)", true}},
      {"UNIX_TIMESTAMP", {"mr_unix_timestamp_by(", ", ", ")", true}},
      {"TO_TIMESTAMP_LTZ", {"mr_to_timestamp_in(", ", ", "", true}}};
  auto form = forms.find(ToUpper(At(i).text));
  if (form == forms.end()) return false;
  if (form->first == "DATE_FORMAT") MR_RETURN_IF_ERROR(CheckCount(i, arguments, 2, 2));
  bool zoned = form->first == "TO_TIMESTAMP_LTZ";
  if (arguments.size() != 2 && !(zoned && arguments.size() == 3)) return false;
  const Argument& pattern = arguments[1];
  if (zoned && At(pattern.begin).kind != TokenKind::kString) return false;  // a precision
  if (pattern.end != pattern.begin + 1 || At(pattern.begin).kind != TokenKind::kString) {
    return Unsupported(pattern.begin, pattern.end, "a date pattern that is not a literal",
                       "write the pattern as a string: 'yyyy-MM-dd HH:mm:ss'");
  }
  DatePattern converted = ConvertDatePattern(At(pattern.begin).value);
  if (!converted.fault.empty()) {
    return Unsupported(
        pattern.begin, pattern.end,
        "date pattern " + At(pattern.begin).Describe() + ": " + converted.fault + "; it",
        "use yyyy MM dd HH mm ss SSS, with other letters in quotes");
  }
  size_t at = At(i).offset;
  out.Make(form->second.before, at);
  MR_RETURN_IF_ERROR(Range(arguments[0].begin, arguments[0].end, out));
  out.Make(form->second.between, at);
  out.Make(QuoteLiteral(form->second.parses ? ForParsing(converted.strftime) : converted.strftime),
           At(pattern.begin).offset);
  out.Make(form->second.after, at);
  if (!zoned) return true;
  out.Make(", ", at);
  if (arguments.size() == 2) out.Make("'UTC'", at);
  if (arguments.size() == 3) {
    MR_RETURN_IF_ERROR(Range(arguments[2].begin, arguments[2].end, out));
  }
  out.Make(")", at);
  return true;
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
