#include "sql/interval.h"

#include <array>
#include <cctype>
#include <map>
#include <optional>

#include "base/strings.h"

namespace millrace::sql {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
// Ten thousand years; everything that DuckDB's timestamps can reach.
constexpr int64_t kMicrosMax = 10'000 * 366 * kDay;
constexpr int64_t kMonthsMax = 10'000 * 12;

struct Unit {
  int64_t months = 0;
  int64_t micros = 0;
};

std::optional<Unit> FindUnit(const std::string& name) {
  static const std::map<std::string, Unit> units = {
      {"YEAR", {12, 0}},     {"QUARTER", {3, 0}},     {"MONTH", {1, 0}},
      {"WEEK", {0, 7 * kDay}}, {"DAY", {0, kDay}},    {"HOUR", {0, kHour}},
      {"MINUTE", {0, kMinute}}, {"SECOND", {0, kSecond}}, {"MILLISECOND", {0, 1000}},
      {"MICROSECOND", {0, 1}}};
  auto it = units.find(name);
  if (it == units.end()) return std::nullopt;
  return it->second;
}

// Reads the parts of an interval's text.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(Trim(text)) {}

  bool Accept(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool AcceptBlanks() {
    size_t before = text_.size();
    while (Accept(' ')) {
    }
    return text_.size() < before;
  }
  std::optional<int64_t> Digits() {
    int64_t value = 0;
    size_t count = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; count++) {
      if (count >= 15) return std::nullopt;
      value = value * 10 + (text_.front() - '0');
      text_.remove_prefix(1);
    }
    if (count == 0) return std::nullopt;
    return value;
  }
  // ".25" as 250,000 microseconds; 0 when there is none; nothing when finer than microseconds.
  std::optional<int64_t> FractionMicros() {
    if (!Accept('.')) return 0;
    int64_t micros = 0;
    int64_t scale = 100'000;
    size_t count = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; count++) {
      if (scale == 0 && text_.front() != '0') return std::nullopt;
      micros += (text_.front() - '0') * scale;
      scale /= 10;
      text_.remove_prefix(1);
    }
    if (count == 0) return std::nullopt;
    return micros;
  }
  bool AtEnd() const { return text_.empty(); }

 private:
  std::string_view text_;
};

// Units of a range from `first` to `last`, each with what stands before it in the text.
struct Step {
  const char* unit;
  char before;
};
constexpr std::array<Step, 4> kDayTime = {
    {{"DAY", '\0'}, {"HOUR", ' '}, {"MINUTE", ':'}, {"SECOND", ':'}}};

bool Add(int64_t count, const Unit& unit, IntervalLiteral& out) {
  int64_t months = 0;
  int64_t micros = 0;
  return !__builtin_mul_overflow(count, unit.months, &months) &&
         !__builtin_mul_overflow(count, unit.micros, &micros) &&
         !__builtin_add_overflow(out.months, months, &out.months) &&
         !__builtin_add_overflow(out.micros, micros, &out.micros);
}

bool ReadSingle(Reader& reader, const std::string& unit, IntervalLiteral& out) {
  auto count = reader.Digits();
  if (!count || !Add(*count, *FindUnit(unit), out)) return false;
  if (unit != "SECOND") return true;
  auto fraction = reader.FractionMicros();
  if (!fraction) return false;
  out.micros += *fraction;
  return true;
}

bool ReadRange(Reader& reader, const std::string& first, const std::string& last,
               IntervalLiteral& out) {
  if (first == "YEAR" && last == "MONTH") {
    auto years = reader.Digits();
    if (!years || !Add(*years, {12, 0}, out) || !reader.Accept('-')) return false;
    auto months = reader.Digits();
    return months && *months < 12 && Add(*months, {1, 0}, out);
  }
  bool inside = false;
  for (const Step& step : kDayTime) {
    bool begins = first == step.unit;
    if (!inside && !begins) continue;
    if (inside && !(step.before == ' ' ? reader.AcceptBlanks() : reader.Accept(step.before))) {
      return false;
    }
    inside = true;
    if (!ReadSingle(reader, step.unit, out)) return false;
    if (last == step.unit) return true;
  }
  return false;
}

