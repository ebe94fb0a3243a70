#include "sql/flink_values.h"

#include <charconv>
#include <cmath>
#include <duckdb/common/exception/conversion_exception.hpp>
#include <duckdb/common/type_visitor.hpp>
#include <duckdb/planner/expression/bound_cast_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>

#include "base/strings.h"
#include "sql/types.h"

namespace millrace::sql {
namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::hugeint_t;
using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using duckdb::ScalarFunction;
using duckdb::ScalarFunctionSet;
using duckdb::string_t;
using duckdb::StringVector;
using duckdb::Vector;

std::string_view View(const string_t& text) {
  return {text.GetData(), text.GetSize()};
}

// Java: plain from 10^-3 to 10^7, else one digit before the point and an exponent.
template <typename Float>
std::string JavaFloating(Float value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  if (value == 0) return std::signbit(value) ? "-0.0" : "0.0";
  char buffer[64];
  Float size = std::abs(value);
  bool plain = size >= Float(1e-3) && size < Float(1e7);
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                           plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string text(buffer, end.ptr);
  if (plain) return text.find('.') == std::string::npos ? text + ".0" : text;
  size_t e = text.find('e');
  std::string mantissa = text.substr(0, e);
  if (mantissa.find('.') == std::string::npos) mantissa += ".0";
  return mantissa + "E" + std::to_string(std::stoi(text.substr(e + 1)));
}

std::string IntervalText(duckdb::interval_t value) {
  char buffer[64];
  if (value.months != 0) {
    int months = std::abs(value.months);
    snprintf(buffer, sizeof buffer, "%c%d-%02d", value.months < 0 ? '-' : '+', months / 12,
             months % 12);
    return buffer;
  }
  int64_t micros = value.days * duckdb::Interval::MICROS_PER_DAY + value.micros;
  int64_t ms = std::abs(micros) / 1000;
  snprintf(buffer, sizeof buffer, "%c%lld %02lld:%02lld:%02lld.%03lld", micros < 0 ? '-' : '+',
           static_cast<long long>(ms / 86400000), static_cast<long long>(ms / 3600000 % 24),
           static_cast<long long>(ms / 60000 % 60), static_cast<long long>(ms / 1000 % 60),
           static_cast<long long>(ms % 1000));
  return buffer;
}

// Whether DuckDB's own cast to text gives the same.
bool CastsAlike(const LogicalType& type) {
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
    case LogicalTypeId::FLOAT:
    case LogicalTypeId::DOUBLE:
    case LogicalTypeId::INTERVAL:
    case LogicalTypeId::BLOB:
    case LogicalTypeId::TIMESTAMP_TZ:
      return false;
    default:
      return !type.IsNested();
  }
}

