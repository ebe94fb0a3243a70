// Single values as Iceberg keeps them in metadata: the bounds of columns.
//
// Source: Iceberg table specification, "Appendix D: Single-value serialization"; bounds of strings
// are cut to 16 characters, as with its writers' default `truncate(16)`.
#pragma once

#include <duckdb.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::connectors::iceberg {

// Nothing: NULL, NaN, or of a type that has no such form here (binary, uuid, nested ones).
std::optional<std::string> ValueBytes(const duckdb::Value& value);

// The value of a type from such bytes; nothing: of types whose values have no order or no such form
// here, and for bytes that are none.
std::optional<duckdb::Value> ValueOfBytes(std::string_view bytes, const duckdb::LogicalType& type);

// A bound of values that are not below (`lower`) or not above `value`; nothing: there is none that
// is short enough.
std::optional<std::string> BoundBytes(const duckdb::Value& value, bool lower);

}  // namespace millrace::connectors::iceberg