// What the text of such a literal looks like, for hints.
std::string Example(const std::string& first, const std::string& last) {
  if (last.empty()) return "INTERVAL '5' " + first;
  if (first == "YEAR") return "INTERVAL '1-6' YEAR TO MONTH";
  std::string text;
  bool inside = false;
  for (const Step& step : kDayTime) {
    inside |= first == step.unit;
    if (!inside) continue;
    if (!text.empty()) text += step.before;
    text += text.empty() ? "1" : "02";
    if (last == step.unit) break;
  }
  return "INTERVAL '" + text + "' " + first + " TO " + last;
}

// Moves past "(p)" or "(p, q)".
Status SkipPrecision(TokenCursor& cursor) {
  if (!cursor.AcceptOperator("(")) return Status::Ok();
  do {
    if (cursor.Peek().kind != TokenKind::kNumber) return cursor.Unexpected("a precision");
    cursor.Next();
  } while (cursor.AcceptOperator(","));
  return cursor.ExpectOperator(")", "after the precision");
}

Result<std::string> ParseUnit(TokenCursor& cursor) {
  std::string unit = NormaliseUnit(cursor.Peek().text);
  if (cursor.Peek().kind != TokenKind::kWord || unit.empty()) {
    return cursor.Unexpected("a unit of time (DAY, HOUR, MINUTE, SECOND …)");
  }
  cursor.Next();
  return unit;
}

}  // namespace

std::string NormaliseUnit(std::string_view word) {
  if (word.size() > 24) return "";
  std::string unit = ToUpper(word);
  if (unit.starts_with("SQL_TSI_")) unit = unit.substr(8);
  if (FindUnit(unit)) return unit;
  if (!unit.empty() && unit.back() == 'S') unit.pop_back();
  return FindUnit(unit) ? unit : "";
}

bool AtIntervalLiteral(const TokenCursor& cursor) {
  if (!cursor.Peek().Is("INTERVAL")) return false;
  const Token& next = cursor.Peek(1);
  if (next.kind == TokenKind::kString) return true;
  return (next.IsOperator("-") || next.IsOperator("+")) &&
         cursor.Peek(2).kind == TokenKind::kString;
}

Result<IntervalLiteral> ParseInterval(TokenCursor& cursor) {
  cursor.Next();
  bool signed_outside = cursor.Peek().kind == TokenKind::kOperator;
  bool negative = cursor.Peek().IsOperator("-");
  if (signed_outside) cursor.Next();
  const Token literal = cursor.Next();
  size_t unit_at = cursor.pos();
  MR_ASSIGN_OR_RETURN(std::string first, ParseUnit(cursor));
  MR_RETURN_IF_ERROR(SkipPrecision(cursor));
  std::string last;
  if (cursor.AcceptWord("TO")) {
    MR_ASSIGN_OR_RETURN(last, ParseUnit(cursor));
    MR_RETURN_IF_ERROR(SkipPrecision(cursor));
  }

  IntervalLiteral result;
  Reader reader(literal.value);
  bool signed_inside = reader.Accept('-');
  negative ^= signed_inside;
  if (!signed_inside) signed_inside = reader.Accept('+');
  bool read = last.empty() ? ReadSingle(reader, first, result)
                           : ReadRange(reader, first, last, result);
  if (!read || !reader.AtEnd()) {
    return Status(Code::kSyntax, "interval " + literal.Describe() + " does not fit its unit " +
                                     first + (last.empty() ? "" : " TO " + last))
        .At(literal.Span(cursor.file()))
        .WithHint("write it like " + Example(first, last));
  }
  if (result.micros > kMicrosMax || result.months > kMonthsMax) {
    return Status(Code::kType, "interval " + literal.Describe() + " is too long")
        .At(literal.Span(cursor.file()))
        .WithHint("at most 10,000 years are possible");
  }
  if (negative) {
    result.months = -result.months;
    result.micros = -result.micros;
  }
  result.plain = !signed_outside && !signed_inside && last.empty() &&
                 literal.value.find_first_not_of("0123456789") == std::string::npos &&
                 cursor.pos() == unit_at + 1;
  return result;
}

}  // namespace millrace::sql