void TextOf(DataChunk& args, ExpressionState&, Vector& result) {
  Vector& input = args.data[0];
  duckdb::idx_t count = args.size();
  if (input.GetType().id() == LogicalTypeId::DOUBLE) {
    duckdb::UnaryExecutor::Execute<double, string_t>(input, result, count, [&](double value) {
      return StringVector::AddString(result, JavaDouble(value));
    });
    return;
  }
  if (input.GetType().id() == LogicalTypeId::BOOLEAN) {
    duckdb::UnaryExecutor::Execute<bool, string_t>(input, result, count, [](bool value) {
      return value ? string_t("TRUE") : string_t("FALSE");
    });
    return;
  }
  bool constant = args.AllConstant();
  result.SetVectorType(duckdb::VectorType::FLAT_VECTOR);
  auto* texts = duckdb::FlatVector::GetData<string_t>(result);
  for (duckdb::idx_t row = 0; row < (constant ? 1 : count); row++) {
    duckdb::Value value = input.GetValue(row);
    if (value.IsNull()) {
      duckdb::FlatVector::SetNull(result, row, true);
    } else {
      texts[row] = StringVector::AddString(result, FlinkText(value));
    }
  }
  if (constant) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

// The type with points in time as the session's time zone has them, which is then not named.
LogicalType Local(const LogicalType& type) {
  return duckdb::TypeVisitor::VisitReplace(type, [](const LogicalType& part) {
    return part.id() == LogicalTypeId::TIMESTAMP_TZ ? LogicalType(LogicalType::TIMESTAMP) : part;
  });
}

// Plain types need no function of ours.
duckdb::unique_ptr<duckdb::Expression> BindText(duckdb::FunctionBindExpressionInput& input) {
  LogicalType local = Local(input.children[0]->return_type);
  if (local != input.children[0]->return_type) {
    input.children[0] = duckdb::BoundCastExpression::AddCastToType(
        input.context, std::move(input.children[0]), local);
  }
  if (!CastsAlike(input.children[0]->return_type)) return nullptr;
  return duckdb::BoundCastExpression::AddCastToType(input.context, std::move(input.children[0]),
                                                    LogicalType::VARCHAR);
}

duckdb::unique_ptr<duckdb::Expression> BindTypeOf(duckdb::FunctionBindExpressionInput& input) {
  return duckdb::make_uniq<duckdb::BoundConstantExpression>(
      duckdb::Value(ToFlinkType(input.children[0]->return_type)));
}

void BytesOf(DataChunk& args, ExpressionState&, Vector& result) {
  result.Reinterpret(args.data[0]);
}

template <bool kFill>
void SizedBytes(DataChunk& args, ExpressionState&, Vector& result) {
  duckdb::BinaryExecutor::Execute<string_t, int32_t, string_t>(
      args.data[0], args.data[1], result, args.size(), [&](string_t bytes, int32_t size) {
        std::string made(View(bytes).substr(0, static_cast<size_t>(size)));
        if (kFill) made.resize(static_cast<size_t>(size), '\0');
        return StringVector::AddStringOrBlob(result, made);
      });
}

std::string JsonQuoteAscii(std::string_view text) {
  std::string result = "\"";
  const char* at = text.data();
  size_t left = text.size();
  auto unit = [&](unsigned code) {
    char buffer[16];
    snprintf(buffer, sizeof buffer, "\\u%04x", code);
    result += buffer;
  };
  while (left > 0) {
    auto byte = static_cast<unsigned char>(*at);
    int size = byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
    unsigned code = size == 1 ? byte : byte & (0xFFu >> (size + 1));
    for (int k = 1; k < size; k++) code = code << 6 | (static_cast<unsigned char>(at[k]) & 0x3F);
    static constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kLetters = "\"\\bfnrt";
    size_t escape = code < 128 ? kEscaped.find(static_cast<char>(code)) : std::string_view::npos;
    if (escape != std::string_view::npos) {
      result.append("\\").append(1, kLetters[escape]);
    } else if (code >= 0x10000) {
      unit(0xD800 + ((code - 0x10000) >> 10));
      unit(0xDC00 + ((code - 0x10000) & 0x3FF));
    } else if (code < 32 || code >= 127) {
      unit(code);
    } else {
      result += static_cast<char>(code);
    }
    at += size;
    left -= std::min(left, static_cast<size_t>(size));
  }
  return result + "\"";
}

void JsonQuoteOf(DataChunk& args, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::Execute<string_t, string_t>(
      args.data[0], result, args.size(),
      [&](string_t text) { return StringVector::AddString(result, JsonQuoteAscii(View(text))); });
}

// ---- division of DECIMALs

__extension__ typedef unsigned __int128 Wide;

Wide Magnitude(hugeint_t value) {
  Wide wide = (static_cast<Wide>(static_cast<uint64_t>(value.upper)) << 64) | value.lower;
  return value.upper < 0 ? Wide(0) - wide : wide;
}

// a / b with `digits` more decimal places, rounded half up; false where it has more than 38 digits.
bool Divide(Wide a, Wide b, int digits, Wide& quotient) {
  static const Wide kLimit = [] {
    Wide limit = 1;
    for (int i = 0; i < 38; i++) limit *= 10;
    return limit;
  }();
  quotient = a / b;
  Wide rest = a % b;
  // r -> 2r mod b, and whether b was taken away; 2r itself might not fit.
  auto twice = [&](Wide& r) {
    bool over = r >= b - r;
    r = over ? r - (b - r) : r + r;
    return over ? Wide(1) : Wide(0);
  };
  for (int i = 0; i < digits; i++) {
    if (quotient >= kLimit / 10) return false;
    Wide five = rest;  // 5r = 2(2r) + r, then 10r
    Wide digit = twice(five) * 2;
    digit += twice(five);
    if (five >= b - rest) {
      digit++;
      five -= b - rest;
    } else {
      five += rest;
    }
    digit = digit * 2 + twice(five);
    rest = five;
    quotient = quotient * 10 + digit;
  }
  if (rest >= b - rest) quotient++;
  return quotient < kLimit;
}

struct DivisionData : public duckdb::FunctionData {
  int digits = 0;  // decimal places to add to the plain quotient
  explicit DivisionData(int places) : digits(places) {}
  duckdb::unique_ptr<duckdb::FunctionData> Copy() const override {
    return duckdb::make_uniq<DivisionData>(digits);
  }
  bool Equals(const duckdb::FunctionData& other) const override {
    return digits == other.Cast<DivisionData>().digits;
  }
};

duckdb::unique_ptr<duckdb::FunctionData> BindDivision(
    duckdb::ClientContext&, ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  auto shape = [&](size_t i, int& precision, int& scale) {
    uint8_t width = 0;
    uint8_t places = 0;
    arguments[i]->return_type.GetDecimalProperties(width, places);
    precision = width;
    scale = places;
  };
  int p1 = 0, s1 = 0, p2 = 0, s2 = 0;
  shape(0, p1, s1);
  shape(1, p2, s2);
  // What SQL Server, Hive and Flink do: fewer decimal places, but 6, where 38 digits do not do.
  int scale = std::max(6, s1 + p2 + 1);
  int precision = p1 - s1 + s2 + scale;
  if (precision > 38) {
    scale = std::max(38 - (precision - scale), std::min(scale, 6));
    precision = 38;
  }
  for (size_t i = 0; i < 2; i++) {
    function.arguments[i] = LogicalType::DECIMAL(38, static_cast<uint8_t>(i == 0 ? s1 : s2));
  }
  function.return_type =
      LogicalType::DECIMAL(static_cast<uint8_t>(precision), static_cast<uint8_t>(scale));
  return duckdb::make_uniq<DivisionData>(scale + s2 - s1);
}

void DivideDecimals(DataChunk& args, ExpressionState& state, Vector& result) {
  int digits =
      state.expr.Cast<duckdb::BoundFunctionExpression>().bind_info->Cast<DivisionData>().digits;
  // Computed as a DECIMAL(38, …), then narrowed to how the result is stored.
  LogicalType wide = LogicalType::DECIMAL(38, duckdb::DecimalType::GetScale(result.GetType()));
  bool narrow = result.GetType().InternalType() != duckdb::PhysicalType::INT128;
  Vector computed(wide, args.size());
  duckdb::BinaryExecutor::ExecuteWithNulls<hugeint_t, hugeint_t, hugeint_t>(
      args.data[0], args.data[1], narrow ? computed : result, args.size(),
      [&](hugeint_t a, hugeint_t b, duckdb::ValidityMask& mask, duckdb::idx_t row) {
        Wide quotient = 0;
        if (b == hugeint_t(0)) {
          mask.SetInvalid(row);
          return hugeint_t(0);
        }
        Wide divisor = Magnitude(b);
        for (int i = digits; i < 0; i++) divisor *= 10;
        if (!Divide(Magnitude(a), divisor, std::max(digits, 0), quotient)) {
          throw duckdb::OutOfRangeException("a quotient of DECIMALs has more than 38 digits");
        }
        hugeint_t value;
        value.upper = static_cast<int64_t>(quotient >> 64);
        value.lower = static_cast<uint64_t>(quotient);
        return (a < hugeint_t(0)) != (b < hugeint_t(0)) ? -value : value;
      });
  if (narrow) duckdb::VectorOperations::DefaultCast(computed, result, args.size(), true);
}

}  // namespace

