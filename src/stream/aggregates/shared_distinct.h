// Several DISTINCT aggregates of one argument, each with a filter of its own, over one set of
// values: COUNT(DISTINCT x), COUNT(DISTINCT x) FILTER (WHERE a), COUNT(DISTINCT x) FILTER (WHERE
// b).
#pragma once

#include <memory>
#include <vector>

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

struct DistinctMember {
  std::unique_ptr<Aggregate> inner;
  int filter = -1;  // column of the input; -1: sees every row
};

constexpr size_t kDistinctMembersMax = 8;

// Of input that only appends. An aggregate for each member, in order: all are to be used together,
// as the aggregates of one GroupStates are.
std::vector<std::unique_ptr<Aggregate>> NewSharedDistinct(std::vector<DistinctMember> members,
                                                          int argument,
                                                          const duckdb::LogicalType& type);

}  // namespace millrace::stream
