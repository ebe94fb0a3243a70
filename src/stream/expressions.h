// Bound expressions that plans are made of.
#pragma once

#include <duckdb/planner/expression/bound_case_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_operator_expression.hpp>

namespace millrace::stream {

inline duckdb::unique_ptr<duckdb::Expression> Constant(duckdb::Value value) {
  return duckdb::make_uniq<duckdb::BoundConstantExpression>(std::move(value));
}

inline duckdb::unique_ptr<duckdb::Expression> IsNull(duckdb::unique_ptr<duckdb::Expression> e) {
  auto test = duckdb::make_uniq<duckdb::BoundOperatorExpression>(
      duckdb::ExpressionType::OPERATOR_IS_NULL, duckdb::LogicalType::BOOLEAN);
  test->children.push_back(std::move(e));
  return test;
}

inline duckdb::unique_ptr<duckdb::Expression> Case(
    duckdb::unique_ptr<duckdb::Expression> when, duckdb::unique_ptr<duckdb::Expression> then,
    duckdb::unique_ptr<duckdb::Expression> otherwise) {
  return duckdb::make_uniq<duckdb::BoundCaseExpression>(std::move(when), std::move(then),
                                                        std::move(otherwise));
}

}  // namespace millrace::stream
