// The marks that FOR SYSTEM_TIME AS OF leaves in a query, so that they survive DuckDB's optimiser:
//
//   FROM l JOIN r FOR SYSTEM_TIME AS OF l.time ON c
//   FROM l JOIN r ON mr_as_of(l.time) = mr_version(r) AND (c)
//
// A comparison of a left with a right expression stays a condition of the very join it was written
// at, inner or left. mr_version takes the whole row of the right table; bound, it has that table's
// columns as arguments, so a scan reads all of them, its time column among them. Which kind of join
// it is, says the time: of processing (a lookup) or of an event (versions). By themselves both
// functions are true: as a batch over a table that does not change, the join is an ordinary one.
#pragma once

#include <duckdb/function/function_set.hpp>
#include <vector>

namespace millrace::duck {

constexpr const char* kAsOfFunction = "mr_as_of";
constexpr const char* kVersionFunction = "mr_version";

std::vector<duckdb::ScalarFunctionSet> TemporalMarks();

}  // namespace millrace::duck
