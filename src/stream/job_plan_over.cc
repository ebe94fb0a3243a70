// OVER in the order of event time: which window functions run so; the others update (see
// job_plan_updating_over.cc).
#include <duckdb/planner/expression/bound_aggregate_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression/bound_window_expression.hpp>

#include "stream/job_plan_builder.h"
#include "stream/over_aggregate.h"

namespace millrace::stream {

using duckdb::BoundReferenceExpression;
using duckdb::BoundWindowExpression;
using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::LogicalOperator;

namespace {

using Boundary = duckdb::WindowBoundary;

// What window functions must share to be one OverAggregate.
struct OverFrame {
  OverPlan::Frame frame = OverPlan::Frame::kUnbounded;
  int64_t preceding = 0;
  bool peers_together = true;

  bool operator==(const OverFrame&) const = default;
};

// The frame of an aggregate or FIRST_VALUE, LAST_VALUE; nothing when it is one that updates.
std::optional<OverFrame> FrameOf(const BoundWindowExpression& window, idx_t time_column,
                                 duckdb::ClientContext& context) {
  OverFrame frame;
  if (window.exclude_clause != duckdb::WindowExcludeMode::NO_OTHER) return std::nullopt;
  bool rows = window.end == Boundary::CURRENT_ROW_ROWS;
  if (!rows && window.end != Boundary::CURRENT_ROW_RANGE) return std::nullopt;
  frame.peers_together = !rows;
  switch (window.start) {
    case Boundary::UNBOUNDED_PRECEDING:
      return frame;
    case Boundary::CURRENT_ROW_ROWS:
      frame.frame = OverPlan::Frame::kRows;
      return frame;
    case Boundary::CURRENT_ROW_RANGE:
      frame.frame = OverPlan::Frame::kRange;
      return frame;
    case Boundary::EXPR_PRECEDING_ROWS: {
      auto count = ConstantInt(*window.start_expr);
      if (!count || *count < 0) return std::nullopt;
      frame.frame = OverPlan::Frame::kRows;
      frame.preceding = *count;
      return frame;
    }
    case Boundary::EXPR_PRECEDING_RANGE: {
      // DuckDB turns it into the frame's first time: the ordering column less the distance.
      auto shifted = AsShiftedColumn(*window.start_expr, context);
      if (!shifted || shifted->column != time_column || shifted->shift_us > 0) {
        return std::nullopt;
      }
      frame.frame = OverPlan::Frame::kRange;
      frame.preceding = -shifted->shift_us;
      return frame;
    }
    default:
      return std::nullopt;
  }
}

// Frame and kind of result of one window function. LAG is the first of the last rows; ROW_NUMBER
// and RANK count the rows so far.
std::optional<OverFrame> CallOf(const BoundWindowExpression& window, idx_t time_column,
                                duckdb::ClientContext& context, OverPlan::Call& call) {
  OverFrame frame;
  call.type = window.return_type;
  call.text = window.ToString();
  if (!window.arg_orders.empty() || window.ignore_nulls) return std::nullopt;
  switch (window.GetExpressionType()) {
    case ExpressionType::WINDOW_AGGREGATE:
      call.result = OverPlan::Result::kAggregate;
      return FrameOf(window, time_column, context);
    case ExpressionType::WINDOW_ROW_NUMBER:
      call.result = OverPlan::Result::kRowNumber;
      frame.peers_together = false;
      return frame;
    case ExpressionType::WINDOW_RANK:
      call.result = OverPlan::Result::kRank;
      return frame;
    case ExpressionType::WINDOW_FIRST_VALUE:
      call.result = OverPlan::Result::kFirstValue;
      return FrameOf(window, time_column, context);
    case ExpressionType::WINDOW_LAST_VALUE:
      call.result = OverPlan::Result::kLastValue;
      return FrameOf(window, time_column, context);
    case ExpressionType::WINDOW_LAG: {
      auto distance = window.offset_expr ? ConstantInt(*window.offset_expr) : 1;
      if (!distance || *distance < 0) return std::nullopt;
      call.result = OverPlan::Result::kLag;
      call.distance = *distance;
      frame.frame = OverPlan::Frame::kRows;
      frame.preceding = *distance;
      frame.peers_together = false;
      return frame;
    }
    default:
      return std::nullopt;
  }
}

bool IsTime(const StreamColumn& column) {
  return column.frontier.known() && (column.type.id() == duckdb::LogicalTypeId::TIMESTAMP ||
                                     column.type.id() == duckdb::LogicalTypeId::TIMESTAMP_TZ);
}

}  // namespace

// Whether a window function is in ascending order of event time over appended rows, with a frame
// that ends at the current row: then each row's results are final once.
bool JobPlanBuilder::RunsInTime(const Stream& stream, const BoundWindowExpression& window) const {
  if (stream.changelog == ChangelogKind::kRetract || window.orders.size() != 1 ||
      window.orders[0].type != duckdb::OrderType::ASCENDING) {
    return false;
  }
  const Expression& order = *window.orders[0].expression;
  if (!IsTime(Derive(order, stream.columns, context_))) return false;
  const bool column = order.GetExpressionClass() == ExpressionClass::BOUND_REF;
  OverPlan::Call call;
  return CallOf(window,
                column ? order.Cast<BoundReferenceExpression>().index
                       : duckdb::DConstants::INVALID_INDEX,
                context_, call)
      .has_value();
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitWindow(const LogicalOperator& node) {
  MR_ASSIGN_OR_RETURN(Stream stream, Visit(*node.children[0]));
  const idx_t input_columns = stream.columns.size();
  std::vector<bool> done(node.expressions.size(), false);
  std::vector<idx_t> result_places(node.expressions.size());
  for (size_t first = 0; first < node.expressions.size(); first++) {
    if (done[first]) continue;
    // All functions over the same partitions and order (in time: also the same frame) are worked
    // off together.
    const auto& window = node.expressions[first]->Cast<BoundWindowExpression>();
    const bool in_time = RunsInTime(stream, window);
    OverPlan plan;
    if (in_time) plan = PlanInTime(stream, window);
    std::optional<OverFrame> shared;
    std::vector<const BoundWindowExpression*> members;
    std::vector<size_t> places;  // of the members in node.expressions
    for (size_t i = first; i < node.expressions.size(); i++) {
      const auto& other = node.expressions[i]->Cast<BoundWindowExpression>();
      if (done[i] || !window.KeysAreCompatible(other)) continue;
      if (in_time) {
        OverPlan::Call call;
        auto frame = CallOf(other, plan.time, context_, call);
        if (!frame || (shared && *shared != *frame)) continue;
        shared = *frame;
        plan.calls.push_back(std::move(call));
      }
      done[i] = true;
      members.push_back(&other);
      places.push_back(i);
    }
    if (in_time) {
      plan.frame = shared->frame;
      plan.preceding = shared->preceding;
      plan.peers_together = shared->peers_together;
      MR_ASSIGN_OR_RETURN(stream, AddOver(std::move(stream), std::move(plan), members));
    } else {
      MR_ASSIGN_OR_RETURN(stream, AddUpdatingOver(std::move(stream), members));
    }
    for (size_t i = 0; i < places.size(); i++) {
      result_places[places[i]] = stream.columns.size() - places.size() + i;
    }
  }
  duckdb::vector<idx_t> kept;
  for (idx_t c = 0; c < input_columns; c++) kept.push_back(c);
  for (idx_t place : result_places) kept.push_back(place);
  return KeepColumns(std::move(stream), kept);
}

// Partitions and order of a window function that RunsInTime; `stream` gets the columns they need.
OverPlan JobPlanBuilder::PlanInTime(Stream& stream, const BoundWindowExpression& window) {
  std::vector<const Expression*> needed;
  for (const auto& e : window.partitions) needed.push_back(e.get());
  needed.push_back(window.orders[0].expression.get());
  std::vector<idx_t> places;
  stream = WithColumns(std::move(stream), needed, places);
  OverPlan plan;
  plan.keys.assign(places.begin(), places.end() - 1);
  plan.time = places.back();
  plan.frontier = stream.columns[plan.time].frontier;
  plan_.needs_ticks |= plan.frontier.uses_clock();
  return plan;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::AddOver(
    Stream input, OverPlan plan, const std::vector<const BoundWindowExpression*>& windows) {
  // Arguments and filters become columns too.
  std::vector<const Expression*> needed;
  for (const auto* window : windows) {
    for (const auto& child : window->children) needed.push_back(child.get());
    if (window->filter_expr) needed.push_back(window->filter_expr.get());
    if (window->default_expr) needed.push_back(window->default_expr.get());
  }
  std::vector<idx_t> places;
  Stream stream = WithColumns(std::move(input), needed, places);
  auto next = places.begin();
  plan.aggregates.input_retracts = plan.frame != OverPlan::Frame::kUnbounded;
  for (size_t i = 0; i < windows.size(); i++) {
    const BoundWindowExpression& window = *windows[i];
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
    if (window.default_expr) plan.calls[i].fallback = static_cast<int>(*next++);
    plan.calls[i].argument = static_cast<idx_t>(std::max(columns.argument, 0));
    if (plan.calls[i].result != OverPlan::Result::kAggregate) continue;
    auto bound = duckdb::make_uniq<duckdb::BoundAggregateExpression>(
        *window.aggregate, std::move(arguments),
        window.filter_expr ? window.filter_expr->Copy() : nullptr,
        window.bind_info ? window.bind_info->Copy() : nullptr,
        window.distinct ? duckdb::AggregateType::DISTINCT : duckdb::AggregateType::NON_DISTINCT);
    MR_RETURN_IF_ERROR(CheckAggregate(*bound));
    plan.calls[i].aggregate = plan.aggregates.calls.size();
    plan.aggregates.calls.push_back({std::move(bound), columns});
  }
  plan.types = stream.types();
  for (const StreamColumn& column : stream.columns) plan.names.push_back(column.name);
  Stream result;
  result.columns = stream.columns;
  for (idx_t c = 0; c < result.columns.size(); c++) {
    // Rows were held back until their time: that of another column may have passed since.
    if (c != plan.time) result.columns[c].frontier = {};
  }
  for (const OverPlan::Call& call : plan.calls) {
    StreamColumn column;
    column.type = call.type;
    column.name = call.text;
    result.columns.push_back(std::move(column));
  }
  stream = Partition(std::move(stream), plan.keys);
  auto* made = Add<OverAggregate>(std::move(plan));
  stream.from->emitter().Add(made, 0);
  result.from = made;
  return result;
}

}  // namespace millrace::stream