std::string JavaDouble(double value) {
  return JavaFloating(value);
}
std::string JavaFloat(float value) {
  return JavaFloating(value);
}

std::string FlinkText(const duckdb::Value& value) {
  if (value.IsNull()) return "NULL";
  const LogicalType& type = value.type();
  auto joined = [](const auto& children, const char* open, const char* close) {
    std::string text = open;
    for (const duckdb::Value& child : children) {
      if (text.size() > 1) text += ", ";
      text += FlinkText(child);
    }
    return text + close;
  };
  switch (type.id()) {
    case LogicalTypeId::BOOLEAN:
      return value.GetValue<bool>() ? "TRUE" : "FALSE";
    case LogicalTypeId::FLOAT:
      return JavaFloat(value.GetValue<float>());
    case LogicalTypeId::DOUBLE:
      return JavaDouble(value.GetValue<double>());
    case LogicalTypeId::INTERVAL:
      return IntervalText(value.GetValue<duckdb::interval_t>());
    case LogicalTypeId::BLOB: {
      const std::string& bytes = duckdb::StringValue::Get(value);
      if (!IsValidUtf8(bytes)) {
        throw duckdb::ConversionException("bytes that are not UTF-8 cannot become text");
      }
      return bytes;
    }
    case LogicalTypeId::LIST:
      return joined(duckdb::ListValue::GetChildren(value), "[", "]");
    case LogicalTypeId::STRUCT:
      return joined(duckdb::StructValue::GetChildren(value), "(", ")");
    case LogicalTypeId::MAP: {
      std::string text = "{";
      for (const duckdb::Value& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& pair = duckdb::StructValue::GetChildren(entry);
        if (text.size() > 1) text += ", ";
        text += FlinkText(pair[0]) + "=" + FlinkText(pair[1]);
      }
      return text + "}";
    }
    default:
      return value.ToString();
  }
}

