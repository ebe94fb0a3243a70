#include <duckdb.hpp>

#include "sql/types.h"

#include <charconv>
#include <map>

#include "base/strings.h"

namespace millrace::sql {
namespace {

using duckdb::LogicalType;
using duckdb::LogicalTypeId;

enum class Form { kPlain, kLength, kDecimal, kTime, kTimestamp, kLtz, kInterval, kArray, kMap, kMultiset, kRow,
                  kDouble };

struct TypeName {
  Form form;
  LogicalTypeId id;
};

const std::map<std::string, TypeName>& TypeNames() {
  static const std::map<std::string, TypeName> names = {
      {"STRING", {Form::kPlain, LogicalTypeId::VARCHAR}},
      {"CHAR", {Form::kLength, LogicalTypeId::VARCHAR}},
      {"CHARACTER", {Form::kLength, LogicalTypeId::VARCHAR}},
      {"VARCHAR", {Form::kLength, LogicalTypeId::VARCHAR}},
      {"BOOLEAN", {Form::kPlain, LogicalTypeId::BOOLEAN}},
      {"BYTES", {Form::kPlain, LogicalTypeId::BLOB}},
      {"BINARY", {Form::kLength, LogicalTypeId::BLOB}},
      {"VARBINARY", {Form::kLength, LogicalTypeId::BLOB}},
      {"TINYINT", {Form::kPlain, LogicalTypeId::TINYINT}},
      {"SMALLINT", {Form::kPlain, LogicalTypeId::SMALLINT}},
      {"INT", {Form::kPlain, LogicalTypeId::INTEGER}},
      {"INTEGER", {Form::kPlain, LogicalTypeId::INTEGER}},
      {"BIGINT", {Form::kPlain, LogicalTypeId::BIGINT}},
      {"FLOAT", {Form::kPlain, LogicalTypeId::FLOAT}},
      {"REAL", {Form::kPlain, LogicalTypeId::FLOAT}},
      {"DOUBLE", {Form::kDouble, LogicalTypeId::DOUBLE}},
      {"DECIMAL", {Form::kDecimal, LogicalTypeId::DECIMAL}},
      {"DEC", {Form::kDecimal, LogicalTypeId::DECIMAL}},
      {"NUMERIC", {Form::kDecimal, LogicalTypeId::DECIMAL}},
      {"DATE", {Form::kPlain, LogicalTypeId::DATE}},
      {"TIME", {Form::kTime, LogicalTypeId::TIME}},
      {"TIMESTAMP", {Form::kTimestamp, LogicalTypeId::TIMESTAMP}},
      {"TIMESTAMP_LTZ", {Form::kLtz, LogicalTypeId::TIMESTAMP_TZ}},
      {"INTERVAL", {Form::kInterval, LogicalTypeId::INTERVAL}},
      {"ARRAY", {Form::kArray, LogicalTypeId::LIST}},
      {"MAP", {Form::kMap, LogicalTypeId::MAP}},
      {"MULTISET", {Form::kMultiset, LogicalTypeId::MAP}},
      {"ROW", {Form::kRow, LogicalTypeId::STRUCT}},
  };
  return names;
}

// Names from other systems, and what to write here.
const std::map<std::string, std::string>& ForeignNames() {
  static const std::map<std::string, std::string> names = {
      {"TEXT", "STRING"},         {"CLOB", "STRING"},        {"NVARCHAR", "STRING"},
      {"JSON", "STRING"},         {"JSONB", "STRING"},       {"UUID", "STRING"},
      {"BOOL", "BOOLEAN"},        {"INT2", "SMALLINT"},      {"INT4", "INT"},
      {"INT8", "BIGINT"},         {"INT64", "BIGINT"},       {"LONG", "BIGINT"},
      {"UINTEGER", "BIGINT"},     {"SHORT", "SMALLINT"},     {"BYTE", "TINYINT"},
      {"FLOAT4", "FLOAT"},        {"FLOAT8", "DOUBLE"},      {"NUMBER", "DECIMAL(p, s)"},
      {"HUGEINT", "DECIMAL(38, 0)"}, {"BLOB", "BYTES"},      {"BYTEA", "BYTES"},
      {"DATETIME", "TIMESTAMP(3)"},  {"TIMESTAMPTZ", "TIMESTAMP_LTZ(3)"},
      {"TIMESTAMP_TZ", "TIMESTAMP_LTZ(3)"}, {"STRUCT", "ROW<name TYPE, …>"},
      {"LIST", "ARRAY<TYPE>"},    {"ENUM", "STRING"},
  };
  return names;
}

class TypeParser {
 public:
  explicit TypeParser(TokenCursor& cursor) : cursor_(cursor) {}

