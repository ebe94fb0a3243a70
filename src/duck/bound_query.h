// Binding a query without optimising it: what PlanQuery, DescribeQuery and TraceColumns begin with.
#pragma once

#include <duckdb.hpp>
#include <duckdb/planner/planner.hpp>
#include <functional>
#include <string>

#include "base/status.h"

namespace millrace::duck {

// Parses one query, binds it, and hands the binder's outcome to `use`, all in one transaction. An
// error of DuckDB's, in `use` too, becomes a Status as described at Planner::PlanQuery.
Status WithBoundQuery(duckdb::Connection& connection, const std::string& query,
                      const std::function<void(duckdb::Planner&)>& use);

}  // namespace millrace::duck
