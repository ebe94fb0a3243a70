// Value: what YAML, JSON and Jinja have in common: null, true and false, numbers, text, lists,
// maps.
//
// Maps keep the order of their keys. Looking up what is not there gives the null value, so that
// `project["models"]["marts"]` needs no checks on its way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace millrace::dbt {

class Value {
 public:
  using List = std::vector<Value>;
  using Map = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  Value(bool v) : v_(v) {}                           // NOLINT: implicit by design
  Value(int v) : v_(static_cast<int64_t>(v)) {}      // NOLINT
  Value(int64_t v) : v_(v) {}                        // NOLINT
  Value(double v) : v_(v) {}                         // NOLINT
  Value(const char* v) : v_(std::string(v)) {}       // NOLINT
  Value(std::string v) : v_(std::move(v)) {}         // NOLINT
  Value(std::string_view v) : v_(std::string(v)) {}  // NOLINT
  Value(List v) : v_(std::move(v)) {}                // NOLINT
  Value(const std::vector<std::string>& texts);      // NOLINT
  // {{"key", value}, …}
  static Value Object(std::initializer_list<std::pair<std::string, Value>> entries = {});

  bool is_null() const { return std::holds_alternative<std::monostate>(v_); }
  bool is_text() const { return std::holds_alternative<std::string>(v_); }
  bool is_list() const { return std::holds_alternative<List>(v_); }
  bool is_map() const { return std::holds_alternative<Map>(v_); }
  bool is_bool() const { return std::holds_alternative<bool>(v_); }

  // Empty for anything else.
  const List& list() const;
  const Map& map() const;
  // Becomes a list or map if it is null.
  List& list();
  Map& map();
  // Text as it is, numbers and booleans as YAML writes them, "" for null; lists and maps as JSON.
  std::string text() const;
  std::string text_or(const std::string& fallback) const { return is_null() ? fallback : text(); }
  // Of a number, or of a text that is one; 0 of anything else.
  int64_t whole() const;
  // false, 0, "", null, empty lists and maps are not true; nor are the texts "false" and "no".
  bool truth() const;
  bool truth_or(bool fallback) const { return is_null() ? fallback : truth(); }
  // A list's texts; a text alone is a list of one.
  std::vector<std::string> texts() const;

  const Value& operator[](std::string_view key) const;
  const Value& operator[](size_t index) const;
  bool has(std::string_view key) const;
  // Sets or adds a key.
  Value& Set(std::string_view key, Value value);
  void Append(Value value) { list().push_back(std::move(value)); }

  std::string ToJson() const;
  static Result<Value> FromJson(std::string_view json);

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Map> v_;
};

}  // namespace millrace::dbt
