// The interval and window joins of JobPlanBuilder: which conditions bound a join in time, and so
// its state.
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
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

namespace {

// Distance right.time - left.time that a condition allows, where it bounds one at all.
struct HalfBound {
  idx_t left = 0;
  idx_t right = 0;
  std::optional<int64_t> lower_us;
  std::optional<int64_t> upper_us;
};

std::optional<HalfBound> AsHalfBound(const JoinCondition& condition,
                                     const std::vector<StreamColumn>& left_columns,
                                     const std::vector<StreamColumn>& right_columns,
                                     duckdb::ClientContext& context) {
  auto left = AsShiftedColumn(*condition.left, context);
  auto right = AsShiftedColumn(*condition.right, context);
  if (!left || !right) return std::nullopt;
  if (!left_columns[left->column].frontier.known()) return std::nullopt;
  if (!right_columns[right->column].frontier.known()) return std::nullopt;
  // left + a OP right + b  <=>  (right - left) OP' a - b
  int64_t distance = left->shift_us - right->shift_us;
  HalfBound bound;
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

// Moves the references to columns `first` and above by `by`.
void ShiftReferencesFrom(Expression& e, idx_t first, idx_t by) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    auto& reference = e.Cast<BoundReferenceExpression>();
    if (reference.index >= first) reference.index += by;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](Expression& child) { ShiftReferencesFrom(child, first, by); });
}

}  // namespace

std::optional<JobPlanBuilder::TimeBound> JobPlanBuilder::BoundInTime(const JoinShape& shape,
                                                                     const Stream& left,
                                                                     const Stream& right) {
  const bool paired = shape.type == JoinType::INNER || shape.type == JoinType::LEFT ||
                      shape.type == JoinType::RIGHT || shape.type == JoinType::OUTER;
  const bool left_only = shape.type == JoinType::SEMI || shape.type == JoinType::ANTI;
  if (!(paired || left_only) || left.changelog == ChangelogKind::kRetract ||
      right.changelog == ChangelogKind::kRetract) {
    return std::nullopt;
  }
  std::optional<HalfBound> time;
  // Prefer an inequality on time (interval join), else an equality of window bounds.
  for (bool equality : {false, true}) {
    for (const JoinCondition& condition : shape.conditions) {
      if ((condition.comparison == ExpressionType::COMPARE_EQUAL) != equality) continue;
      auto bound = AsHalfBound(condition, left.columns, right.columns, context_);
      if (!bound || (equality && time && time->lower_us && time->upper_us &&
                     left.columns[bound->left].window != WindowRole::kEnd)) {
        continue;
      }
      if (!time || equality) {
        if (!time || !(time->lower_us && time->upper_us) ||
            left.columns[bound->left].window == WindowRole::kEnd) {
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
  if (!time || !time->lower_us || !time->upper_us) return std::nullopt;
  return TimeBound{time->left, time->right, *time->lower_us, *time->upper_us};
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::IntervalJoinOf(JoinShape shape, TimeBound time,
                                                              Stream left, Stream right) {
  IntervalJoinPlan plan;
  plan.lower_us = time.lower_us;
  plan.upper_us = time.upper_us;
  const bool outer[2] = {shape.type == JoinType::LEFT || shape.type == JoinType::OUTER,
                         shape.type == JoinType::RIGHT || shape.type == JoinType::OUTER};
  std::vector<const JoinCondition*> rest;
  Stream sides[2] = {std::move(left), std::move(right)};
  if (shape.type == JoinType::SEMI) plan.emits = IntervalJoinPlan::Emits::kLeftMatched;
  if (shape.type == JoinType::ANTI) plan.emits = IntervalJoinPlan::Emits::kLeftUnmatched;
  const bool left_only = plan.emits != IntervalJoinPlan::Emits::kPairs;

  // Equal keys become columns of their side; every other condition is checked on the pair.
  Expressions columns[2];
  for (size_t i : {0, 1}) {
    for (idx_t c = 0; c < sides[i].columns.size(); c++) {
      columns[i].push_back(duckdb::make_uniq<BoundReferenceExpression>(
          sides[i].columns[c].name, sides[i].columns[c].type, c));
    }
  }
  std::vector<idx_t> keys[2];
  for (const JoinCondition& condition : shape.conditions) {
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
  size_t width[2];
  for (size_t i : {0, 1}) {
    width[i] = sides[i].columns.size();
    sides[i] = Project(std::move(sides[i]), std::move(columns[i]));
    IntervalJoinPlan::Side& side = plan.sides[i];
    side.types = sides[i].types();
    side.keys = keys[i];
    side.time = i == 0 ? time.left : time.right;
    side.frontier = sides[i].columns[side.time].frontier;
    side.time_name = sides[i].columns[side.time].name;
    side.keeps_unmatched = outer[i] || (i == 0 && shape.type == JoinType::ANTI);
    sides[i] = Partition(std::move(sides[i]), keys[i]);
  }
  size_t right_start = plan.sides[0].types.size();
  for (const JoinCondition* condition : rest) {
    auto left_value = condition->left->Copy();
    auto right_value = condition->right->Copy();
    ShiftReferencesFrom(*right_value, 0, right_start);
    plan.residual.push_back(duckdb::make_uniq<duckdb::BoundComparisonExpression>(
        condition->comparison, std::move(left_value), std::move(right_value)));
  }
  // The residual counts columns as if no keys had been added to the left side.
  for (auto& e : shape.residual) {
    ShiftReferencesFrom(*e, width[0], right_start - width[0]);
    plan.residual.push_back(std::move(e));
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
    if (left_only && i == 1) break;
    for (idx_t c = 0; c < sides[i].columns.size(); c++) {
      StreamColumn column = sides[i].columns[c];
      if (c == times[i]) {
        auto& terms = column.frontier.terms;
        terms.insert(terms.end(), waits[i].terms.begin(), waits[i].terms.end());
      } else {
        column.frontier = {};
      }
      // NULL on the padded side of an outer join: no longer a window of its own.
      if (outer[1 - i]) {
        column.frontier = {};
        column.window = WindowRole::kNone;
        column.not_null = false;
      }
      result.columns.push_back(std::move(column));
    }
  }
  auto* made = Add<IntervalJoin>(std::move(plan));
  for (size_t i : {0, 1}) sides[i].from->emitter().Add(made, static_cast<int>(i));
  result.from = made;

  duckdb::vector<idx_t> kept;
  for (size_t i : {0, 1}) {
    if (left_only && i == 1) break;
    const auto& map = shape.kept[i];
    idx_t start = i == 0 ? 0 : right_start;
    for (idx_t c = 0; c < (map.empty() ? width[i] : map.size()); c++) {
      kept.push_back(start + (map.empty() ? c : map[c]));
    }
  }
  return KeepColumns(std::move(result), kept);
}

}  // namespace millrace::stream
