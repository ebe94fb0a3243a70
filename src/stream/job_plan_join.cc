// The join part of JobPlanBuilder: DuckDB's several join nodes become one shape, and that becomes
// an IntervalJoin where time bounds it, else a RegularJoin.
#include <fmt/format.h>

#include <algorithm>
#include <duckdb/planner/expression/bound_between_expression.hpp>
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_conjunction_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>
#include <functional>

#include "base/strings.h"
#include "stream/job_plan_builder.h"
#include "stream/regular_join.h"

namespace millrace::stream {

using duckdb::BoundComparisonExpression;
using duckdb::BoundReferenceExpression;
using duckdb::Expression;
using duckdb::ExpressionClass;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::JoinCondition;
using duckdb::JoinType;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

namespace {

void ForEachReference(Expression& e, const std::function<void(BoundReferenceExpression&)>& visit) {
  if (e.GetExpressionClass() == ExpressionClass::BOUND_REF) {
    visit(e.Cast<BoundReferenceExpression>());
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](Expression& child) { ForEachReference(child, visit); });
}

enum class Side { kNone, kLeft, kRight, kBoth };

Side SideOf(Expression& e, idx_t left_width) {
  bool seen[2] = {false, false};
  ForEachReference(e, [&](BoundReferenceExpression& ref) { seen[ref.index >= left_width] = true; });
  return seen[0] ? (seen[1] ? Side::kBoth : Side::kLeft) : (seen[1] ? Side::kRight : Side::kNone);
}

// Adds a comparison of a left with a right value to the conditions; false: it is another kind.
bool AddComparison(duckdb::unique_ptr<Expression> one, duckdb::unique_ptr<Expression> other,
                   ExpressionType comparison, idx_t left_width,
                   std::vector<JoinCondition>& conditions) {
  Side side = SideOf(*one, left_width);
  Side other_side = SideOf(*other, left_width);
  if (side == Side::kRight && other_side == Side::kLeft) {
    std::swap(one, other);
    comparison = duckdb::FlipComparisonExpression(comparison);
  } else if (side != Side::kLeft || other_side != Side::kRight) {
    return false;
  }
  ForEachReference(*other, [&](BoundReferenceExpression& ref) { ref.index -= left_width; });
  JoinCondition condition;
  condition.left = std::move(one);
  condition.right = std::move(other);
  condition.comparison = comparison;
  conditions.push_back(std::move(condition));
  return true;
}

Result<JoinKind> KindOf(JoinType type) {
  switch (type) {
    case JoinType::INNER:
      return JoinKind::kInner;
    case JoinType::LEFT:
    case JoinType::SINGLE:  // checked to find one partner at most
      return JoinKind::kLeft;
    case JoinType::RIGHT:
      return JoinKind::kRight;
    case JoinType::OUTER:
      return JoinKind::kFull;
    case JoinType::SEMI:
      return JoinKind::kSemi;
    case JoinType::ANTI:
      return JoinKind::kAnti;
    case JoinType::MARK:
      return JoinKind::kMark;
    default:
      return Refuse("JOIN",
                    fmt::format("of kind {} is not supported", duckdb::JoinTypeToString(type)),
                    "use JOIN, LEFT, RIGHT or FULL JOIN, IN or EXISTS");
  }
}

bool IsKey(const JoinCondition& condition) {
  return condition.comparison == ExpressionType::COMPARE_EQUAL ||
         condition.comparison == ExpressionType::COMPARE_NOT_DISTINCT_FROM;
}

std::string Describe(const std::vector<JoinCondition>& conditions, const Expressions& residual) {
  std::vector<std::string> texts;
  bool keyed = false;
  for (const JoinCondition& c : conditions) {
    keyed |= IsKey(c);
    texts.push_back(fmt::format("{} {} {}", c.left->ToString(),
                                duckdb::ExpressionTypeToOperator(c.comparison),
                                c.right->ToString()));
  }
  for (const auto& e : residual) texts.push_back(e->ToString());
  std::string text = Join(texts, " AND ");
  return keyed || text.empty() ? text : text + " (no equality: compares every pair of rows)";
}

}  // namespace

