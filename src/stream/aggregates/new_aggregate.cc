#include <fmt/format.h>

#include "base/strings.h"
#include "stream/aggregates/aggregate.h"
#include "stream/aggregates/count.h"
#include "stream/aggregates/distinct.h"
#include "stream/aggregates/extreme.h"
#include "stream/aggregates/filtered.h"
#include "stream/aggregates/sum.h"

namespace millrace::stream {

namespace {

Status Unsupported(const duckdb::BoundAggregateExpression& bound, const std::string& why) {
  return Status(Code::kUnsupported,
                fmt::format("aggregate \"{}\" {}", ToUpper(bound.function.name), why))
      .WithHint("COUNT, SUM, AVG, MIN and MAX run incrementally, each with DISTINCT and FILTER");
}

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

Result<std::unique_ptr<Aggregate>> NewAggregate(const duckdb::BoundAggregateExpression& bound,
                                                const AggregateColumns& columns, bool retracts) {
  if (bound.order_bys && !bound.order_bys->orders.empty()) {
    return Unsupported(bound, "with ORDER BY cannot be kept incrementally");
  }
  auto aggregate = MakePlain(bound, columns.argument, retracts);
  if (!aggregate) return Unsupported(bound, "cannot be kept incrementally yet");
  // MIN and MAX of distinct values are those of all values.
  bool extreme = bound.function.name == "min" || bound.function.name == "max";
  if (bound.IsDistinct() && !extreme) {
    aggregate = NewDistinct(std::move(aggregate), columns.argument, bound.children[0]->return_type,
                            retracts);
  }
  if (columns.filter >= 0) aggregate = NewFiltered(std::move(aggregate), columns.filter);
  return aggregate;
}

Status CheckAggregate(const duckdb::BoundAggregateExpression& bound) {
  AggregateColumns columns;
  if (!bound.children.empty()) columns.argument = 0;
  return NewAggregate(bound, columns, false).status();
}

}  // namespace millrace::stream
