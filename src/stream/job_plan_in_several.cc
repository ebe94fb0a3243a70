// (a, b) IN (SELECT x, y …) as a value, and NOT IN, as SQL has it:
//
//   TRUE    for a row of the subquery a = x and b = y
//   NULL    else, when for some row nothing speaks against it: in each column equal, or a NULL
//   FALSE   else
//
// The second line needs a NULL on one side, so it takes two joins more that compare such rows only.
#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_conjunction_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>

#include "stream/expressions.h"
#include "stream/job_plan_builder.h"

namespace millrace::stream {

using duckdb::Expression;
using duckdb::ExpressionType;
using duckdb::idx_t;
using duckdb::JoinCondition;
using duckdb::LogicalType;
using duckdb::make_uniq;
using duckdb::unique_ptr;
using duckdb::Value;

namespace {

unique_ptr<Expression> Or(unique_ptr<Expression> a, unique_ptr<Expression> b) {
  return make_uniq<duckdb::BoundConjunctionExpression>(ExpressionType::CONJUNCTION_OR, std::move(a),
                                                       std::move(b));
}

// 1 when one of these is NULL, else NULL: a key that finds only such rows.
unique_ptr<Expression> OneIfNull(const std::vector<const Expression*>& values) {
  unique_ptr<Expression> any = IsNull(values[0]->Copy());
  for (size_t i = 1; i < values.size(); i++) any = Or(std::move(any), IsNull(values[i]->Copy()));
  return Case(std::move(any), Constant(Value::INTEGER(1)), Constant(Value(LogicalType::INTEGER)));
}

void ShiftReferences(Expression& e, idx_t by) {
  if (e.GetExpressionClass() == duckdb::ExpressionClass::BOUND_REF) {
    e.Cast<duckdb::BoundReferenceExpression>().index += by;
  }
  duckdb::ExpressionIterator::EnumerateChildren(
      e, [&](Expression& child) { ShiftReferences(child, by); });
}

JoinCondition Equal(unique_ptr<Expression> left, unique_ptr<Expression> right) {
  JoinCondition condition;
  condition.left = std::move(left);
  condition.right = std::move(right);
  condition.comparison = ExpressionType::COMPARE_EQUAL;
  return condition;
}

}  // namespace

Result<JobPlanBuilder::Stream> JobPlanBuilder::MarkSeveral(JoinShape shape, Stream left,
                                                           Stream right) {
  std::vector<const Expression*> values[2];  // what is compared, of each side
  for (const JoinCondition& condition : shape.conditions) {
    if (condition.comparison == ExpressionType::COMPARE_NOT_DISTINCT_FROM) continue;
    if (condition.comparison != ExpressionType::COMPARE_EQUAL) {
      return Refuse("IN", "of several columns with another comparison than = is not supported",
                    "use EXISTS, or NOT EXISTS, with a condition for each column");
    }
    values[0].push_back(condition.left.get());
    values[1].push_back(condition.right.get());
  }
  if (!shape.residual.empty()) {
    return Refuse("IN", "of this form is not supported", "use EXISTS, or NOT EXISTS");
  }
  plan_.differs_from_batch =
      "IN of several columns as a value, or with NOT, follows SQL where values are NULL, and "
      "DuckDB does not";
  const idx_t width = left.columns.size();
  right.open = nullptr;  // three readers

  auto marked_by = [&](Stream stream, std::vector<JoinCondition> own,
                       bool compares) -> Result<Stream> {
    JoinShape mark;
    mark.type = duckdb::JoinType::MARK;
    for (const JoinCondition& condition : shape.conditions) {
      if (condition.comparison != ExpressionType::COMPARE_NOT_DISTINCT_FROM) continue;
      JoinCondition tie = Equal(condition.left->Copy(), condition.right->Copy());
      tie.comparison = condition.comparison;
      mark.conditions.push_back(std::move(tie));
    }
    for (JoinCondition& condition : own) mark.conditions.push_back(std::move(condition));
    for (size_t i = 0; i < values[0].size(); i++) {
      if (!compares) {
        mark.conditions.push_back(Equal(values[0][i]->Copy(), values[1][i]->Copy()));
        continue;
      }
      auto of_right = values[1][i]->Copy();
      ShiftReferences(*of_right, stream.columns.size());
      auto equal = make_uniq<duckdb::BoundComparisonExpression>(
          ExpressionType::COMPARE_EQUAL, values[0][i]->Copy(), of_right->Copy());
      mark.residual.push_back(
          Or(std::move(equal), Or(IsNull(values[0][i]->Copy()), IsNull(std::move(of_right)))));
    }
    return RegularJoinOf(std::move(mark), std::move(stream), right);
  };
  auto condition = [](unique_ptr<Expression> a, unique_ptr<Expression> b) {
    std::vector<JoinCondition> conditions;
    conditions.push_back(Equal(std::move(a), std::move(b)));
    return conditions;
  };
  MR_ASSIGN_OR_RETURN(Stream marked, marked_by(std::move(left), {}, false));
  MR_ASSIGN_OR_RETURN(
      marked, marked_by(std::move(marked),
                        condition(Constant(Value::INTEGER(1)), OneIfNull(values[1])), true));
  MR_ASSIGN_OR_RETURN(
      marked, marked_by(std::move(marked),
                        condition(OneIfNull(values[0]), Constant(Value::INTEGER(1))), true));
  Expressions output;
  duckdb::vector<idx_t> kept = shape.kept[0];
  if (kept.empty()) {
    for (idx_t c = 0; c < width; c++) kept.push_back(c);
  }
  for (idx_t c : kept) output.push_back(ColumnOf(marked, c));
  output.push_back(
      Case(ColumnOf(marked, width), Constant(Value::BOOLEAN(true)),
           Case(Or(ColumnOf(marked, width + 1), ColumnOf(marked, width + 2)),
                Constant(Value(LogicalType::BOOLEAN)), Constant(Value::BOOLEAN(false)))));
  return Project(std::move(marked), std::move(output));
}

}  // namespace millrace::stream
