// OVER that updates its results: any order, any frame with constant bounds, any input.
#include <fmt/format.h>

#include <duckdb/planner/expression/bound_aggregate_expression.hpp>
#include <duckdb/planner/expression/bound_window_expression.hpp>

#include "stream/job_plan_builder.h"
#include "stream/updating_over.h"

namespace millrace::stream {

using duckdb::BoundWindowExpression;
using duckdb::Expression;
using duckdb::ExpressionType;
using duckdb::idx_t;
using Boundary = duckdb::WindowBoundary;
using Edge = UpdatingOverPlan::Edge;
using Kind = UpdatingOverPlan::Kind;

namespace {

Status RefuseOver(const std::string& why, const std::string& instead) {
  return Refuse("OVER", why, instead);
}

Result<Kind> KindOf(const BoundWindowExpression& window) {
  switch (window.GetExpressionType()) {
    case ExpressionType::WINDOW_AGGREGATE:
      return Kind::kAggregate;
    case ExpressionType::WINDOW_ROW_NUMBER:
      return Kind::kRowNumber;
    case ExpressionType::WINDOW_RANK:
      return Kind::kRank;
    case ExpressionType::WINDOW_RANK_DENSE:
      return Kind::kDenseRank;
    case ExpressionType::WINDOW_PERCENT_RANK:
      return Kind::kPercentRank;
    case ExpressionType::WINDOW_CUME_DIST:
      return Kind::kCumeDist;
    case ExpressionType::WINDOW_NTILE:
      return Kind::kNtile;
    case ExpressionType::WINDOW_LAG:
      return Kind::kLag;
    case ExpressionType::WINDOW_LEAD:
      return Kind::kLead;
    case ExpressionType::WINDOW_FIRST_VALUE:
      return Kind::kFirstValue;
    case ExpressionType::WINDOW_LAST_VALUE:
      return Kind::kLastValue;
    case ExpressionType::WINDOW_NTH_VALUE:
      return Kind::kNthValue;
    default:
      return RefuseOver(fmt::format("function {} on a stream is not supported", window.GetName()),
                        "see docs/reference/sql.md for the functions that are");
  }
}

// One end of a frame; a bound by value becomes the expression `values` ends with.
Result<UpdatingOverPlan::Bound> BoundOf(Boundary boundary, const Expression* distance,
                                        std::vector<const Expression*>& values) {
  UpdatingOverPlan::Bound bound;
  switch (boundary) {
    case Boundary::UNBOUNDED_PRECEDING:
    case Boundary::UNBOUNDED_FOLLOWING:
      return bound;
    case Boundary::CURRENT_ROW_ROWS:
      bound.edge = Edge::kRows;
      return bound;
    case Boundary::CURRENT_ROW_RANGE:
    case Boundary::CURRENT_ROW_GROUPS:
      bound.edge = Edge::kPeers;
      return bound;
    case Boundary::EXPR_PRECEDING_ROWS:
    case Boundary::EXPR_FOLLOWING_ROWS: {
      auto rows = ConstantInt(*distance);
      if (!rows || *rows < 0) {
        return RefuseOver("with ROWS needs a constant number of rows", "write ROWS 10 PRECEDING");
      }
      bound.edge = Edge::kRows;
      bound.offset = boundary == Boundary::EXPR_PRECEDING_ROWS ? -*rows : *rows;
      return bound;
    }
    case Boundary::EXPR_PRECEDING_RANGE:
    case Boundary::EXPR_FOLLOWING_RANGE:
      // DuckDB turns it into the value itself: the ordering column plus or less the distance.
      bound.edge = Edge::kValue;
      bound.value = values.size();
      values.push_back(distance);
      return bound;
    default:
      return RefuseOver("with a frame of GROUPS is not supported", "use ROWS or RANGE");
  }
}

// What a frame without ORDER BY, or FIRST_VALUE and its like, need of the function's own arguments.
Status CheckForm(const BoundWindowExpression& window) {
  if (window.exclude_clause != duckdb::WindowExcludeMode::NO_OTHER) {
    return RefuseOver("with EXCLUDE on a stream is not supported", "leave EXCLUDE out");
  }
  if (!window.arg_orders.empty()) {
    return RefuseOver("with ORDER BY inside the function's brackets is not supported",
                      "order by the same in OVER (…)");
  }
  if (window.ignore_nulls) {
    return RefuseOver("with IGNORE NULLS on a stream is not supported",
                      "filter the NULLs out before");
  }
  return Status::Ok();
}

// The constant that LAG, LEAD, NTILE and NTH_VALUE have beside their argument.
Status SetNumber(const BoundWindowExpression& window, UpdatingOverPlan::Call& call) {
  const Expression* number = nullptr;
  if (call.kind == Kind::kLag || call.kind == Kind::kLead) number = window.offset_expr.get();
  if (call.kind == Kind::kNtile) number = window.children[0].get();
  if (call.kind == Kind::kNthValue) number = window.children[1].get();
  if (!number) return Status::Ok();
  auto value = ConstantInt(*number);
  const bool shifts = call.kind == Kind::kLag || call.kind == Kind::kLead;
  if (!value || (!shifts && *value < 1)) {
    return RefuseOver(fmt::format("function {} needs a constant number", window.GetName()),
                      "write a number in its brackets");
  }
  call.number = *value;
  if (shifts && call.number < 0) {
    call.kind = call.kind == Kind::kLag ? Kind::kLead : Kind::kLag;
    call.number = -call.number;
  }
  return Status::Ok();
}

}  // namespace

Result<JobPlanBuilder::Stream> JobPlanBuilder::AddUpdatingOver(
    Stream input, const std::vector<const BoundWindowExpression*>& windows) {
  UpdatingOverPlan plan;
  std::vector<const Expression*> needed;
  for (const auto& e : windows[0]->partitions) needed.push_back(e.get());
  const size_t partitions = needed.size();
  for (const auto& order : windows[0]->orders) {
    needed.push_back(order.expression.get());
    plan.order.emplace_back(order.type, order.null_order);
  }
  // Values that bound frames, then each function's arguments, filter and fallback.
  std::vector<const Expression*> values;
  for (const auto* window : windows) {
    MR_RETURN_IF_ERROR(CheckForm(*window));
    UpdatingOverPlan::Call call;
    MR_ASSIGN_OR_RETURN(call.kind, KindOf(*window));
    MR_RETURN_IF_ERROR(SetNumber(*window, call));
    MR_ASSIGN_OR_RETURN(call.start, BoundOf(window->start, window->start_expr.get(), values));
    MR_ASSIGN_OR_RETURN(call.end, BoundOf(window->end, window->end_expr.get(), values));
    call.type = window->return_type;
    call.text = window->ToString();
    plan.aggregates.input_retracts |=
        call.kind == Kind::kAggregate && call.start.edge != Edge::kUnbounded;
    plan.calls.push_back(std::move(call));
  }
  for (const Expression* value : values) {
    if (windows[0]->orders.size() == 1 &&
        value->return_type == windows[0]->orders[0].expression->return_type) {
      continue;
    }
    return RefuseOver("with RANGE and a distance needs one ORDER BY column of the same type",
                      "use ROWS");
  }
  needed.insert(needed.end(), values.begin(), values.end());
  for (const auto* window : windows) {
    for (const auto& child : window->children) needed.push_back(child.get());
    if (window->filter_expr) needed.push_back(window->filter_expr.get());
    if (window->default_expr) needed.push_back(window->default_expr.get());
  }
  std::vector<idx_t> places;
  Stream stream = WithColumns(std::move(input), needed, places);
  auto next = places.begin();
  for (size_t i = 0; i < partitions; i++) plan.keys.push_back(*next++);
  for (size_t i = 0; i < plan.order.size(); i++) plan.order_columns.push_back(*next++);
  for (size_t i = 0; i < values.size(); i++) plan.bounds.push_back(*next++);
  for (size_t i = 0; i < windows.size(); i++) {
    const BoundWindowExpression& window = *windows[i];
    UpdatingOverPlan::Call& call = plan.calls[i];
    AggregateColumns columns;
    Expressions arguments;
    for (const auto& child : window.children) {
      auto place = static_cast<int>(*next++);
      if (columns.argument < 0) {
        columns.argument = place;
      } else {
        columns.more.push_back(place);
      }
      arguments.push_back(child->Copy());
    }
    if (window.filter_expr) columns.filter = static_cast<int>(*next++);
    if (window.default_expr) call.fallback = static_cast<int>(*next++);
    call.argument = static_cast<idx_t>(std::max(columns.argument, 0));
    if (call.kind != Kind::kAggregate) continue;
    auto bound = duckdb::make_uniq<duckdb::BoundAggregateExpression>(
        *window.aggregate, std::move(arguments),
        window.filter_expr ? window.filter_expr->Copy() : nullptr,
        window.bind_info ? window.bind_info->Copy() : nullptr,
        window.distinct ? duckdb::AggregateType::DISTINCT : duckdb::AggregateType::NON_DISTINCT);
    MR_RETURN_IF_ERROR(CheckAggregate(*bound));
    call.aggregate = plan.aggregates.calls.size();
    plan.aggregates.calls.push_back({std::move(bound), columns});
  }
  plan.types = stream.types();
  for (const StreamColumn& column : stream.columns) plan.names.push_back(column.name);
  plan.input_retracts = stream.changelog == ChangelogKind::kRetract;

  Stream result;
  result.changelog = ChangelogKind::kRetract;
  result.columns = stream.columns;
  for (StreamColumn& column : result.columns) column.frontier = {};
  for (const UpdatingOverPlan::Call& call : plan.calls) {
    StreamColumn column;
    column.type = call.type;
    column.name = call.text;
    result.columns.push_back(std::move(column));
  }
  stream = Partition(std::move(stream), plan.keys);
  auto* made = Add<UpdatingOver>(std::move(plan));
  stream.from->emitter().Add(made, 0);
  result.from = made;
  return result;
}

}  // namespace millrace::stream
