// Typed value -> text, the inverse of format/value_parser.h: what these append, that reads back as
// the same value (infinite dates, which only SQL can make, excepted: they print as "infinity").
#pragma once

#include <duckdb.hpp>
#include <string>
#include <string_view>

#include "format/column_type.h"

namespace millrace::format {

// Shortest text that reads back as the same number; whole numbers end in ".0", as Java writes them.
void AppendFloating(double value, std::string& out);
void AppendFloating(float value, std::string& out);
void AppendInteger(int64_t value, std::string& out);
// All digits of the scale, no exponent.
void AppendDecimal(duckdb::hugeint_t value, uint8_t scale, std::string& out);

void AppendDate(int32_t days, std::string& out);  // "2024-01-31"
// "23:59:59.5": as many digits of the fraction as it has, none for whole seconds (as Flink does).
void AppendTime(int64_t micros, std::string& out);
// Date, separator (' ' or 'T'), time.
void AppendTimestamp(int64_t micros, char separator, std::string& out);

// A JSON string literal with its quotes; `text` is valid UTF-8.
void AppendJsonString(std::string_view text, std::string& out);

// A scalar of `type` at `index` (after the selection) of a column's data, without quotes or
// escapes; BYTES as base64.
void AppendScalar(const ColumnType& type, const duckdb::UnifiedVectorFormat& column,
                  duckdb::idx_t index, char timestamp_separator, std::string& out);

}  // namespace millrace::format
