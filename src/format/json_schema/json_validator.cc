#include "format/json_schema/json_validator.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/strings.h"
#include "format/row_fault.h"

namespace millrace::format {

using Json = simdjson::dom::element;
using Kind = JsonSchemaNode::Kind;
using JsonFault = std::optional<std::string>;

namespace {

constexpr int kDepthMax = 500;

// Characters of UTF-8, as JSON Schema counts them.
double LengthOf(std::string_view text) {
  return static_cast<double>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

class Validator {
 public:
  JsonFault Check(const JsonSchemaNode& given, Json json, const std::string& path) {
    if (depth_ > kDepthMax) return Fault(path, "the schema or the value is nested too deeply");
    depth_++;
    JsonFault fault = CheckOne(Resolved(given), json, path);
    depth_--;
    return fault;
  }

 private:
  static std::string Fault(const std::string& path, const std::string& message) {
    return fmt::format("{}: {}", path.empty() ? "/" : path, message);
  }
  static std::string Shown(Json json) { return Excerpt(simdjson::minify(json)); }
  // Of a schema without a type, which says nothing of values of other types.
  static JsonFault NotOfType(const JsonSchemaNode& node, Json json, const std::string& path,
                             const char* type) {
    if (!node.typed) return std::nullopt;
    return Fault(path, fmt::format("{} is no {}", Shown(json), type));
  }

  JsonFault CheckOne(const JsonSchemaNode& node, Json json, const std::string& path) {
    switch (node.kind) {
      case Kind::kNever:
        return Fault(path, "nothing is allowed here");
      case Kind::kNull:
        return json.is_null() ? std::nullopt : NotOfType(node, json, path, "null");
      case Kind::kBoolean:
        return json.is_bool() ? std::nullopt : NotOfType(node, json, path, "boolean");
      case Kind::kString:
        return CheckString(node, json, path);
      case Kind::kNumber:
        return CheckNumber(node, json, path);
      case Kind::kObject:
        return CheckObject(node, json, path);
      case Kind::kArray:
        return CheckArray(node, json, path);
      case Kind::kConst:
      case Kind::kEnum:
        if (IsOneOf(node.values, json)) return std::nullopt;
        return Fault(path, fmt::format("{} is none of {}", Shown(json),
                                       Join({node.values.begin(), node.values.end()}, ", ")));
      case Kind::kAllOf:
        for (const JsonSchemaNode* part : node.parts) {
          if (auto fault = Check(*part, json, path)) return fault;
        }
        return std::nullopt;
      case Kind::kAnyOf:
      case Kind::kOneOf:
        return CheckSum(node, json, path);
      case Kind::kNot:
        if (Check(*node.parts[0], json, path)) return std::nullopt;
        return Fault(path, fmt::format("{} is what it must not be", Shown(json)));
      default:
        return std::nullopt;
    }
  }

  JsonFault CheckSum(const JsonSchemaNode& node, Json json, const std::string& path) {
    JsonFault first;
    size_t valid = 0;
    for (const JsonSchemaNode* part : node.parts) {
      auto fault = Check(*part, json, path);
      valid += fault ? 0 : 1;
      if (fault && !first) first = std::move(fault);
    }
    if (valid == 0) {
      return node.parts.size() == 1
                 ? first
                 : Fault(path, fmt::format("{} is of none of the {} schemas that it may be of",
                                           Shown(json), node.parts.size()));
    }
    if (valid == 1 || node.kind == Kind::kAnyOf) return std::nullopt;
    return Fault(path, fmt::format("{} is of {} schemas at once", Shown(json), valid));
  }

  // Numbers are equal by their values: 1 and 1.0.
  static bool IsOneOf(const std::set<std::string>& values, Json json) {
    if (values.count(simdjson::minify(json)) > 0) return true;
    double number = 0;
    if (json.get(number) != simdjson::SUCCESS) return false;
    return std::any_of(values.begin(), values.end(), [&](const std::string& value) {
      simdjson::dom::parser parser;
      double other = 0;
      return parser.parse(value).get(other) == simdjson::SUCCESS && other == number;
    });
  }

  static JsonFault CheckLimit(const JsonSchemaNode& node, const char* keyword, bool upper,
                              double value, const std::string& path) {
    const auto limit = node.limits.find(keyword);
    if (limit == node.limits.end()) return std::nullopt;
    if (upper ? value <= limit->second : value >= limit->second) return std::nullopt;
    return Fault(path, fmt::format("{} against \"{}\" of {}", value, keyword, limit->second));
  }

  JsonFault CheckString(const JsonSchemaNode& node, Json json, const std::string& path) {
    std::string_view text;
    if (json.get(text) != simdjson::SUCCESS) return NotOfType(node, json, path, "string");
    const double length = LengthOf(text);
    if (auto fault = CheckLimit(node, "minLength", false, length, path)) return fault;
    if (auto fault = CheckLimit(node, "maxLength", true, length, path)) return fault;
    if (!node.pattern || PatternMatches(*node.pattern, text, true)) return std::nullopt;
    return Fault(path, fmt::format("{} does not match {}", Shown(json), JsonQuote(*node.pattern)));
  }

  JsonFault CheckNumber(const JsonSchemaNode& node, Json json, const std::string& path) {
    double number = 0;
    if (json.get(number) != simdjson::SUCCESS) {
      return NotOfType(node, json, path, node.integer ? "integer" : "number");
    }
    if (node.integer && number != std::floor(number)) {
      return Fault(path, fmt::format("{} is no integer", Shown(json)));
    }
    if (auto fault = CheckLimit(node, "minimum", false, number, path)) return fault;
    if (auto fault = CheckLimit(node, "maximum", true, number, path)) return fault;
    for (const bool upper : {false, true}) {
      const char* keyword = upper ? "exclusiveMaximum" : "exclusiveMinimum";
      if (auto fault = CheckLimit(node, keyword, upper, number, path)) return fault;
      const auto limit = node.limits.find(keyword);
      if (limit != node.limits.end() && limit->second == number) {
        return Fault(path, fmt::format("{} against \"{}\" of {}", number, keyword, number));
      }
    }
    if (!node.multiple_of) return std::nullopt;
    const double quotient = number / *node.multiple_of;
    if (std::abs(quotient - std::round(quotient)) < 1e-9) return std::nullopt;
    return Fault(path, fmt::format("{} is no multiple of {}", number, *node.multiple_of));
  }

  JsonFault CheckArray(const JsonSchemaNode& node, Json json, const std::string& path) {
    simdjson::dom::array array;
    if (json.get(array) != simdjson::SUCCESS) return NotOfType(node, json, path, "array");
    size_t i = 0;
    std::set<std::string> seen;
    for (Json item : array) {
      const std::string at = fmt::format("{}/{}", path, i);
      const JsonSchemaNode* schema = i < node.parts.size() ? node.parts[i]
                                     : !node.parts.empty() ? node.additional
                                                           : node.items;
      if (schema != nullptr) {
        if (auto fault = Check(*schema, item, at)) return fault;
      }
      if (node.unique_items && !seen.insert(simdjson::minify(item)).second) {
        return Fault(at, fmt::format("{} is there twice", Shown(item)));
      }
      i++;
    }
    const auto size = static_cast<double>(i);
    if (auto fault = CheckLimit(node, "minItems", false, size, path)) return fault;
    return CheckLimit(node, "maxItems", true, size, path);
  }

  JsonFault CheckObject(const JsonSchemaNode& node, Json json, const std::string& path) {
    simdjson::dom::object object;
    if (json.get(object) != simdjson::SUCCESS) return NotOfType(node, json, path, "object");
    std::set<std::string, std::less<>> names;
    for (auto [name, value] : object) {
      names.emplace(name);
      if (auto fault = CheckProperty(node, std::string(name), value, path)) return fault;
    }
    for (const std::string& name : node.required) {
      if (names.count(name) == 0) return Fault(path, fmt::format("\"{}\" is missing", name));
    }
    for (const auto& [name, others] : node.required_with) {
      if (names.count(name) == 0) continue;
      for (const std::string& other : others) {
        if (names.count(other) > 0) continue;
        return Fault(path, fmt::format("\"{}\" is missing, where \"{}\" is", other, name));
      }
    }
    for (const auto& [name, schema] : node.schema_with) {
      if (names.count(name) == 0) continue;
      if (auto fault = Check(*schema, json, path)) return fault;
    }
    const auto size = static_cast<double>(names.size());
    if (auto fault = CheckLimit(node, "minProperties", false, size, path)) return fault;
    return CheckLimit(node, "maxProperties", true, size, path);
  }

  JsonFault CheckProperty(const JsonSchemaNode& node, const std::string& name, Json value,
                          const std::string& path) {
    const std::string at = path + "/" + name;
    bool known = false;
    if (auto own = node.properties.find(name); own != node.properties.end()) {
      known = true;
      if (auto fault = Check(*own->second, value, at)) return fault;
    }
    for (const auto& [pattern, schema] : node.pattern_properties) {
      if (!PatternMatches(pattern, name, false)) continue;
      known = true;
      if (auto fault = Check(*schema, value, at)) return fault;
    }
    if (known || node.additional == nullptr) return std::nullopt;
    if (Resolved(*node.additional).kind == Kind::kNever) {
      return Fault(at, "the schema has no such property, and allows no others");
    }
    return Check(*node.additional, value, at);
  }

  // `unknown`: the answer for a pattern that RE2 does not know.
  static bool PatternMatches(const std::string& pattern, std::string_view text, bool unknown) {
    const RE2 expression(pattern, RE2::Quiet);
    if (!expression.ok()) return unknown;
    return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), expression);
  }

  int depth_ = 0;
};

}  // namespace

std::optional<std::string> JsonSchemaFault(const JsonSchemaNode& schema, Json document) {
  return Validator().Check(schema, document, "");
}

}  // namespace millrace::format
