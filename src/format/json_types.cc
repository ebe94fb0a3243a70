#include "format/json_types.h"

#include "format/drift.h"

namespace millrace::format {

using duckdb::LogicalType;
using simdjson::dom::element;
using simdjson::dom::element_type;

namespace {

constexpr int kDepthMax = 16;

std::optional<LogicalType> TypeOf(const element& value, int depth);

std::optional<LogicalType> TypeOfArray(const simdjson::dom::array& values, int depth) {
  std::optional<LogicalType> all;
  for (const element& value : values) {
    auto one = TypeOf(value, depth + 1);
    if (!one) continue;
    all = all ? WiderType(*all, *one) : one;
    if (!all) return std::nullopt;
  }
  return all ? std::optional(LogicalType::LIST(*all)) : std::nullopt;
}

std::optional<LogicalType> TypeOfObject(const simdjson::dom::object& object, int depth) {
  duckdb::child_list_t<LogicalType> fields;
  for (const auto& [name, value] : object) {
    auto type = TypeOf(value, depth + 1);
    if (type) fields.emplace_back(std::string(name), *type);
  }
  return fields.empty() ? std::nullopt : std::optional(LogicalType::STRUCT(std::move(fields)));
}

std::optional<LogicalType> TypeOf(const element& value, int depth) {
  if (depth > kDepthMax) return std::nullopt;
  switch (value.type()) {
    case element_type::BOOL:
      return LogicalType::BOOLEAN;
    case element_type::INT64:
      return LogicalType::BIGINT;
    case element_type::UINT64:
    case element_type::DOUBLE:
      return LogicalType::DOUBLE;
    case element_type::STRING:
      return LogicalType::VARCHAR;
    case element_type::ARRAY:
      return TypeOfArray(value.get_array().value_unsafe(), depth);
    case element_type::OBJECT:
      return TypeOfObject(value.get_object().value_unsafe(), depth);
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<LogicalType> JsonValueType(simdjson::dom::parser& parser, std::string_view json) {
  element value;
  if (parser.parse(json.data(), json.size()).get(value)) return std::nullopt;
  return TypeOf(value, 0);
}

}  // namespace millrace::format