  Result<SqlType> Parse(int depth) {
    size_t begin = cursor_.pos();
    if (depth > kNestingMax) {
      return Status(Code::kType, "type is nested too deeply").At(cursor_.Span());
    }
    MR_ASSIGN_OR_RETURN(SqlType type, ParseBase(depth));
    while (cursor_.Peek().Is("ARRAY") || cursor_.Peek().Is("MULTISET")) {
      bool counted = cursor_.Next().Is("MULTISET");
      LogicalType made = counted ? LogicalType::MAP(type.type, LogicalType::INTEGER)
                                 : LogicalType::LIST(type.type);
      type = SqlType{.type = made, .text = {}};
      if (++depth > kNestingMax) {
        return Status(Code::kType, "type is nested too deeply").At(cursor_.Span());
      }
    }
    if (cursor_.AcceptWords({"NOT", "NULL"})) {
      type.nullable = false;
    } else if (!cursor_.Peek(1).Is("ON")) {  // RETURNING INT NULL ON EMPTY
      cursor_.AcceptWord("NULL");
    }
    type.text = cursor_.MakeFragment(begin, cursor_.pos());
    return type;
  }

 private:
  Status UnknownType(const Token& token) const {
    std::string upper = ToUpper(token.NameText());
    Status status(Code::kType, "type \"" + token.NameText() + "\" does not exist");
    status = std::move(status).At(token.Span(cursor_.file()));
    if (upper == "RAW" || upper == "VARIANT" || upper == "STRUCTURED" || upper == "DESCRIPTOR") {
      return Status(Code::kUnsupported, "type " + upper + " is not supported")
          .At(token.Span(cursor_.file()))
          .WithHint("use STRING with JSON text, BYTES, or ROW<name TYPE, …>");
    }
    if (auto it = ForeignNames().find(upper); it != ForeignNames().end()) {
      return std::move(status).WithHint("write " + it->second);
    }
    std::vector<std::string> names;
    for (const auto& [name, unused] : TypeNames()) names.push_back(name);
    return std::move(status).WithHint(DidYouMean(upper, names));
  }

  // "(n)" if present; `missing` if not.
  Result<int64_t> Number(int64_t missing, int64_t low, int64_t high, const std::string& what) {
    if (!cursor_.AcceptOperator("(")) return missing;
    MR_ASSIGN_OR_RETURN(int64_t value, Integer(low, high, what));
    MR_RETURN_IF_ERROR(cursor_.ExpectOperator(")", "after the " + what));
    return value;
  }

  Result<int64_t> Integer(int64_t low, int64_t high, const std::string& what) {
    const Token& token = cursor_.Peek();
    if (token.kind != TokenKind::kNumber) return cursor_.Unexpected("the " + what);
    int64_t value = -1;
    auto [end, fault] =
        std::from_chars(token.text.data(), token.text.data() + token.text.size(), value);
    if (fault != std::errc() || end != token.text.data() + token.text.size() || value < low ||
        value > high) {
      return Status(Code::kType, what + " " + std::string(token.text) + " is not possible")
          .At(token.Span(cursor_.file()))
          .WithHint("it must be between " + std::to_string(low) + " and " + std::to_string(high));
    }
    cursor_.Next();
    return value;
  }

  // Precision of a time: nanoseconds would be cut to microseconds without a word, so refuse them.
  Status TimePrecision(const std::string& type) {
    const Token at = cursor_.Peek(1);
    MR_ASSIGN_OR_RETURN(int64_t precision, Number(6, 0, 9, "precision"));
    if (precision <= 6) return Status::Ok();
    return Status(Code::kUnsupported,
                  type + "(" + std::to_string(precision) + ") is not supported: values are kept in "
                  "microseconds")
        .At(at.Span(cursor_.file()))
        .WithHint("write " + type + "(6)");
  }