std::vector<ScalarFunctionSet> FlinkValueFunctions() {
  const LogicalType text = LogicalType::VARCHAR;
  const LogicalType bytes = LogicalType::BLOB;
  const LogicalType any = LogicalType::ANY;
  std::vector<ScalarFunctionSet> sets;
  auto add = [&](const char* name, duckdb::vector<LogicalType> arguments,
                 const LogicalType& returns,
                 duckdb::scalar_function_t function) -> ScalarFunction& {
    bool more = !sets.empty() && sets.back().name == name;
    if (!more) sets.emplace_back(name);
    sets.back().AddFunction(ScalarFunction(std::move(arguments), returns, std::move(function)));
    return sets.back().functions.back();
  };
  add("mr_text", {any}, text, TextOf).SetBindExpressionCallback(BindText);
  add("mr_typeof", {any}, text, TextOf).SetBindExpressionCallback(BindTypeOf);
  add("mr_bytes", {text}, bytes, BytesOf);
  add("mr_bytes", {bytes}, bytes, BytesOf);
  add("mr_cut_bytes", {bytes, LogicalType::INTEGER}, bytes, SizedBytes<false>);
  add("mr_fill_bytes", {bytes, LogicalType::INTEGER}, bytes, SizedBytes<true>);
  add("mr_json_quote", {text}, text, JsonQuoteOf);
  return sets;
}

ScalarFunction DecimalDivision() {
  LogicalType decimal(LogicalTypeId::DECIMAL);
  return ScalarFunction({decimal, decimal}, decimal, DivideDecimals, BindDivision);
}

}  // namespace millrace::sql
