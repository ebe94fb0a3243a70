// The type of column that a JSON value would fit, for fields that no table declares.
#pragma once

#include <simdjson.h>
#include <optional>
#include <string_view>

#include "model/schema.h"

namespace millrace::format {

// BOOLEAN, BIGINT, DOUBLE, STRING; an object a ROW of the fields whose type is known, an array an
// ARRAY of what takes all its elements. Nothing: null, an empty array or object, elements of
// different kinds, nesting deeper than 16, no JSON. Texts are not looked at: a date is a STRING.
std::optional<duckdb::LogicalType> JsonValueType(simdjson::dom::parser& parser,
                                                 std::string_view json);

}  // namespace millrace::format