  Result<SqlType> ParseBase(int depth) {
    const Token token = cursor_.Peek();
    if (!token.IsName()) return cursor_.Unexpected("a type");
    std::string upper = ToUpper(token.NameText());
    auto it = TypeNames().find(upper);
    if (token.kind != TokenKind::kWord || it == TypeNames().end()) return UnknownType(token);
    cursor_.Next();
    SqlType result;
    result.type = LogicalType::INVALID;
    switch (it->second.form) {
      case Form::kDouble:
        cursor_.AcceptWord("PRECISION");
        [[fallthrough]];
      case Form::kPlain:
        result.type = LogicalType(it->second.id);
        return result;
      case Form::kLength: {
        bool fixed = upper != "VARCHAR" && upper != "VARBINARY";
        if (upper == "CHARACTER" && cursor_.AcceptWord("VARYING")) fixed = false;
        constexpr int64_t kUnlimited = 2147483647;
        MR_ASSIGN_OR_RETURN(int64_t length,
                            Number(fixed ? 1 : kUnlimited, 1, kUnlimited, "length"));
        result.type = LogicalType(it->second.id);
        result.length = length == kUnlimited ? 0 : length;
        result.fixed_length = fixed;
        return result;
      }
      case Form::kDecimal: {
        int64_t precision = 10;
        int64_t scale = 0;
        if (cursor_.AcceptOperator("(")) {
          MR_ASSIGN_OR_RETURN(precision, Integer(1, 38, "precision"));
          if (cursor_.AcceptOperator(",")) {
            MR_ASSIGN_OR_RETURN(scale, Integer(0, precision, "scale"));
          }
          MR_RETURN_IF_ERROR(cursor_.ExpectOperator(")", "after the precision"));
        }
        result.type = LogicalType::DECIMAL(static_cast<uint8_t>(precision),
                                           static_cast<uint8_t>(scale));
        return result;
      }
      case Form::kTime:
        MR_RETURN_IF_ERROR(TimePrecision("TIME"));
        cursor_.AcceptWords({"WITHOUT", "TIME", "ZONE"});
        result.type = LogicalType::TIME;
        return result;
      case Form::kLtz:
        MR_RETURN_IF_ERROR(TimePrecision("TIMESTAMP_LTZ"));
        result.type = LogicalType::TIMESTAMP_TZ;
        return result;
      case Form::kTimestamp:
        return Timestamp();
      case Form::kInterval:
        return Interval();
      case Form::kArray: {
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator("<", "after \"ARRAY\""));
        MR_ASSIGN_OR_RETURN(SqlType element, Parse(depth + 1));
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator(">", "after the element type"));
        result.type = LogicalType::LIST(element.type);
        return result;
      }
      case Form::kMultiset: {  // each element with its count
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator("<", "after \"MULTISET\""));
        MR_ASSIGN_OR_RETURN(SqlType element, Parse(depth + 1));
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator(">", "after the element type"));
        result.type = LogicalType::MAP(element.type, LogicalType::INTEGER);
        return result;
      }
      case Form::kMap: {
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator("<", "after \"MAP\""));
        MR_ASSIGN_OR_RETURN(SqlType key, Parse(depth + 1));
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator(",", "after the key type"));
        MR_ASSIGN_OR_RETURN(SqlType value, Parse(depth + 1));
        MR_RETURN_IF_ERROR(cursor_.ExpectOperator(">", "after the value type"));
        result.type = LogicalType::MAP(key.type, value.type);
        return result;
      }
      case Form::kRow:
        return Row(depth);
    }
    return UnknownType(token);
  }

  Result<SqlType> Timestamp() {
    MR_RETURN_IF_ERROR(TimePrecision("TIMESTAMP"));
    SqlType result;
    result.type = LogicalType::TIMESTAMP;
    if (cursor_.AcceptWords({"WITH", "LOCAL", "TIME", "ZONE"})) {
      result.type = LogicalType::TIMESTAMP_TZ;
    } else if (!cursor_.AcceptWords({"WITHOUT", "TIME", "ZONE"}) &&
               cursor_.Peek().Is("WITH") && cursor_.Peek(1).Is("TIME")) {
      return Status(Code::kUnsupported, "type TIMESTAMP WITH TIME ZONE is not supported")
          .At(cursor_.Span())
          .WithHint("write TIMESTAMP_LTZ(3): a point in time, shown in the session's time zone");
    }
    return result;
  }

  Result<SqlType> Interval() {
    auto unit = [&]() -> Status {
      for (std::string_view word : {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}) {
        if (!cursor_.AcceptWord(word)) continue;
        auto precision = Number(0, 0, 9, "precision");
        return std::move(precision).status();
      }
      return cursor_.Unexpected("a unit (YEAR, MONTH, DAY, HOUR, MINUTE, SECOND)");
    };
    MR_RETURN_IF_ERROR(unit());
    if (cursor_.AcceptWord("TO")) MR_RETURN_IF_ERROR(unit());
    SqlType result;
    result.type = LogicalType::INTERVAL;
    return result;
  }

  // In ROW<INT, STRING> fields have no names; Flink calls them f0, f1 …
  bool FieldHasName() const {
    const Token& after = cursor_.Peek(1);
    if (!after.IsName()) return false;
    if (cursor_.Peek().kind == TokenKind::kQuoted) return true;
    for (std::string_view word : {"NOT", "NULL", "PRECISION", "WITH", "WITHOUT", "MULTISET"}) {
      if (after.Is(word)) return false;
    }
    return true;
  }

  Result<SqlType> Row(int depth) {
    bool angle = cursor_.AcceptOperator("<");
    if (!angle) MR_RETURN_IF_ERROR(cursor_.ExpectOperator("(", "or \"<\" after \"ROW\""));
    duckdb::child_list_t<LogicalType> fields;
    do {
      Token at = cursor_.Peek();
      std::string name = "f" + std::to_string(fields.size());
      if (FieldHasName()) {
        MR_ASSIGN_OR_RETURN(name, cursor_.ExpectIdentifier("a field name"));
      }
      MR_ASSIGN_OR_RETURN(SqlType field, Parse(depth + 1));
      if (cursor_.Peek().kind == TokenKind::kString) cursor_.Next();  // a comment
      for (const auto& [other, unused] : fields) {
        if (EqualsIgnoreCase(other, name)) {
          return Status(Code::kType, "field \"" + name + "\" occurs twice in a ROW type")
              .At(at.Span(cursor_.file()))
              .WithHint("field names must differ in more than upper and lower case");
        }
      }
      fields.emplace_back(name, field.type);
    } while (cursor_.AcceptOperator(","));
    MR_RETURN_IF_ERROR(cursor_.ExpectOperator(angle ? ">" : ")", "after the last field"));
    SqlType result;
    result.type = LogicalType::STRUCT(std::move(fields));
    return result;
  }

  TokenCursor& cursor_;
};

