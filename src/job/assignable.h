// Which types of values INSERT puts into which columns.
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/status.h"

namespace millrace::job {

// Whether a column of type `to` takes values of type `from` without a CAST. As in Flink between
// kinds of types (text, numbers, times …); within numbers all go, where Flink wants the column to
// be as wide as the value. Error kType names column, table and the CAST to write, at `at`.
Status CheckAssignable(const duckdb::LogicalType& from, const duckdb::LogicalType& to,
                       const std::string& column, const std::string& table, const SourceSpan& at);

}  // namespace millrace::job
