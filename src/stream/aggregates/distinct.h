// DISTINCT: lets an aggregate see each value of a group once.
#pragma once

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

// Wraps `inner`: a value reaches it when its count in the group goes from 0 to 1, and is taken from
// it when the count goes back to 0. All groups share one flat table of (slot, value). `forgets`:
// slots are reset while they have values, which are freed; costs 8 bytes a value.
std::unique_ptr<Aggregate> NewDistinct(std::unique_ptr<Aggregate> inner, int argument,
                                       const duckdb::LogicalType& type, bool retracts,
                                       bool forgets);

}  // namespace millrace::stream
