// The subquery part of JobPlanBuilder. DuckDB has turned IN, EXISTS and subqueries as values into
// joins; what is particular about them:
//
//   DELIM_JOIN    a correlated subquery: its right side reads, as DELIM_GET, the distinct values of
//                 the outer columns it depends on; here an ordinary stream with two readers
//   MARK          IN as a value: TRUE, FALSE or NULL
//   first(x), count(*) over one row    a subquery as a value
//   count(*) over LIMIT 1              EXISTS without correlation
#include <algorithm>
#include <duckdb/catalog/catalog.hpp>
#include <duckdb/catalog/catalog_entry/aggregate_function_catalog_entry.hpp>
#include <duckdb/function/function_binder.hpp>
#include <duckdb/planner/expression/bound_aggregate_expression.hpp>
#include <duckdb/planner/expression/bound_case_expression.hpp>
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_conjunction_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_operator_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>

#include "stream/expressions.h"
#include "stream/job_plan_builder.h"

namespace millrace::stream {

using duckdb::BoundAggregateExpression;
using duckdb::Expression;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::JoinCondition;
using duckdb::JoinType;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;
using duckdb::LogicalType;
using duckdb::make_uniq;
using duckdb::unique_ptr;
using duckdb::Value;

namespace {

unique_ptr<BoundAggregateExpression> BindMax(duckdb::ClientContext& context,
                                             unique_ptr<Expression> argument) {
  unique_ptr<BoundAggregateExpression> bound;
  context.RunFunctionInTransaction([&]() {
    auto& entry =
        duckdb::Catalog::GetSystemCatalog(context).GetEntry<duckdb::AggregateFunctionCatalogEntry>(
            context, DEFAULT_SCHEMA, "max");
    auto function = entry.functions.GetFunctionByArguments(context, {argument->return_type});
    duckdb::vector<unique_ptr<Expression>> arguments;
    arguments.push_back(std::move(argument));
    bound = duckdb::FunctionBinder(context).BindAggregateFunction(function, std::move(arguments));
  });
  return bound;
}

bool Calls(const duckdb::LogicalAggregate& node, size_t i, const char* name) {
  return node.expressions[i]->Cast<BoundAggregateExpression>().function.name == name;
}

bool ReadsDelim(const LogicalOperator& node) {
  if (node.type == LogicalOperatorType::LOGICAL_DELIM_GET) return true;
  return std::any_of(node.children.begin(), node.children.end(),
                     [](const auto& child) { return ReadsDelim(*child); });
}

bool IsEquality(ExpressionType comparison) {
  return comparison == ExpressionType::COMPARE_EQUAL ||
         comparison == ExpressionType::COMPARE_NOT_DISTINCT_FROM;
}

bool RefersTo(const Expression& e, idx_t column) {
  return e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF &&
         e.Cast<duckdb::BoundReferenceExpression>().index == column;
}

void Substitute(unique_ptr<Expression>& e, const duckdb::vector<unique_ptr<Expression>>& values) {
  if (e->GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    e = values[e->Cast<duckdb::BoundReferenceExpression>().index]->Copy();
    return;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      *e, [&](unique_ptr<Expression>& child) { Substitute(child, values); });
}

bool IsLimitOne(const LogicalOperator& node) {
  if (node.type != LogicalOperatorType::LOGICAL_LIMIT) return false;
  const auto& limit = node.Cast<duckdb::LogicalLimit>();
  return limit.limit_val.Type() == duckdb::LimitNodeType::CONSTANT_VALUE &&
         limit.limit_val.GetConstantValue() == 1 &&
         limit.offset_val.Type() == duckdb::LimitNodeType::UNSET;
}

}  // namespace

// EXISTS over (rows JOIN outer values ON conditions) is a semi join with `rows` on these
// conditions:
//
//   DELIM_JOIN ANTI  outer.id = v.id         =>   ANTI  outer.id < rows.id
//     outer
//     PROJECTION v.id
//       JOIN INNER  v.id < rows.id
//         rows
//         DELIM_GET v
std::optional<JobPlanBuilder::JoinShape> JobPlanBuilder::WithoutDelim(
    const duckdb::LogicalComparisonJoin& join, const LogicalOperator*& rows) {
  const bool existence =
      join.join_type == JoinType::SEMI || join.join_type == JoinType::ANTI ||
      (join.join_type == JoinType::MARK && join.conditions.size() == join.mark_types.size());
  if (!existence || join.delim_flipped || join.predicate) return std::nullopt;
  // Where the right side's columns come from, below its projections.
  const LogicalOperator* node = join.children[1].get();
  std::vector<std::optional<idx_t>> from;
  for (idx_t c = 0; c < node->types.size(); c++) from.emplace_back(c);
  Expressions filters;  // over node's columns
  for (;; node = node->children[0].get()) {
    if (node->type == LogicalOperatorType::LOGICAL_FILTER) {
      for (const auto& e : node->expressions) filters.push_back(e->Copy());
      const auto& map = node->Cast<duckdb::LogicalFilter>().projection_map;
      for (std::optional<idx_t>& column : from) {
        if (column && !map.empty()) column = map[*column];
      }
      continue;
    }
    if (node->type != LogicalOperatorType::LOGICAL_PROJECTION) break;
    for (auto& e : filters) Substitute(e, node->expressions);
    for (std::optional<idx_t>& column : from) {
      if (!column) continue;
      const Expression& e = *node->expressions[*column];
      column.reset();
      if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
        column = e.Cast<duckdb::BoundReferenceExpression>().index;
      }
    }
  }
  if (node->type != LogicalOperatorType::LOGICAL_COMPARISON_JOIN) return std::nullopt;
  const auto& inner = node->Cast<duckdb::LogicalComparisonJoin>();
  const size_t delim = ReadsDelim(*inner.children[0]) ? 0 : 1;
  if (inner.join_type != JoinType::INNER || inner.predicate ||
      inner.children[delim]->type != LogicalOperatorType::LOGICAL_DELIM_GET ||
      ReadsDelim(*inner.children[1 - delim])) {
    return std::nullopt;
  }
  rows = inner.children[1 - delim].get();

