// mr_regexp_extract(text, pattern, group): what a group of the pattern's first match holds, as
// Flink's REGEXP_EXTRACT: NULL without a match, and for a group that took no part or does not exist.
// Patterns are RE2's; a faulty one is an error.
//
// One search a row; DuckDB's regexp_extract cannot tell an empty match from none, so that
// regexp_matches had to be asked as well.
#pragma once

#include <duckdb.hpp>

namespace millrace::duck {

duckdb::ScalarFunctionSet RegexpExtractFunction();

}  // namespace millrace::duck