std::string FlinkName(const std::string& name) {
  bool plain = !name.empty() && !(name[0] >= '0' && name[0] <= '9');
  for (char c : name) {
    plain &= (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  if (plain && !TypeNames().contains(ToUpper(name))) return name;
  std::string quoted = "`";
  for (char c : name) {
    quoted += c;
    if (c == '`') quoted += c;
  }
  return quoted + "`";
}

}  // namespace

Result<SqlType> ParseType(TokenCursor& cursor) { return TypeParser(cursor).Parse(0); }

Result<SqlType> ParseTypeText(const std::string& text) {
  Lexed lexed = Lex(text, SourceSpan{"", 1, 1, 0});
  MR_RETURN_IF_ERROR(lexed.status);
  TokenCursor cursor(text, lexed.tokens, "");
  MR_ASSIGN_OR_RETURN(SqlType type, ParseType(cursor));
  if (!cursor.AtEnd()) return cursor.Unexpected("nothing after the type");
  return type;
}

std::string ToFlinkType(const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return "BOOLEAN";
    case LogicalTypeId::TINYINT:
      return "TINYINT";
    case LogicalTypeId::SMALLINT:
    case LogicalTypeId::UTINYINT:
      return "SMALLINT";
    case LogicalTypeId::INTEGER:
    case LogicalTypeId::USMALLINT:
      return "INT";
    case LogicalTypeId::BIGINT:
    case LogicalTypeId::UINTEGER:
      return "BIGINT";
    case LogicalTypeId::UBIGINT:
      return "DECIMAL(20, 0)";
    case LogicalTypeId::HUGEINT:
    case LogicalTypeId::UHUGEINT:
      return "DECIMAL(38, 0)";
    case LogicalTypeId::FLOAT:
      return "FLOAT";
    case LogicalTypeId::DOUBLE:
      return "DOUBLE";
    case LogicalTypeId::DECIMAL:
      return "DECIMAL(" + std::to_string(duckdb::DecimalType::GetWidth(type)) + ", " +
             std::to_string(duckdb::DecimalType::GetScale(type)) + ")";
    case LogicalTypeId::BLOB:
      return "BYTES";
    case LogicalTypeId::DATE:
      return "DATE";
    case LogicalTypeId::TIME:
      return "TIME";
    case LogicalTypeId::TIMESTAMP_SEC:
      return "TIMESTAMP(0)";
    case LogicalTypeId::TIMESTAMP_MS:
      return "TIMESTAMP(3)";
    case LogicalTypeId::TIMESTAMP:
    case LogicalTypeId::TIMESTAMP_NS:
      return "TIMESTAMP(6)";
    case LogicalTypeId::TIMESTAMP_TZ:
      return "TIMESTAMP_LTZ(6)";
    case LogicalTypeId::INTERVAL:
      return "INTERVAL DAY TO SECOND(6)";
    case LogicalTypeId::LIST:
      return "ARRAY<" + ToFlinkType(duckdb::ListType::GetChildType(type)) + ">";
    case LogicalTypeId::MAP:
      return "MAP<" + ToFlinkType(duckdb::MapType::KeyType(type)) + ", " +
             ToFlinkType(duckdb::MapType::ValueType(type)) + ">";
    case LogicalTypeId::STRUCT: {
      std::vector<std::string> fields;
      for (const auto& [name, child] : duckdb::StructType::GetChildTypes(type)) {
        fields.push_back(FlinkName(name) + " " + ToFlinkType(child));
      }
      return "ROW<" + Join(fields, ", ") + ">";
    }
    default:
      return "STRING";
  }
}

}  // namespace millrace::sql