duckdb::unique_ptr<Expression> JobPlanBuilder::ColumnOf(const Stream& stream, idx_t column) {
  return duckdb::make_uniq<BoundReferenceExpression>(stream.columns[column].name,
                                                     stream.columns[column].type, column);
}

void JobPlanBuilder::AddCondition(const Expression& e, idx_t left_width, JoinShape& shape) {
  if (e.GetExpressionType() == ExpressionType::CONJUNCTION_AND) {
    for (const auto& child : e.Cast<duckdb::BoundConjunctionExpression>().children) {
      AddCondition(*child, left_width, shape);
    }
    return;
  }
  if (e.GetExpressionClass() == ExpressionClass::BOUND_COMPARISON) {
    const auto& comparison = e.Cast<BoundComparisonExpression>();
    if (AddComparison(comparison.left->Copy(), comparison.right->Copy(), e.GetExpressionType(),
                      left_width, shape.conditions)) {
      return;
    }
  }
  if (e.GetExpressionClass() == ExpressionClass::BOUND_BETWEEN) {
    const auto& between = e.Cast<duckdb::BoundBetweenExpression>();
    AddCondition(BoundComparisonExpression(between.LowerComparisonType(), between.input->Copy(),
                                           between.lower->Copy()),
                 left_width, shape);
    AddCondition(BoundComparisonExpression(between.UpperComparisonType(), between.input->Copy(),
                                           between.upper->Copy()),
                 left_width, shape);
    return;
  }
  shape.residual.push_back(e.Copy());
}

