#include <fmt/format.h>

#include "base/strings.h"
#include "stream/aggregates/aggregate.h"
#include "stream/aggregates/collected.h"
#include "stream/aggregates/count.h"
#include "stream/aggregates/distinct.h"
#include "stream/aggregates/extreme.h"
#include "stream/aggregates/filtered.h"
#include "stream/aggregates/sum.h"

namespace millrace::stream {

namespace {

std::unique_ptr<Aggregate> MakePlain(const duckdb::BoundAggregateExpression& bound, int argument,
                                     bool retracts) {
  const std::string& name = bound.function.name;
  if (name == "count_star") return NewCount(-1);
  if (name == "count") return NewCount(argument);
  if (bound.children.size() != 1) return nullptr;
  const duckdb::LogicalType& type = bound.children[0]->return_type;
  if (name == "sum" || name == "sum_no_overflow") {
    return NewSum(SumKind::kSum, argument, type, bound.return_type);
  }
  if (name == "avg" || name == "mean") {
    return NewSum(SumKind::kAverage, argument, type, bound.return_type);
  }
  if (name == "min") return NewExtreme(Extreme::kMin, argument, type, retracts);
  // Of one row at most: VisitSubqueryInput lets no other through.
  if (name == "first") return NewExtreme(Extreme::kMax, argument, type, retracts);
  if (name == "max") return NewExtreme(Extreme::kMax, argument, type, retracts);
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<Aggregate>> NewAggregateOfAll(const duckdb::BoundAggregateExpression& bound,
                                                     const AggregateColumns& columns,
                                                     bool retracts) {
  // What has an incremental form does not depend on ORDER BY.
  auto aggregate = MakePlain(bound, columns.argument, retracts);
  return aggregate ? std::move(aggregate) : NewCollected(bound, columns, retracts);
}

bool CountsDistinct(const duckdb::BoundAggregateExpression& bound) {
  // MIN and MAX of distinct values are those of all values.
  const bool extreme = bound.function.name == "min" || bound.function.name == "max";
  return bound.IsDistinct() && !extreme;
}

Result<std::unique_ptr<Aggregate>> NewAggregate(const duckdb::BoundAggregateExpression& bound,
                                                const AggregateColumns& columns, bool retracts,
                                                bool forgets) {
  MR_ASSIGN_OR_RETURN(auto aggregate, NewAggregateOfAll(bound, columns, retracts));
  if (CountsDistinct(bound)) {
    if (!columns.more.empty()) {
      return Status(
                 Code::kUnsupported,
                 fmt::format("aggregate \"{}\" with DISTINCT and several arguments (or ORDER BY) "
                             "cannot run as a stream",
                             ToUpper(bound.function.name)))
          .WithHint("make the rows distinct in a subquery, and aggregate those");
    }
    aggregate = NewDistinct(std::move(aggregate), columns.argument, bound.children[0]->return_type,
                            retracts, forgets);
  }
  if (columns.filter >= 0) aggregate = NewFiltered(std::move(aggregate), columns.filter);
  return aggregate;
}

Status CheckAggregate(const duckdb::BoundAggregateExpression& bound) {
  AggregateColumns columns;
  size_t count = bound.children.size() + (bound.order_bys ? bound.order_bys->orders.size() : 0);
  if (count > 0) columns.argument = 0;
  for (size_t i = 1; i < count; i++) columns.more.push_back(static_cast<int>(i));
  return NewAggregate(bound, columns, false).status();
}

bool KeepsValues(const duckdb::BoundAggregateExpression& bound) {
  return MakePlain(bound, 0, false) == nullptr;
}

}  // namespace millrace::stream
