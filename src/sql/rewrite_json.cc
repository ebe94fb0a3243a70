// The JSON functions, whose calls have a grammar of their own.
#include <duckdb.hpp>

#include "base/strings.h"
#include "sql/query_rewriter.h"

namespace millrace::sql {
namespace {

struct JsonPath {
  std::string path;  // DuckDB's
  bool strict = false;
  bool many = false;  // has a [*]
};

bool IsNameByte(char c) {
  return isalnum(static_cast<unsigned char>(c)) || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Flink's path: [lax|strict] $ then .name, .['name'], ["name"], [0], [*]. Nothing: some other path.
std::optional<JsonPath> ConvertPath(std::string_view text) {
  JsonPath result;
  if (text.starts_with("strict ")) result.strict = true;
  if (result.strict || text.starts_with("lax ")) text = Trim(text.substr(text.find(' ')));
  if (!text.starts_with("$")) return std::nullopt;
  result.path = "$";
  for (size_t i = 1; i < text.size();) {
    if (text[i] == '.' && i + 1 < text.size() && text[i + 1] == '[') i++;
    size_t end = i + 1;
    if (text[i] == '.') {
      while (end < text.size() && (IsNameByte(text[end]) || text[end] == '-' || text[end] == ' ')) {
        end++;
      }
      if (end == i + 1) return std::nullopt;
      result.path.append(".\"").append(text.substr(i + 1, end - i - 1)).append("\"");
      i = end;
      continue;
    }
    if (text[i] != '[' || end >= text.size()) return std::nullopt;
    char quote = text[end];
    if (quote == '\'' || quote == '"') {
      size_t close = text.find(quote, end + 1);
      if (close == std::string_view::npos || text.substr(close + 1, 1) != "]") return std::nullopt;
      std::string_view name = text.substr(end + 1, close - end - 1);
      if (name.find_first_of("\"\\") != std::string_view::npos) return std::nullopt;
      result.path.append(".\"").append(name).append("\"");
      i = close + 2;
      continue;
    }
    size_t close = text.find(']', end);
    if (close == std::string_view::npos) return std::nullopt;
    std::string_view index = Trim(text.substr(end, close - end));
    result.many |= index == "*";
    if (index != "*" && index.find_first_not_of("0123456789") != std::string_view::npos) {
      return std::nullopt;
    }
    if (index.empty()) return std::nullopt;
    result.path.append("[").append(index).append("]");
    i = close + 1;
  }
  return result;
}

}  // namespace

Result<bool> QueryRewriter::Json(size_t i, size_t close, Piece& out) {
  const Token& name = At(i);
  if (name.Is("JSON_OBJECT") || name.Is("JSON_ARRAY")) {
    MR_RETURN_IF_ERROR(JsonConstructor(i, close, out));
  } else if (name.Is("JSON_OBJECTAGG") || name.Is("JSON_ARRAYAGG")) {
    MR_RETURN_IF_ERROR(JsonAggregate(i, close, out));
  } else if (name.Is("JSON_VALUE") || name.Is("JSON_QUERY") || name.Is("JSON_EXISTS")) {
    MR_RETURN_IF_ERROR(JsonAtPath(i, close, out));
  } else {
    return false;
  }
  return true;
}

// {NULL | ABSENT} ON NULL at the end of [begin, close): where it begins, and whether NULLs go.
QueryRewriter::OnNull QueryRewriter::TakeOnNull(size_t begin, size_t close, bool absent) const {
  bool there = close >= begin + 3 && At(close - 1).Is("NULL") && At(close - 2).Is("ON") &&
               (At(close - 3).Is("NULL") || At(close - 3).Is("ABSENT"));
  if (!there) return {close, absent};
  return {close - 3, At(close - 3).Is("ABSENT")};
}

// A value inside JSON: what makes JSON itself goes in as it is, everything else through to_json.
Status QueryRewriter::JsonItem(size_t begin, size_t end, Piece& out) {
  size_t at = At(begin).offset;
  bool nested =
      (At(begin).Is("JSON_OBJECT") || At(begin).Is("JSON_ARRAY") || At(begin).Is("JSON")) &&
      At(begin + 1).IsOperator("(") && cursor_.MatchingClose(begin + 1) + 1 == end;
  if (!nested) out.Make("CAST(to_json(", at);
  MR_RETURN_IF_ERROR(Range(begin, end, out));
  if (!nested) out.Make(") AS VARCHAR)", at);
  return Status::Ok();
}

Status QueryRewriter::JsonConstructor(size_t i, size_t close, Piece& out) {
  bool object = At(i).Is("JSON_OBJECT");
  auto [end, absent] = TakeOnNull(i + 2, close, !object);
  size_t at = At(i).offset;
  out.Make(object ? "mr_json_object(" : "mr_json_array(", at);
  out.Make(absent ? "true" : "false", at);
  std::vector<Argument> items;
  if (end > i + 2) items = SplitArguments(i + 1, end);
  for (const Argument& item : items) {
    size_t begin = item.begin;
    if (begin == item.end) return Wrong(begin, begin + 1, "a value is missing", "");
    out.Make(", ", At(begin).offset);
    if (object) MR_RETURN_IF_ERROR(JsonKey(begin, item.end, out));
    MR_RETURN_IF_ERROR(JsonItem(begin, item.end, out));
  }
  out.Make(")", at);
  return Status::Ok();
}

// [KEY] key VALUE: writes the key, and moves `begin` to the value.
Status QueryRewriter::JsonKey(size_t& begin, size_t end, Piece& out) {
  if (At(begin).Is("KEY") && !At(begin + 1).Is("VALUE")) begin++;
  size_t value = FindWord("VALUE", begin, end);
  if (value == begin || value + 1 >= end) {
    return Wrong(begin, end, "expected a key, VALUE and a value", "write 'name' VALUE expression");
  }
  size_t at = At(begin).offset;
  out.Make("CAST(to_json(CAST(", at);
  MR_RETURN_IF_ERROR(Range(begin, value, out));
  out.Make(" AS VARCHAR)) AS VARCHAR), ", at);
  begin = value + 1;
  return Status::Ok();
}

Status QueryRewriter::JsonAggregate(size_t i, size_t close, Piece& out) {
  bool object = At(i).Is("JSON_OBJECTAGG");
  auto [end, absent] = TakeOnNull(i + 2, close, !object);
  size_t begin = i + 2;
  size_t at = At(i).offset;
  if (begin >= end) return CheckCount(i, {}, 1, 1);
  if (!object) {
    out.Make("mr_json_arrayagg(", at);
  } else {
    out.Make("mr_json_objectagg(", at);
    if (At(begin).Is("KEY") && !At(begin + 1).Is("VALUE")) begin++;
    size_t value = FindWord("VALUE", begin, end);
    if (value == begin || value + 1 >= end) {
      return Wrong(i, close + 1, "expected JSON_OBJECTAGG(KEY key VALUE value)", "");
    }
    out.Make("CAST(", at);
    MR_RETURN_IF_ERROR(Range(begin, value, out));
    out.Make(" AS VARCHAR), ", at);
    begin = value + 1;
  }
  MR_RETURN_IF_ERROR(Range(begin, end, out));
  out.Make(absent ? ", true)" : ", false)", at);
  return Status::Ok();
}

// One of NULL, TRUE, FALSE, UNKNOWN, EMPTY ARRAY, EMPTY OBJECT, DEFAULT value, before ON EMPTY or
// ON ERROR.
Status QueryRewriter::JsonFallback(size_t i, size_t close, Piece& empty, Piece& wrong) {
  size_t begin = cursor_.pos();
  size_t on = FindWord("ON", begin, close);
  bool for_empty = At(on + 1).Is("EMPTY");
  if (on >= close || (!for_empty && !At(on + 1).Is("ERROR"))) {
    return Unsupported(begin, close, "this clause of " + ToUpper(At(i).text),
                       "there is … NULL or DEFAULT value ON EMPTY, … ON ERROR");
  }
  size_t at = At(begin).offset;
  Piece value;
  if (At(begin).Is("ERROR")) {
    return Unsupported(begin, on + 2, "an ERROR that stops the job",
                       "leave it out (the value is NULL), and CHECK it in the table");
  }
  if (At(begin).Is("DEFAULT")) {
    value.Make("CAST((", at);
    MR_RETURN_IF_ERROR(Range(begin + 1, on, value));
    value.Make(") AS VARCHAR)", at);
  } else if (At(begin).Is("EMPTY")) {
    value.Make(At(begin + 1).Is("OBJECT") ? "'{}'" : "'[]'", at);
  } else if (At(begin).Is("TRUE") || At(begin).Is("FALSE")) {
    value.Make(ToLower(At(begin).text), at);
  } else {
    value.Make("NULL", at);
  }
  (for_empty ? empty : wrong) = value;
  cursor_.MoveTo(on + 2);
  return Status::Ok();
}

Status QueryRewriter::JsonAtPath(size_t i, size_t close, Piece& out) {
  std::vector<Argument> arguments = SplitArguments(i + 1, close);
  MR_RETURN_IF_ERROR(CheckCount(i, arguments, 2, 2));
  const Argument& value = arguments[0];
  size_t begin = arguments[1].begin;
  if (value.begin == value.end || At(begin).kind != TokenKind::kString) {
    return Wrong(begin, arguments[1].end, "the path must be a string literal",
                 "write JSON_VALUE(text, '$.field')");
  }
  std::optional<JsonPath> path = ConvertPath(At(begin).value);
  if (!path) {
    return Unsupported(begin, begin + 1, "JSON path " + At(begin).Describe(),
                       "write a path like '$.field', '$[''a field'']' or '$.list[0]'");
  }
  bool query = At(i).Is("JSON_QUERY");
  bool exists = At(i).Is("JSON_EXISTS");
  size_t at = At(i).offset;
  cursor_.MoveTo(begin + 1);
  std::optional<SqlType> returning;
  if (!exists && cursor_.AcceptWord("RETURNING")) {
    MR_ASSIGN_OR_RETURN(returning, ParseType(cursor_));
  }
  int wrap = 0;
  if (query && cursor_.AcceptWord("WITHOUT")) {
    cursor_.AcceptWord("ARRAY");
    MR_RETURN_IF_ERROR(cursor_.ExpectWord("WRAPPER", "after WITHOUT"));
  } else if (query && cursor_.AcceptWord("WITH")) {
    wrap = cursor_.AcceptWord("CONDITIONAL") ? 1 : 2;
    if (wrap == 2) cursor_.AcceptWord("UNCONDITIONAL");
    cursor_.AcceptWord("ARRAY");
    MR_RETURN_IF_ERROR(cursor_.ExpectWord("WRAPPER", "after WITH"));
  }
  Piece empty;
  Piece wrong;
  empty.Make("NULL", at);
  wrong.Make(exists ? "false" : "NULL", at);
  while (cursor_.pos() < close) MR_RETURN_IF_ERROR(JsonFallback(i, close, empty, wrong));

  Piece call;
  bool scalar = !query && !exists;
  call.Make(scalar ? "mr_json_value(" : query ? "mr_json_query" : "mr_json_exists", at);
  if (!scalar) call.Make(path->many ? "_all(" : "(", at);
  MR_RETURN_IF_ERROR(Range(value.begin, value.end, call));
  if (scalar && path->many) {  // never a scalar
    call = Piece();
    call.Make("CASE WHEN (", at);
    MR_RETURN_IF_ERROR(Range(value.begin, value.end, call));
    call.Make(") IS NOT NULL THEN ", at);
    call.Append(wrong);
    call.Make(" END", at);
  } else {
    call.Make(", " + QuoteLiteral(path->path), At(begin).offset);
    call.Make(path->strict ? ", true" : ", false", at);
    if (query) call.Make(", " + std::to_string(wrap), at);
    if (!exists) {
      call.Make(", ", at);
      call.Append(empty);
    }
    call.Make(", ", at);
    call.Append(wrong);
    call.Make(")", at);
  }
  if (returning) return CastTo("TRY_CAST(", *returning, i, call, out);
  out.Append(call);
  return Status::Ok();
}

// … IS [NOT] JSON [kind]: an operator of our own takes its place (flink_operators.cc), since what
// stands before it was written already.
bool QueryRewriter::IsJson(size_t& i, Piece& out) const {
  size_t next = i + 1;
  bool negated = At(next).Is("NOT");
  if (negated) next++;
  if (!At(next).Is("JSON")) return false;
  std::string kind = "VALUE";
  next++;
  for (std::string_view word : {"VALUE", "SCALAR", "ARRAY", "OBJECT"}) {
    if (!At(next).Is(word)) continue;
    kind = word;
    next++;
    break;
  }
  out.Make("GLOB '" + std::string(negated ? "NOT " : "") + kind + "'", At(i).offset);
  i = next;
  return true;
}

}  // namespace millrace::sql
