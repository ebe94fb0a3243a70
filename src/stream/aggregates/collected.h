// Any aggregate of DuckDB: keeps the values of each group and has DuckDB aggregate them anew when
// the result is asked for.
//
// Cost: memory for every value of a group, and time for all of them per result; taking a value
// away searches the group's values from the oldest on. For what has no incremental form of its own:
// STDDEV, LISTAGG, ARRAY_AGG, MEDIAN, arg_min … first, last and any_value of append-only input
// keep one value.
#pragma once

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

// Errors: kUnsupported for what is not a function of the values.
Result<std::unique_ptr<Aggregate>> NewCollected(const duckdb::BoundAggregateExpression& bound,
                                                const AggregateColumns& columns, bool retracts);

}  // namespace millrace::stream
