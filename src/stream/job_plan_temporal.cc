// The part of JobPlanBuilder for JOIN … FOR SYSTEM_TIME AS OF: finds the mark that the rewriter
// left (duck/temporal_marks.h) and tells by its time column which kind of join it is.
#include <algorithm>
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>
#include <duckdb/planner/operator/list.hpp>

#include "duck/temporal_marks.h"
#include "stream/job_plan_builder.h"

namespace millrace::stream {

using duckdb::Expression;
using duckdb::JoinCondition;
using duckdb::LogicalOperator;
using duckdb::LogicalOperatorType;

namespace {

bool IsCall(const Expression& e, const char* function) {
  return e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_FUNCTION &&
         e.Cast<duckdb::BoundFunctionExpression>().function.name == function;
}

bool Mentions(const Expression& e, const char* function) {
  bool found = IsCall(e, function);
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](const Expression& child) { found |= Mentions(child, function); });
  return found;
}

constexpr const char* kClause = "FOR SYSTEM_TIME";

}  // namespace

bool JobPlanBuilder::IsTemporalJoin(const LogicalOperator& node) {
  if (node.type == LogicalOperatorType::LOGICAL_ANY_JOIN) {
    return Mentions(*node.Cast<duckdb::LogicalAnyJoin>().condition, duck::kVersionFunction);
  }
  if (node.type != LogicalOperatorType::LOGICAL_COMPARISON_JOIN) return false;
  const auto& conditions = node.Cast<duckdb::LogicalComparisonJoin>().conditions;
  return std::any_of(conditions.begin(), conditions.end(), [](const JoinCondition& c) {
    return Mentions(*c.right, duck::kVersionFunction);
  });
}

Result<JobPlanBuilder::Stream> JobPlanBuilder::VisitTemporalJoin(const LogicalOperator& node) {
  MR_ASSIGN_OR_RETURN(Stream left, VisitBelowJoin(*node.children[0]));
  MR_ASSIGN_OR_RETURN(JoinShape shape, ShapeOf(node, left.columns.size()));
  auto mark = std::find_if(shape.conditions.begin(), shape.conditions.end(), [](const auto& c) {
    return IsCall(*c.left, duck::kAsOfFunction) && IsCall(*c.right, duck::kVersionFunction);
  });
  if (mark == shape.conditions.end()) {
    return Refuse(kClause, "AS OF needs a time column of the left table",
                  "name one: … JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON …");
  }
  if (shape.type != duckdb::JoinType::INNER && shape.type != duckdb::JoinType::LEFT) {
    return Refuse(kClause, "AS OF goes with JOIN and LEFT JOIN only",
                  "put the table that is looked up on the right of a LEFT JOIN");
  }
  const auto& as_of = mark->left->Cast<duckdb::BoundFunctionExpression>();
  const StreamColumn time = Derive(*as_of.children[0], left.columns, context_);
  const auto as_of_time = as_of.children[0]->Copy();
  shape.conditions.erase(mark);
  if (time.frontier.known() && time.frontier.uses_clock()) {
    return LookupJoinOf(std::move(shape), std::move(left), *node.children[1]);
  }
  if (time.frontier.known()) {
    return EventTimeJoin(std::move(shape), std::move(left), *as_of_time, *node.children[1]);
  }
  return Refuse(kClause, "AS OF needs a time attribute: a column with a watermark, or PROCTIME()",
                "declare in CREATE TABLE: proc_time AS PROCTIME(), or a WATERMARK");
}

}  // namespace millrace::stream
