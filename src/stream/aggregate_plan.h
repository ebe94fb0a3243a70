// AggregatePlan: what an aggregation computes, in terms of its input chunk's columns.
#pragma once

#include <duckdb.hpp>
#include <duckdb/planner/expression/bound_aggregate_expression.hpp>
#include <memory>
#include <string>
#include <vector>

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

struct AggregatePlan {
  // The input chunk: group columns 0..groups-1, then arguments and filters.
  duckdb::vector<duckdb::LogicalType> group_types;
  std::vector<std::string> group_names;  // for EXPLAIN
  struct Call {
    duckdb::unique_ptr<duckdb::BoundAggregateExpression> bound;
    AggregateColumns columns;
  };
  std::vector<Call> calls;
  bool input_retracts = false;
  // Without group columns: whether the one group shows its row before any input (what a join with
  // it needs); else it first shows with the first input.
  bool row_when_empty = false;
  // Groups that were not written for so long are forgotten; 0: never. What their aggregates keep
  // can then be freed for one group.
  int64_t ttl_us = 0;

  // Whether a group, once shown, never changes: the distinct rows of an append-only input. With a
  // time to live it is shown again, so that what reads it knows that it is in use.
  bool Appends() const { return calls.empty() && !input_retracts && ttl_us == 0; }
  // Whether a row that is there n times may come once with weight n.
  bool OnlyCounts() const;
  // Output columns: the groups, then the aggregates.
  duckdb::vector<duckdb::LogicalType> OutputTypes() const;
  // One for each call, on its own.
  std::vector<std::unique_ptr<Aggregate>> MakeAggregates() const;
  // The same for aggregates that are always given the same rows: they may share what they keep.
  std::vector<std::unique_ptr<Aggregate>> MakeAggregatesTogether() const;
  std::string Describe() const;  // "by a, b: count(*), sum(x)"

 private:
  std::vector<size_t> DistinctsLike(size_t first) const;
};

}  // namespace millrace::stream