  JoinShape shape;
  shape.type = join.join_type;
  shape.kept[0] = join.left_projection_map;
  const auto& outer_values = join.duplicate_eliminated_columns;
  auto add = [&](unique_ptr<Expression> left, unique_ptr<Expression> right,
                 ExpressionType comparison) {
    for (const JoinCondition& c : shape.conditions) {
      if (c.comparison == comparison && c.left->Equals(*left) && c.right->Equals(*right)) return;
    }
    shape.conditions.emplace_back();
    shape.conditions.back().left = std::move(left);
    shape.conditions.back().right = std::move(right);
    shape.conditions.back().comparison = comparison;
  };
  for (const JoinCondition& condition : inner.conditions) {
    auto value = (delim == 0 ? condition.left : condition.right)->Copy();
    Substitute(value, outer_values);
    add(std::move(value), (delim == 0 ? condition.right : condition.left)->Copy(),
        delim == 0 ? condition.comparison : duckdb::FlipComparisonExpression(condition.comparison));
  }
  // The side and column of the inner join that a column of its result is.
  auto place_of = [&](idx_t column) -> std::pair<size_t, idx_t> {
    const auto& left_map = inner.left_projection_map;
    const idx_t left_width = left_map.empty() ? inner.children[0]->types.size() : left_map.size();
    const size_t side = column < left_width ? 0 : 1;
    const auto& map = side == 0 ? left_map : inner.right_projection_map;
    const idx_t place = column - (side == 0 ? 0 : left_width);
    return {side, map.empty() ? place : map[place]};
  };
  // Conditions that mix both sides were left above the inner join.
  const idx_t outer_width = join.children[0]->types.size();
  Expressions joined;  // for each column of the inner join, over (outer columns, columns of rows)
  for (idx_t column = 0; column < inner.types.size(); column++) {
    auto [side, place] = place_of(column);
    joined.push_back(side == delim ? outer_values[place]->Copy()
                                   : make_uniq<duckdb::BoundReferenceExpression>(
                                         rows->types[place], outer_width + place));
  }
  for (auto& e : filters) {
    Substitute(e, joined);
    AddCondition(*e, outer_width, shape);
  }
  // Each outer value must be tied to its row of the outer side, by nothing but equality.
  std::vector<bool> tied(outer_values.size());
  for (const JoinCondition& condition : join.conditions) {
    if (condition.right->GetExpressionClass() != duckdb::ExpressionClass::BOUND_REF) {
      return std::nullopt;
    }
    auto column = from[condition.right->Cast<duckdb::BoundReferenceExpression>().index];
    if (!column) return std::nullopt;
    auto [side, place] = place_of(*column);
    // A column of the rows stands for the outer value that it is equal to.
    std::optional<idx_t> value;
    bool rejects_null = false;
    for (const JoinCondition& c : inner.conditions) {
      const Expression& of_delim = delim == 0 ? *c.left : *c.right;
      const Expression& of_rows = delim == 0 ? *c.right : *c.left;
      bool same = side == delim
                      ? RefersTo(of_delim, place)
                      : RefersTo(of_rows, place) && IsEquality(c.comparison) &&
                            of_delim.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF;
      if (!same) continue;
      value = of_delim.Cast<duckdb::BoundReferenceExpression>().index;
      rejects_null |= c.comparison != ExpressionType::COMPARE_NOT_DISTINCT_FROM &&
                      c.comparison != ExpressionType::COMPARE_DISTINCT_FROM;
    }
    if (side == delim && !value) value = place;
    const bool ties =
        value && IsEquality(condition.comparison) && condition.left->Equals(*outer_values[*value]);
    if (!ties && side != delim) {  // x IN (SELECT column of the rows …)
      add(condition.left->Copy(),
          make_uniq<duckdb::BoundReferenceExpression>(rows->types[place], place),
          condition.comparison);
      continue;
    }
    if (!ties) return std::nullopt;
    if (condition.comparison == ExpressionType::COMPARE_EQUAL && !rejects_null) {
      return std::nullopt;
    }
    tied[*value] = true;
  }
  if (std::find(tied.begin(), tied.end(), false) != tied.end()) return std::nullopt;
  shape.correlated = shape.conditions.size();
  return shape;
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitDelimJoin(const LogicalOperator& node) {
  const auto& join = node.Cast<duckdb::LogicalComparisonJoin>();
  const LogicalOperator* rows = nullptr;
  if (auto shape = WithoutDelim(join, rows)) {
    for (const JoinCondition& condition : shape->conditions) {
      MR_RETURN_IF_ERROR(CheckDeterministic(*condition.left));
      MR_RETURN_IF_ERROR(CheckDeterministic(*condition.right));
    }
    for (const auto& e : shape->residual) MR_RETURN_IF_ERROR(CheckDeterministic(*e));
    MR_ASSIGN_OR_RETURN(Stream left, VisitBelowJoin(*node.children[0]));
    MR_ASSIGN_OR_RETURN(Stream right, VisitBelowJoin(*rows));
    UseEquality(*shape, left, right);
    return JoinStreams(std::move(*shape), std::move(left), std::move(right));
  }
  const size_t outer = join.delim_flipped ? 1 : 0;
  Stream sides[2];
  MR_ASSIGN_OR_RETURN(sides[outer], VisitBelowJoin(*node.children[outer]));
  sides[outer].open = nullptr;  // two readers: the join and the subquery
  Expressions correlated;
  for (const auto& e : join.duplicate_eliminated_columns) correlated.push_back(e->Copy());
  MR_ASSIGN_OR_RETURN(Stream distinct, Aggregate(sides[outer], std::move(correlated), {}));
  delims_.push_back(std::move(distinct));
  Result<Stream> inner = VisitBelowJoin(*node.children[1 - outer]);
  delims_.pop_back();
  if (!inner.ok()) return inner.status();
  sides[1 - outer] = std::move(*inner);
  MR_ASSIGN_OR_RETURN(JoinShape shape, ShapeOf(node, sides[0].columns.size()));
  return JoinStreams(std::move(shape), std::move(sides[0]), std::move(sides[1]));
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitDelimGet() {
  if (delims_.empty()) {
    return Refuse("SELECT", "with a correlated subquery of this form is not supported",
                  "write it as a join");
  }
  return delims_.back();
}

// x IN (…) as a value:
//   TRUE    a row of the subquery equals x
//   FALSE   else, when the subquery has no row
//   NULL    else, when x is NULL or a row of the subquery is
//   FALSE   else
// The same with <, > and so on (ANY, and ALL as NOT ANY of the contrary). Whether there are rows,
// and whether one is NULL, comes from an aggregation that changes twice at most.
Result<JobPlanBuilder::Stream> JobPlanBuilder::MarkStreams(JoinShape shape, Stream left,
                                                           Stream right) {
  JoinShape groups;  // of the outer row and the aggregation of its subquery's rows
  groups.type = JoinType::LEFT;
  const JoinCondition* comparison = nullptr;
  Expressions needed;
  for (const JoinCondition& condition : shape.conditions) {
    if (condition.comparison != ExpressionType::COMPARE_NOT_DISTINCT_FROM) {
      if (comparison) return MarkSeveral(std::move(shape), std::move(left), std::move(right));
      comparison = &condition;
      continue;
    }
    JoinCondition equal;
    equal.left = condition.left->Copy();
    equal.right =
        make_uniq<duckdb::BoundReferenceExpression>(condition.right->return_type, needed.size());
    equal.comparison = condition.comparison;
    groups.conditions.push_back(std::move(equal));
    needed.push_back(condition.right->Copy());
  }
  if (!comparison || !shape.residual.empty()) {
    return Refuse("IN", "of this form is not supported", "use EXISTS, or NOT EXISTS");
  }
  auto outer_value = comparison->left->Copy();
  const size_t group_count = needed.size();
  needed.push_back(Case(IsNull(comparison->right->Copy()), Constant(Value::INTEGER(1)),
                        Constant(Value::INTEGER(0))));
  right.open = nullptr;
  Stream rows = Project(right, std::move(needed));
  Expressions by;
  for (idx_t c = 0; c < group_count; c++) by.push_back(ColumnOf(rows, c));
  std::vector<unique_ptr<BoundAggregateExpression>> calls;
  calls.push_back(BindMax(context_, ColumnOf(rows, group_count)));
  MR_ASSIGN_OR_RETURN(Stream nulls, Aggregate(std::move(rows), std::move(by), std::move(calls)));

  const idx_t width = left.columns.size();
  duckdb::vector<idx_t> kept = shape.kept[0];
  shape.kept[0].clear();
  MR_ASSIGN_OR_RETURN(Stream marked,
                      RegularJoinOf(std::move(shape), std::move(left), std::move(right)));
  groups.kept[1] = {group_count};
  MR_ASSIGN_OR_RETURN(Stream joined,
                      RegularJoinOf(std::move(groups), std::move(marked), std::move(nulls)));

  Expressions output;
  if (kept.empty()) {
    for (idx_t c = 0; c < width; c++) kept.push_back(c);
  }
  for (idx_t c : kept) output.push_back(ColumnOf(joined, c));
  auto has_null = make_uniq<duckdb::BoundComparisonExpression>(
      ExpressionType::COMPARE_EQUAL, ColumnOf(joined, width + 1), Constant(Value::INTEGER(1)));
  auto unknown = make_uniq<duckdb::BoundConjunctionExpression>(
      ExpressionType::CONJUNCTION_OR, std::move(has_null), IsNull(std::move(outer_value)));
  output.push_back(Case(ColumnOf(joined, width), Constant(Value::BOOLEAN(true)),
                        Case(IsNull(ColumnOf(joined, width + 1)), Constant(Value::BOOLEAN(false)),
                             Case(std::move(unknown), Constant(Value(LogicalType::BOOLEAN)),
                                  Constant(Value::BOOLEAN(false))))));
  return Project(std::move(joined), std::move(output));
}

Result<std::optional<JobPlanBuilder::Stream>> JobPlanBuilder::VisitSubqueryInput(
    const duckdb::LogicalAggregate& node) {
  const LogicalOperator& child = *node.children[0];
  const size_t calls = node.expressions.size();
  std::optional<Stream> input;
  if (!node.groups.empty()) return input;
  if (calls == 1 && Calls(node, 0, "count_star") && IsLimitOne(child)) {
    // One row when there are any: the distinct rows of a constant.
    MR_ASSIGN_OR_RETURN(Stream rows, Visit(*child.children[0]));
    Expressions one;
    one.push_back(Constant(Value::INTEGER(1)));
    MR_ASSIGN_OR_RETURN(input, Aggregate(std::move(rows), std::move(one), {}));
  } else if (calls > 0 && Calls(node, 0, "first")) {
    MR_ASSIGN_OR_RETURN(input, Visit(child));
    if (!input->unique || !input->unique->empty()) {
      return Refuse("SELECT",
                    "with a subquery as a value, which may give several rows, is not supported",
                    "aggregate in the subquery (MIN, MAX, …), so that it gives one row");
    }
  }
  return input;
}

}  // namespace millrace::stream
