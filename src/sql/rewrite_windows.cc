#include <duckdb.hpp>

#include "base/strings.h"
#include "base/units.h"
#include "sql/interval.h"
#include "sql/query_rewriter.h"

namespace millrace::sql {
namespace {

constexpr int64_t kMillisecond = 1000;

// Arguments of a window table function, in Flink's order.
struct WindowShape {
  std::string_view name;
  std::vector<std::string> parameters;  // the last one, OFFSET, may be left out
  const char* example;
};

const std::vector<WindowShape>& Shapes() {
  static const std::vector<WindowShape> shapes = {
      {"TUMBLE",
       {"DATA", "TIMECOL", "SIZE", "OFFSET"},
       "TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"},
      {"HOP",
       {"DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"},
       "HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)"},
      {"CUMULATE",
       {"DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"},
       "CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '1' HOUR)"},
      {"SESSION",
       {"DATA", "TIMECOL", "GAP"},
       "SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1' MINUTE)"},
  };
  return shapes;
}

const WindowShape* FindShape(const Token& name) {
  for (const WindowShape& shape : Shapes()) {
    if (name.Is(shape.name)) return &shape;
  }
  return nullptr;
}

bool IsGroupWindowFunction(const Token& name) {
  std::string upper = ToUpper(name.text.substr(0, 20));
  for (std::string_view window : {"TUMBLE", "HOP", "SESSION"}) {
    if (!upper.starts_with(window)) continue;
    std::string rest = upper.substr(window.size());
    return rest.empty() || rest == "_START" || rest == "_END" || rest == "_ROWTIME" ||
           rest == "_PROCTIME";
  }
  return false;
}

}  // namespace

Result<bool> QueryRewriter::Window(size_t i, size_t close, Piece& out) {
  const Token& name = At(i);
  if (name.kind != TokenKind::kWord) return false;
  if (!FindShape(name) && !IsGroupWindowFunction(name)) return false;
  std::vector<Argument> arguments = SplitArguments(i + 1, close);
  bool is_table = false;
  for (const Argument& argument : arguments) {
    is_table |= !argument.name.empty() || At(argument.begin).Is("TABLE") ||
                At(argument.begin).Is("DESCRIPTOR");
  }
  // After FROM, JOIN or TABLE( it is meant as a table, however wrong its arguments are.
  if (i > 0) is_table |= At(i - 1).Is("FROM") || At(i - 1).Is("JOIN");
  if (i > 1) is_table |= At(i - 1).IsOperator("(") && At(i - 2).Is("TABLE");
  if (is_table) {
    MR_RETURN_IF_ERROR(WindowTable(i, close, arguments, out));
    return true;
  }
  if (!IsGroupWindowFunction(name)) return false;
  MR_RETURN_IF_ERROR(GroupWindow(i, arguments, out));
  return true;
}

Status QueryRewriter::WindowTable(size_t i, size_t close, std::vector<Argument> arguments,
                                  Piece& out) {
  const Token& name = At(i);
  const WindowShape* shape = FindShape(name);
  if (!shape) {
    return Unsupported(i, i + 1, "window " + name.Describe(),
                       "use TUMBLE, HOP, CUMULATE or SESSION: " + std::string(Shapes()[0].example));
  }
  const bool session = shape->name == "SESSION";
  Argument keys;
  if (session) keys = TakePartitionBy(arguments);
  const std::vector<std::string>& parameters = shape->parameters;
  std::vector<const Argument*> bound(parameters.size(), nullptr);
  for (size_t k = 0; k < arguments.size(); k++) {
    size_t slot = k;
    if (!arguments[k].name.empty()) {
      slot = std::find(parameters.begin(), parameters.end(), arguments[k].name) -
             parameters.begin();
      if (slot == parameters.size()) {
        return Wrong(arguments[k].begin, arguments[k].end,
                     std::string(shape->name) + " has no argument \"" + arguments[k].name + "\"",
                     DidYouMean(arguments[k].name, parameters));
      }
    } else if (slot >= parameters.size()) {
      return Wrong(arguments[k].begin, arguments[k].end,
                   std::string(shape->name) + " has too many arguments",
                   std::string("write ") + shape->example);
    }
    if (bound[slot]) {
      return Wrong(arguments[k].begin, arguments[k].end,
                   "argument \"" + parameters[slot] + "\" is given twice", "");
    }
    bound[slot] = &arguments[k];
  }
  for (size_t k = 0; k < parameters.size(); k++) {
    if (bound[k] || parameters[k] == "OFFSET") continue;
    return Wrong(i, close + 1,
                 std::string(shape->name) + " lacks the argument \"" + parameters[k] + "\"",
                 std::string("write ") + shape->example);
  }

  Piece input;
  MR_RETURN_IF_ERROR(WindowInput(*bound[0], input));
  Piece column;
  MR_RETURN_IF_ERROR(WindowColumn(*bound[1], column));
  if (session) {
    MR_ASSIGN_OR_RETURN(int64_t gap, WindowMicros(*bound[2], "session gap", true));
    return SessionTable(i, input, column, gap, keys, out);
  }
  bool tumble = shape->name == "TUMBLE";
  size_t size_slot = tumble ? 2 : 3;
  MR_ASSIGN_OR_RETURN(int64_t size, WindowMicros(*bound[size_slot], "window size", true));
  int64_t step = size;
  if (!tumble) {
    std::string what = ToLower(parameters[2]);
    MR_ASSIGN_OR_RETURN(step, WindowMicros(*bound[2], "window " + what, true));
    if (size % step != 0) {
      return Wrong(bound[2]->begin, bound[2]->end,
                   "the " + what + " of a " + std::string(shape->name) +
                       " window must divide its size: " + FormatDurationMicros(size) +
                       " is no multiple of " + FormatDurationMicros(step),
                   size < step ? "the order is " + what + ", then size" : "");
    }
  }
  int64_t offset = 0;
  if (const Argument* given = bound.back()) {
    MR_ASSIGN_OR_RETURN(offset, WindowMicros(*given, "window offset", false));
    if (std::abs(offset) >= step) {
      return Wrong(given->begin, given->end, "the window offset must be smaller than " +
                                                 FormatDurationMicros(step), "");
    }
  }

  size_t at = At(i).offset;
  std::string size_text = std::to_string(size);
  std::string offset_text = std::to_string(offset);
  auto call = [&](const char* function, const std::string& numbers) {
    out.Make(std::string(function) + "(", at);
    out.Append(column);
    out.Make(", " + numbers + ")", at);
  };
  if (tumble) {
    std::string numbers = size_text + ", " + offset_text;
    out.Make("(SELECT *, ", at);
    call("mr_window_start", numbers);
    out.Make(" AS window_start, ", at);
    call("mr_window_end", numbers);
    out.Make(" AS window_end, ", at);
    call("mr_window_time", numbers);
    out.Make(" AS window_time FROM ", at);
    out.Append(input);
    out.Make(")", at);
  } else if (shape->name == "HOP") {
    out.Make("(SELECT *, mr_window_plus(window_start, " + size_text +
                 ") AS window_end, mr_window_plus(window_start, " +
                 std::to_string(size - kMillisecond) +
                 ") AS window_time FROM (SELECT *, unnest(", at);
    call("mr_hop_starts", std::to_string(step) + ", " + size_text + ", " + offset_text);
    out.Make(") AS window_start FROM ", at);
    out.Append(input);
    out.Make("))", at);
  } else {
    out.Make("(SELECT *, mr_window_plus(window_end, -1000) AS window_time FROM (SELECT *, ", at);
    call("mr_window_start", size_text + ", " + offset_text);
    out.Make(" AS window_start, unnest(", at);
    call("mr_cumulate_ends", std::to_string(step) + ", " + size_text + ", " + offset_text);
    out.Make(") AS window_end FROM ", at);
    out.Append(input);
    out.Make("))", at);
  }
  return Status::Ok();
}

// Takes "PARTITION BY a, b" off the end of the first argument; its commas split it into several.
QueryRewriter::Argument QueryRewriter::TakePartitionBy(std::vector<Argument>& arguments) const {
  Argument keys;
  if (arguments.empty()) return keys;
  Argument& data = arguments.front();
  size_t at = FindWord("PARTITION", data.begin, data.end);
  if (at == data.end || !At(at + 1).Is("BY")) return keys;
  keys.begin = at + 2;
  keys.end = data.end;
  data.end = at;
  while (arguments.size() > 1 && arguments[1].name.empty() && arguments[1].begin < arguments[1].end &&
         At(arguments[1].begin).IsName() && !At(arguments[1].begin).Is("DESCRIPTOR")) {
    keys.end = arguments[1].end;
    arguments.erase(arguments.begin() + 1);
  }
  // PARTITION BY (a, b)
  if (At(keys.begin).IsOperator("(") && cursor_.MatchingClose(keys.begin) + 1 == keys.end) {
    keys.begin++;
    keys.end--;
  }
  return keys;
}

// A session's bounds are known only to the aggregation above: mr_session_… names what it needs.
Status QueryRewriter::SessionTable(size_t i, const Piece& input, const Piece& column, int64_t gap,
                                   const Argument& keys, Piece& out) {
  size_t at = At(i).offset;
  Piece key_list;
  if (keys.begin < keys.end) {
    key_list.Make(", ", At(keys.begin).offset);
    MR_RETURN_IF_ERROR(Range(keys.begin, keys.end, key_list));
  }
  auto call = [&](const char* function) {
    out.Make(std::string(function) + "(", at);
    out.Append(column);
    out.Make(", " + std::to_string(gap), at);
    out.Append(key_list);
    out.Make(")", at);
  };
  out.Make("(SELECT *, ", at);
  call("mr_session_start");
  out.Make(" AS window_start, ", at);
  call("mr_session_end");
  out.Make(" AS window_end, mr_window_plus(", at);
  call("mr_session_end");
  out.Make(", -1000) AS window_time FROM ", at);
  out.Append(input);
  out.Make(")", at);
  return Status::Ok();
}

Status QueryRewriter::WindowInput(const Argument& argument, Piece& out) {
  size_t begin = argument.begin;
  bool table = At(begin).Is("TABLE") && begin + 1 < argument.end;
  if (table) begin++;
  if (At(begin).IsOperator("(") && cursor_.MatchingClose(begin) + 1 == argument.end) {
    return Range(begin, argument.end, out);
  }
  bool name = table && (argument.end - begin) % 2 == 1;
  for (size_t k = begin; name && k < argument.end; k++) {
    name = (k - begin) % 2 == 0 ? At(k).IsName() : At(k).IsOperator(".");
  }
  if (!name) {
    return Wrong(argument.begin, argument.end, "the first argument of a window must be a table",
                 "write TABLE name, or TABLE (SELECT …)");
  }
  return Range(begin, argument.end, out);
}

Status QueryRewriter::WindowColumn(const Argument& argument, Piece& out) {
  size_t begin = argument.begin;
  bool right = argument.end - begin == 4 && At(begin).Is("DESCRIPTOR") &&
               At(begin + 1).IsOperator("(") && At(begin + 2).IsName();
  if (!right) {
    return Wrong(argument.begin, argument.end,
                 "the time column of a window must be given as DESCRIPTOR(column)",
                 "write DESCRIPTOR(ts) with one column that has a watermark");
  }
  QuoteName(begin + 2, out);
  return Status::Ok();
}

Result<int64_t> QueryRewriter::WindowMicros(const Argument& argument, const std::string& what,
                                            bool positive) {
  cursor_.MoveTo(argument.begin);
  if (!AtIntervalLiteral(cursor_)) {
    return Wrong(argument.begin, argument.end, "the " + what + " must be an INTERVAL literal",
                 "write INTERVAL '1' MINUTE");
  }
  MR_ASSIGN_OR_RETURN(IntervalLiteral interval, ParseInterval(cursor_));
  if (cursor_.pos() != argument.end) {
    return Wrong(cursor_.pos(), argument.end, "the " + what + " must be one INTERVAL literal",
                 "write INTERVAL '1' MINUTE");
  }
  if (interval.months != 0) {
    return Wrong(argument.begin, argument.end,
                 "the " + what + " cannot be given in months or years",
                 "they differ in length; use days, or group by FLOOR(ts TO MONTH)");
  }
  if (interval.micros % kMillisecond != 0) {
    return Wrong(argument.begin, argument.end, "the " + what + " must be whole milliseconds", "");
  }
  if (positive && interval.micros <= 0) {
    return Wrong(argument.begin, argument.end, "the " + what + " must be more than zero", "");
  }
  return interval.micros;
}

// GROUP BY TUMBLE(ts, size), HOP(ts, slide, size), SESSION(ts, gap), and TUMBLE_START(ts, size) and
// so on, which name parts of one of these.
Status QueryRewriter::GroupWindow(size_t i, const std::vector<Argument>& arguments, Piece& out) {
  std::string name = ToUpper(At(i).text);
  std::string kind = name.substr(0, name.find('_'));
  std::string part = kind == name ? "" : name.substr(kind.size() + 1);
  size_t shape = kind == "HOP" ? 1 : kind == "SESSION" ? 3 : 0;
  size_t count = kind == "HOP" ? 3 : 2;
  if (part == "PROCTIME" || arguments.size() != count) {
    std::string what = part == "PROCTIME" ? "" : " with other arguments than (ts, " +
        std::string(count == 3 ? "slide, size)" : shape == 3 ? "gap)" : "size)");
    return Unsupported(i, i + 1, "group window " + name + what,
                       std::string("write FROM TABLE(") + Shapes()[shape].example +
                           ") GROUP BY window_start, window_end");
  }
  const char* length = shape == 3 ? "session gap" : "window size";
  MR_ASSIGN_OR_RETURN(int64_t size, WindowMicros(arguments.back(), length, true));
  std::string numbers = ", " + std::to_string(size);
  if (kind == "HOP") {
    MR_ASSIGN_OR_RETURN(int64_t slide, WindowMicros(arguments[1], "window slide", true));
    if (size % slide != 0) {
      return Wrong(arguments[1].begin, arguments[1].end,
                   "the slide of a HOP window must divide its size: " + FormatDurationMicros(size) +
                       " is no multiple of " + FormatDurationMicros(slide), "");
    }
    numbers = ", " + std::to_string(slide) + numbers;
  }
  if (kind == "TUMBLE") numbers += ", 0";
  size_t at = At(i).offset;
  Piece time;
  MR_RETURN_IF_ERROR(Range(arguments[0].begin, arguments[0].end, time));
  auto call = [&](const char* function) {
    out.Make(std::string(function) + "(", at);
    out.Append(time);
    out.Make(numbers + ")", at);
  };
  auto call_plus = [&](const char* function, int64_t micros) {
    out.Make("mr_window_plus(", at);
    call(function);
    out.Make(", " + std::to_string(micros) + ")", at);
  };
  if (kind == "SESSION") {
    if (part.empty()) {  // both bounds are grouped by, so that the query may ask for either
      call("mr_group_session_start");
      out.Make(", ", at);
      call("mr_group_session_end");
    } else if (part == "ROWTIME") {
      call_plus("mr_group_session_end", -kMillisecond);
    } else {
      call(part == "START" ? "mr_group_session_start" : "mr_group_session_end");
    }
    return Status::Ok();
  }
  // The end is written as a function of the start, so that it is one of what GROUP BY names.
  const char* start = kind == "HOP" ? "mr_group_hop" : "mr_window_start";
  if (part.empty() || part == "START") {
    call(start);
  } else {
    call_plus(start, part == "END" ? size : size - kMillisecond);
  }
  return Status::Ok();
}

}  // namespace millrace::sql
