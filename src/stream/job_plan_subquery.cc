// The subquery part of JobPlanBuilder. DuckDB has turned IN, EXISTS and subqueries as values into
// joins; what is particular about them:
//
//   DELIM_JOIN    a correlated subquery: its right side reads, as DELIM_GET, the distinct values of
//                 the outer columns it depends on; here an ordinary stream with two readers
//   MARK          IN as a value: TRUE, FALSE or NULL
//   first(x), count(*) over one row    a subquery as a value
//   count(*) over LIMIT 1              EXISTS without correlation
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
#include <duckdb/planner/operator/list.hpp>

#include "stream/job_plan_builder.h"

namespace millrace::stream {

using duckdb::BoundAggregateExpression;
using duckdb::BoundConstantExpression;
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

unique_ptr<Expression> Constant(Value value) {
  return make_uniq<BoundConstantExpression>(std::move(value));
}

unique_ptr<Expression> IsNull(unique_ptr<Expression> e) {
  auto test = make_uniq<duckdb::BoundOperatorExpression>(ExpressionType::OPERATOR_IS_NULL,
                                                         LogicalType::BOOLEAN);
  test->children.push_back(std::move(e));
  return test;
}

unique_ptr<Expression> Case(unique_ptr<Expression> when, unique_ptr<Expression> then,
                            unique_ptr<Expression> otherwise) {
  return make_uniq<duckdb::BoundCaseExpression>(std::move(when), std::move(then),
                                                std::move(otherwise));
}

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

bool IsLimitOne(const LogicalOperator& node) {
  if (node.type != LogicalOperatorType::LOGICAL_LIMIT) return false;
  const auto& limit = node.Cast<duckdb::LogicalLimit>();
  return limit.limit_val.Type() == duckdb::LimitNodeType::CONSTANT_VALUE &&
         limit.limit_val.GetConstantValue() == 1 &&
         limit.offset_val.Type() == duckdb::LimitNodeType::UNSET;
}

}  // namespace

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitDelimJoin(const LogicalOperator& node) {
  const auto& join = node.Cast<duckdb::LogicalComparisonJoin>();
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
      if (comparison) {
        return Refuse("IN", "of several columns, as a value or with NOT, is not supported",
                      "use EXISTS, or NOT EXISTS, with a condition for each column");
      }
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
