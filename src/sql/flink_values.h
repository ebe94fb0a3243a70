// Values as Flink shows and converts them, and exact division of DECIMALs, as DuckDB functions:
//
//   mr_text(any)                  the value as CAST(… AS STRING) of Flink has it: TRUE, 1.0E10,
//                                 [1, NULL], {a=1}, (1, x), +1 02:03:04.500; bytes are UTF-8
//   mr_bytes(text or bytes)       UTF-8 bytes
//   mr_cut_bytes(bytes, n), mr_fill_bytes(bytes, n)   at most, exactly n of them
//   mr_typeof(any)                the name of its type in Flink
//   mr_json_quote(text)           a JSON string of ASCII characters
#pragma once

#include <duckdb.hpp>
#include <string>
#include <vector>

namespace millrace::sql {

std::vector<duckdb::ScalarFunctionSet> FlinkValueFunctions();

// "/" of two DECIMALs: Flink's precision and scale (at least 6 digits), rounded half up. Division
// by zero is NULL.
duckdb::ScalarFunction DecimalDivision();

// As mr_text; NULL is "NULL".
std::string FlinkText(const duckdb::Value& value);
// As Java writes it: 1.0, 1.0E10, NaN, Infinity.
std::string JavaDouble(double value);
std::string JavaFloat(float value);

}  // namespace millrace::sql
