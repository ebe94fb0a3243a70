// The join part of JobPlanBuilder: which joins keep a bounded state, and how.
#include <fmt/format.h>

#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>
#include <optional>

#include "stream/interval_join.h"
#include "stream/job_plan_builder.h"

namespace millrace::stream {

using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::JoinCondition;
using duckdb::JoinType;
using duckdb::LogicalOperator;

namespace {

constexpr const char* kBoundedHint =
    "bound it in time, e.g. ON a.id = b.id AND b.event_time BETWEEN a.event_time AND "
    "a.event_time + INTERVAL '10' MINUTE; both tables need a WATERMARK";

// Distance right.time - left.time that a condition allows.
struct TimeBound {
  idx_t left = 0;
  idx_t right = 0;
  std::optional<int64_t> lower_us;
  std::optional<int64_t> upper_us;
};

std::optional<TimeBound> AsTimeBound(const JoinCondition& condition,
                                     const std::vector<StreamColumn>& left_columns,
                                     const std::vector<StreamColumn>& right_columns) {
  auto left = AsShiftedColumn(*condition.left);
  auto right = AsShiftedColumn(*condition.right);
  if (!left || !right) return std::nullopt;
  if (!left_columns[left->column].frontier.known()) return std::nullopt;
  if (!right_columns[right->column].frontier.known()) return std::nullopt;
  // left + a OP right + b  <=>  (right - left) OP' a - b
  int64_t distance = left->shift_us - right->shift_us;
  TimeBound bound;
  bound.left = left->column;
  bound.right = right->column;
  switch (condition.comparison) {
    case ExpressionType::COMPARE_EQUAL:
      bound.lower_us = bound.upper_us = distance;
      break;
    case ExpressionType::COMPARE_LESSTHANOREQUALTO:
      bound.lower_us = distance;
      break;
    case ExpressionType::COMPARE_LESSTHAN:
      bound.lower_us = distance + 1;
      break;
    case ExpressionType::COMPARE_GREATERTHANOREQUALTO:
      bound.upper_us = distance;
      break;
    case ExpressionType::COMPARE_GREATERTHAN:
      bound.upper_us = distance - 1;
      break;
    default:
      return std::nullopt;
  }
  return bound;
}

void ShiftReferences(Expression& e, idx_t by) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    e.Cast<BoundReferenceExpression>().index += by;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](Expression& child) { ShiftReferences(child, by); });
}

}  // namespace

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitJoin(const LogicalOperator& node) {
  if (node.type != duckdb::LogicalOperatorType::LOGICAL_COMPARISON_JOIN) {
    return Refuse("JOIN", "without an equality between the two tables is not supported yet",
                  kBoundedHint);
  }
  const auto& join = node.Cast<duckdb::LogicalComparisonJoin>();
  bool outer[2] = {join.join_type == JoinType::LEFT || join.join_type == JoinType::OUTER,
                   join.join_type == JoinType::RIGHT || join.join_type == JoinType::OUTER};
  if (join.join_type != JoinType::INNER && !outer[0] && !outer[1]) {
    return Refuse("JOIN",
                  fmt::format("of kind {} (IN, EXISTS) on streams is not supported yet",
                              duckdb::JoinTypeToString(join.join_type)),
                  kBoundedHint);
  }
  Stream sides[2];
  for (size_t i : {0, 1}) {
    MR_ASSIGN_OR_RETURN(sides[i], Visit(*node.children[i]));
    if (sides[i].changelog == ChangelogKind::kRetract) {
      return Refuse("JOIN",
                    "of a result that is updated (GROUP BY without a window) is not "
                    "supported yet",
                    "aggregate over a window (TUMBLE, HOP, CUMULATE) before the join, or after it");
    }
  }

  IntervalJoinPlan plan;
  std::optional<TimeBound> time;
  std::vector<const JoinCondition*> rest;
  // Prefer an inequality on time (interval join), else an equality of window bounds.
  for (bool equality : {false, true}) {
    for (const JoinCondition& condition : join.conditions) {
      if ((condition.comparison == ExpressionType::COMPARE_EQUAL) != equality) continue;
      auto bound = AsTimeBound(condition, sides[0].columns, sides[1].columns);
      if (!bound || (equality && time && time->lower_us && time->upper_us &&
                     sides[0].columns[bound->left].window != WindowRole::kEnd)) {
        continue;
      }
      if (!time || equality) {
        if (!time || !(time->lower_us && time->upper_us) ||
            sides[0].columns[bound->left].window == WindowRole::kEnd) {
          time = bound;
        }
        continue;
      }
      if (bound->left != time->left || bound->right != time->right) continue;
      if (bound->lower_us)
        time->lower_us = std::max(*bound->lower_us, time->lower_us.value_or(*bound->lower_us));
      if (bound->upper_us)
        time->upper_us = std::min(*bound->upper_us, time->upper_us.value_or(*bound->upper_us));
    }
    if (time && time->lower_us && time->upper_us) break;
  }
  if (!time || !time->lower_us || !time->upper_us) {
    return Refuse("JOIN",
                  "would have to keep every row for ever: no condition bounds the distance "
                  "in time on both sides",
                  kBoundedHint);
  }
  plan.lower_us = *time->lower_us;
  plan.upper_us = *time->upper_us;

  // Equal keys become columns of their side; every other condition is checked on the pair.
  Expressions columns[2];
  for (size_t i : {0, 1}) {
    for (idx_t c = 0; c < sides[i].columns.size(); c++) {
      columns[i].push_back(duckdb::make_uniq<BoundReferenceExpression>(
          sides[i].columns[c].name, sides[i].columns[c].type, c));
    }
  }
  std::vector<idx_t> keys[2];
  for (const JoinCondition& condition : join.conditions) {
    if (condition.comparison == ExpressionType::COMPARE_EQUAL) {
      for (size_t i : {0, 1}) {
        const Expression& e = i == 0 ? *condition.left : *condition.right;
        if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
          keys[i].push_back(e.Cast<BoundReferenceExpression>().index);
        } else {
          keys[i].push_back(columns[i].size());
          columns[i].push_back(e.Copy());
        }
      }
    } else {
      rest.push_back(&condition);
    }
  }
  if (keys[0].empty()) {
    return Refuse("JOIN", "without an equality between the two tables is not supported yet",
                  kBoundedHint);
  }
  size_t width[2];
  for (size_t i : {0, 1}) {
    width[i] = sides[i].columns.size();
    sides[i] = Project(std::move(sides[i]), std::move(columns[i]));
    IntervalJoinPlan::Side& side = plan.sides[i];
    side.types = sides[i].types();
    side.keys = keys[i];
    side.time = i == 0 ? time->left : time->right;
    side.frontier = sides[i].columns[side.time].frontier;
    side.time_name = sides[i].columns[side.time].name;
    side.keeps_unmatched = outer[i];
    sides[i] = Partition(std::move(sides[i]), keys[i]);
  }
  size_t right_start = plan.sides[0].types.size();
  for (const JoinCondition* condition : rest) {
    auto left = condition->left->Copy();
    auto right = condition->right->Copy();
    ShiftReferences(*right, right_start);
    plan.residual.push_back(duckdb::make_uniq<duckdb::BoundComparisonExpression>(
        condition->comparison, std::move(left), std::move(right)));
  }
  if (join.predicate) {
    return Refuse("JOIN", "with a condition on one side only inside ON is not supported yet",
                  "move the condition to a WHERE below the join (a subquery in FROM)");
  }

  // A stored row waits for the other side, so results can be as old as the other side's frontier
  // allows: only the two time columns keep a frontier.
  auto shifted = [](const ColumnFrontier& frontier, int64_t us) {
    return frontier.Then([us](model::EventTime t) { return t + us; });
  };
  ColumnFrontier frontiers[2] = {plan.sides[0].frontier, plan.sides[1].frontier};
  ColumnFrontier waits[2] = {shifted(frontiers[1], -plan.upper_us),
                             shifted(frontiers[0], plan.lower_us)};
  idx_t times[2] = {plan.sides[0].time, plan.sides[1].time};
  Stream result;
  for (size_t i : {0, 1}) {
    for (idx_t c = 0; c < sides[i].columns.size(); c++) {
      StreamColumn column = sides[i].columns[c];
      if (c == times[i]) {
        auto& terms = column.frontier.terms;
        terms.insert(terms.end(), waits[i].terms.begin(), waits[i].terms.end());
      } else {
        column.frontier = {};
      }
      // NULL on the padded side of an outer join: no longer a window of its own.
      if (outer[1 - i]) column.frontier = {}, column.window = WindowRole::kNone;
      result.columns.push_back(std::move(column));
    }
  }
  auto* made = Add<IntervalJoin>(std::move(plan));
  for (size_t i : {0, 1}) sides[i].from->emitter().Add(made, static_cast<int>(i));
  result.from = made;

  duckdb::vector<idx_t> kept;
  for (size_t i : {0, 1}) {
    const auto& map = i == 0 ? join.left_projection_map : join.right_projection_map;
    idx_t start = i == 0 ? 0 : right_start;
    for (idx_t c = 0; c < (map.empty() ? width[i] : map.size()); c++) {
      kept.push_back(start + (map.empty() ? c : map[c]));
    }
  }
  return KeepColumns(std::move(result), kept);
}

}  // namespace millrace::stream
