// MIN and MAX.
#pragma once

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

enum class Extreme { kMin, kMax };

// Append-only input keeps one value a group. Input that takes rows away needs all of them: a
// counted, ordered set of values a group.
std::unique_ptr<Aggregate> NewExtreme(Extreme which, int argument, const duckdb::LogicalType& type,
                                      bool retracts);

}  // namespace millrace::stream
