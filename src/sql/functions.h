// Flink's functions in DuckDB's terms: one row per function whose name, arguments or meaning
// differ, and the macros (mr_…) that some of them become.
//
// A function that is in neither list passes through unchanged.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "duck/planner.h"

namespace millrace::sql {

struct FunctionRule {
  std::string_view name;  // upper case
  int arguments_min = 0;
  int arguments_max = 0;
  // $1 … $9: the arguments, each at most once; $*: all of them with commas. Empty: refused.
  std::string_view result;
  std::string_view hint = {};  // of a refused one: the nearest thing that works
};

// Rules of one name, or none; the one whose argument counts fit applies.
std::vector<const FunctionRule*> FindFunctionRules(std::string_view upper_name);

// CREATE MACRO statements for the macros that rules use, in an order in which they can be run.
const std::vector<std::string_view>& MacroStatements();
// Those that take their place where the session's time zone is not UTC.
const std::vector<std::string_view>& ZoneMacroStatements();

// Creates the macros and mr_cut (TRUNC for numbers, the value itself for the rest) in the
// database's system catalog, where every connection sees them. mr_now() must be there already.
// Repeatable.
Status RegisterFlinkFunctions(duckdb::DuckDB& database);

// From now on "/" between two integers cuts on this connection, as in Flink, where DuckDB would
// answer with a DOUBLE. Attaches an in-memory database named "millrace_flink" and puts it on the
// connection's search path before the built-in functions. Repeatable.
Status UseFlinkArithmetic(duckdb::Connection& connection);

// From now on the connection's time zone is this one, for all that Flink asks of
// 'table.local-time-zone': casts between TIMESTAMP_LTZ and TIMESTAMP or text, the clock's
// functions, parts and rounding of points in time; adding to them stays exact, as in Flink. Needs
// UseFlinkArithmetic first. Repeatable. Error kBadOption: there is no such zone.
Status UseTimeZone(duckdb::Connection& connection, const std::string& name);

// A planner for the Flink dialect: all of the above is there. May be called from any thread.
Result<std::unique_ptr<duck::Planner>> NewFlinkPlanner();

}  // namespace millrace::sql