Result<JobPlanBuilder::JoinShape> JobPlanBuilder::ShapeOf(const LogicalOperator& node,
                                                          idx_t left_width) {
  JoinShape shape;
  if (node.type == LogicalOperatorType::LOGICAL_CROSS_PRODUCT) return shape;
  const auto& join = node.Cast<duckdb::LogicalJoin>();
  shape.type = join.join_type;
  shape.kept[0] = join.left_projection_map;
  shape.kept[1] = join.right_projection_map;
  if (node.type == LogicalOperatorType::LOGICAL_ANY_JOIN) {
    AddCondition(*node.Cast<duckdb::LogicalAnyJoin>().condition, left_width, shape);
  } else {
    const auto& comparisons = node.Cast<duckdb::LogicalComparisonJoin>();
    shape.correlated = comparisons.mark_types.size();
    if (comparisons.predicate) {
      return Refuse("JOIN", "with a condition of this form is not supported",
                    "move the condition to a WHERE below the join (a subquery in FROM)");
    }
    for (const JoinCondition& condition : comparisons.conditions) {
      shape.conditions.emplace_back();
      shape.conditions.back().left = condition.left->Copy();
      shape.conditions.back().right = condition.right->Copy();
      shape.conditions.back().comparison = condition.comparison;
    }
  }
  for (const JoinCondition& condition : shape.conditions) {
    MR_RETURN_IF_ERROR(CheckDeterministic(*condition.left));
    MR_RETURN_IF_ERROR(CheckDeterministic(*condition.right));
  }
  for (const auto& e : shape.residual) MR_RETURN_IF_ERROR(CheckDeterministic(*e));
  return shape;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitJoin(const LogicalOperator& node) {
  Stream sides[2];
  for (size_t i : {0, 1}) {
    MR_ASSIGN_OR_RETURN(sides[i], VisitBelowJoin(*node.children[i]));
  }
  MR_ASSIGN_OR_RETURN(JoinShape shape, ShapeOf(node, sides[0].columns.size()));
  UseEquality(shape, sides[0], sides[1]);
  return JoinStreams(std::move(shape), std::move(sides[0]), std::move(sides[1]));
}

void JobPlanBuilder::UseEquality(JoinShape& shape, const Stream& left, const Stream& right) {
  auto not_null = [](const Expression& e, const Stream& stream) {
    if (e.GetExpressionClass() != ExpressionClass::BOUND_REF) return false;
    const StreamColumn& column = stream.columns[e.Cast<BoundReferenceExpression>().index];
    return column.not_null || column.frontier.known();  // a row without event time is a dead letter
  };
  if (shape.type == JoinType::MARK) return;  // there the comparison says which columns correlate
  for (JoinCondition& condition : shape.conditions) {
    if (condition.comparison == ExpressionType::COMPARE_NOT_DISTINCT_FROM &&
        (not_null(*condition.left, left) || not_null(*condition.right, right))) {
      condition.comparison = ExpressionType::COMPARE_EQUAL;
    }
  }
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitBelowJoin(const LogicalOperator& node) {
  joins_above_++;
  Result<Stream> stream = Visit(node);
  joins_above_--;
  return stream;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::JoinStreams(JoinShape shape, Stream left,
                                                           Stream right) {
  if (shape.type == JoinType::MARK && shape.conditions.size() > shape.correlated) {
    return MarkStreams(std::move(shape), std::move(left), std::move(right));
  }
  if (shape.type == JoinType::SINGLE && !FindsOnePartner(shape, right)) {
    return Refuse("SELECT",
                  "with a subquery as a value, which may give several rows, is not supported",
                  "aggregate in the subquery (MIN, MAX, …), so that it gives one row");
  }
  if (auto bound = BoundInTime(shape, left, right)) {
    return IntervalJoinOf(std::move(shape), *bound, std::move(left), std::move(right));
  }
  return RegularJoinOf(std::move(shape), std::move(left), std::move(right));
}

bool JobPlanBuilder::FindsOnePartner(const JoinShape& shape, const Stream& right) {
  if (!right.unique) return false;
  return std::all_of(right.unique->begin(), right.unique->end(), [&](idx_t column) {
    return std::any_of(
        shape.conditions.begin(), shape.conditions.end(), [&](const JoinCondition& c) {
          return IsKey(c) && c.right->GetExpressionClass() == ExpressionClass::BOUND_REF &&
                 c.right->Cast<BoundReferenceExpression>().index == column;
        });
  });
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::RegularJoinOf(JoinShape shape, Stream left,
                                                             Stream right) {
  RegularJoinPlan plan;
  MR_ASSIGN_OR_RETURN(plan.kind, KindOf(shape.type));
  plan.ttl_us = options_.state_ttl_us;
  plan.on = Describe(shape.conditions, shape.residual);
  const bool one_partner = FindsOnePartner(shape, right);
  Stream sides[2] = {std::move(left), std::move(right)};
  const idx_t width[2] = {sides[0].columns.size(), sides[1].columns.size()};

  Expressions columns[2];
  for (size_t i : {0, 1}) {
    for (idx_t c = 0; c < width[i]; c++) columns[i].push_back(ColumnOf(sides[i], c));
  }
  for (JoinCondition& condition : shape.conditions) {
    if (!IsKey(condition)) {
      ForEachReference(*condition.right,
                       [&](BoundReferenceExpression& ref) { ref.index += width[0]; });
      shape.residual.push_back(duckdb::make_uniq<BoundComparisonExpression>(
          condition.comparison, std::move(condition.left), std::move(condition.right)));
      continue;
    }
    plan.nulls_match.push_back(condition.comparison == ExpressionType::COMPARE_NOT_DISTINCT_FROM);
    for (size_t i : {0, 1}) {
      const Expression& e = i == 0 ? *condition.left : *condition.right;
      if (e.GetExpressionClass() == ExpressionClass::BOUND_REF) {
        plan.sides[i].keys.push_back(e.Cast<BoundReferenceExpression>().index);
      } else {
        plan.sides[i].keys.push_back(columns[i].size());
        columns[i].push_back(e.Copy());
      }
    }
  }

  // A stored row has only the columns that the output or the residual reads.
  std::vector<uint8_t> needed[2] = {std::vector<uint8_t>(width[0]), std::vector<uint8_t>(width[1])};
  const bool left_only =
      plan.kind == JoinKind::kSemi || plan.kind == JoinKind::kAnti || plan.kind == JoinKind::kMark;
  for (size_t i : {0, 1}) {
    if (left_only && i == 1) break;
    if (shape.kept[i].empty()) needed[i].assign(width[i], 1);
    for (idx_t c : shape.kept[i]) needed[i][c] = 1;
  }
  for (auto& e : shape.residual) {
    ForEachReference(*e, [&](BoundReferenceExpression& ref) {
      bool of_right = ref.index >= width[0];
      needed[of_right][ref.index - (of_right ? width[0] : 0)] = 1;
    });
  }
  std::vector<idx_t> place[2];  // of each input column in the pair
  Stream result;
  for (size_t i : {0, 1}) {
    for (idx_t c = 0; c < width[i]; c++) {
      place[i].push_back(plan.sides[0].payload.size() +
                         (i == 0 ? 0 : plan.sides[1].payload.size()));
      if (!needed[i][c]) continue;
      plan.sides[i].payload.push_back(c);
      if (left_only && i == 1) continue;
      StreamColumn column = sides[i].columns[c];
      column.frontier = {};
      column.window = WindowRole::kNone;
      bool padded = plan.kind == JoinKind::kFull ||
                    plan.kind == (i == 0 ? JoinKind::kRight : JoinKind::kLeft);
      if (padded) column.not_null = false;
      result.columns.push_back(std::move(column));
    }
  }
  for (auto& e : shape.residual) {
    ForEachReference(*e, [&](BoundReferenceExpression& ref) {
      bool of_right = ref.index >= width[0];
      ref.index = place[of_right][ref.index - (of_right ? width[0] : 0)];
    });
  }
  plan.residual = std::move(shape.residual);

  bool keeps_unique =
      left_only || ((plan.kind == JoinKind::kInner || plan.kind == JoinKind::kLeft) && one_partner);
  if (keeps_unique && sides[0].unique) {
    result.unique.emplace();
    for (idx_t c : *sides[0].unique) {
      if (needed[0][c]) {
        result.unique->push_back(place[0][c]);
      } else {
        result.unique.reset();
        break;
      }
    }
  }
  for (size_t i : {0, 1}) {
    plan.sides[i].retracts = sides[i].changelog == ChangelogKind::kRetract;
    sides[i] = Project(std::move(sides[i]), std::move(columns[i]));
    plan.sides[i].types = sides[i].types();
    sides[i] = Partition(std::move(sides[i]), plan.sides[i].keys);
  }
  duckdb::vector<idx_t> kept;
  for (size_t i : {0, 1}) {
    if (left_only && i == 1) break;
    if (shape.kept[i].empty()) kept.insert(kept.end(), place[i].begin(), place[i].end());
    for (idx_t c : shape.kept[i]) kept.push_back(place[i][c]);
  }
  if (plan.kind == JoinKind::kMark) {
    kept.push_back(result.columns.size());
    StreamColumn mark;
    mark.type = duckdb::LogicalType::BOOLEAN;
    mark.name = "matched";
    result.columns.push_back(std::move(mark));
  }
  result.changelog = plan.Appends() ? ChangelogKind::kAppend : ChangelogKind::kRetract;
  auto* made = Add<RegularJoin>(std::move(plan));
  for (size_t i : {0, 1}) sides[i].from->emitter().Add(made, static_cast<int>(i));
  result.from = made;
  return KeepColumns(std::move(result), kept);
}

}  // namespace millrace::stream
