// SUM and AVG. Both keep the sum and the number of values, so that values can be taken away and a
// group without values gives NULL.
#pragma once

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

enum class SumKind { kSum, kAverage };

// Argument types: integers and decimals (summed exactly in 128 bits), FLOAT and DOUBLE (summed with
// Neumaier's compensation: Neumaier 1974, "Rundungsfehleranalyse einiger Verfahren zur Summation").
// AVG of integers is cut towards zero, as in Flink. Returns null for other types.
std::unique_ptr<Aggregate> NewSum(SumKind kind, int argument, const duckdb::LogicalType& type,
                                  const duckdb::LogicalType& result_type);

}  // namespace millrace::stream
