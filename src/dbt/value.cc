#include "dbt/value.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cmath>
#include <cstdlib>

#include "base/strings.h"

namespace millrace::dbt {

namespace {

Value FromDom(simdjson::dom::element element) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::OBJECT: {
      Value out = Value::Object();
      for (auto entry : simdjson::dom::object(element)) {
        out.map().emplace_back(std::string(entry.key), FromDom(entry.value));
      }
      return out;
    }
    case element_type::ARRAY: {
      Value out = Value::List{};
      for (auto item : simdjson::dom::array(element)) out.Append(FromDom(item));
      return out;
    }
    case element_type::STRING:
      return Value(std::string_view(element));
    case element_type::INT64:
      return Value(int64_t(element));
    case element_type::UINT64:
      return Value(static_cast<double>(uint64_t(element)));
    case element_type::DOUBLE:
      return Value(double(element));
    case element_type::BOOL:
      return Value(bool(element));
    default:
      return {};
  }
}

}  // namespace

Value::Value(const std::vector<std::string>& texts) : v_(List(texts.begin(), texts.end())) {}

Value Value::Object(std::initializer_list<std::pair<std::string, Value>> entries) {
  Value out;
  out.v_ = Map(entries);
  return out;
}

const Value::List& Value::list() const {
  static const List kNone;
  return is_list() ? std::get<List>(v_) : kNone;
}

const Value::Map& Value::map() const {
  static const Map kNone;
  return is_map() ? std::get<Map>(v_) : kNone;
}

Value::List& Value::list() {
  if (!is_list()) v_ = List{};
  return std::get<List>(v_);
}

Value::Map& Value::map() {
  if (!is_map()) v_ = Map{};
  return std::get<Map>(v_);
}

std::string Value::text() const {
  if (is_text()) return std::get<std::string>(v_);
  return is_null() ? "" : ToJson();
}

int64_t Value::whole() const {
  return std::strtoll(text().c_str(), nullptr, 10);
}

bool Value::truth() const {
  if (is_text()) {
    const std::string lower = ToLower(std::get<std::string>(v_));
    return !lower.empty() && lower != "false" && lower != "no";
  }
  if (is_list()) return !list().empty();
  if (is_map()) return !map().empty();
  if (is_bool()) return std::get<bool>(v_);
  return !is_null() && ToJson() != "0";
}

std::vector<std::string> Value::texts() const {
  if (is_null()) return {};
  if (!is_list()) return {text()};
  std::vector<std::string> out;
  for (const Value& item : list()) out.push_back(item.text());
  return out;
}

const Value& Value::operator[](std::string_view key) const {
  static const Value kNull;
  for (const auto& [name, value] : map()) {
    if (name == key) return value;
  }
  return kNull;
}

const Value& Value::operator[](size_t index) const {
  static const Value kNull;
  return index < list().size() ? list()[index] : kNull;
}

bool Value::has(std::string_view key) const {
  for (const auto& [name, value] : map()) {
    if (name == key) return true;
  }
  return false;
}

Value& Value::Set(std::string_view key, Value value) {
  for (auto& [name, old] : map()) {
    if (name == key) return old = std::move(value);
  }
  map().emplace_back(std::string(key), std::move(value));
  return map().back().second;
}

std::string Value::ToJson() const {
  if (is_null()) return "null";
  if (is_bool()) return std::get<bool>(v_) ? "true" : "false";
  if (is_text()) return JsonQuote(std::get<std::string>(v_));
  if (const auto* integer = std::get_if<int64_t>(&v_)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&v_)) {
    if (!std::isfinite(*number)) return "null";
    std::string out = fmt::format("{}", *number);
    return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
  }
  std::string out = is_list() ? "[" : "{";
  bool first = true;
  for (const Value& item : list()) {
    out += (first ? "" : ",") + item.ToJson();
    first = false;
  }
  for (const auto& [key, item] : map()) {
    out += (first ? "" : ",") + JsonQuote(key) + ":" + item.ToJson();
    first = false;
  }
  return out + (is_list() ? "]" : "}");
}

Result<Value> Value::FromJson(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  auto error = parser.parse(simdjson::padded_string(json)).get(root);
  if (error != simdjson::SUCCESS) {
    return Status(Code::kSyntax, fmt::format("not valid JSON: {}", simdjson::error_message(error)));
  }
  return FromDom(root);
}

}  // namespace millrace::dbt
