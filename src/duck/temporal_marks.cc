#include "duck/temporal_marks.h"

#include <duckdb.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>

namespace millrace::duck {

namespace {

void True(duckdb::DataChunk&, duckdb::ExpressionState&, duckdb::Vector& result) {
  result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
  *duckdb::ConstantVector::GetData<bool>(result) = true;
}

// Takes the columns out of the row.
duckdb::unique_ptr<duckdb::FunctionData> BindVersion(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  duckdb::Expression& row = *arguments[0];
  const bool whole_row = row.GetExpressionClass() == duckdb::ExpressionClass::BOUND_FUNCTION &&
                         row.Cast<duckdb::BoundFunctionExpression>().function.name == "struct_pack";
  if (!whole_row) {
    throw duckdb::BinderException(
        "the table after JOIN … FOR SYSTEM_TIME AS OF has the name of a column: give it another "
        "alias");
  }
  auto columns = std::move(row.Cast<duckdb::BoundFunctionExpression>().children);
  arguments = std::move(columns);
  function.arguments.clear();
  for (const auto& column : arguments) function.arguments.push_back(column->return_type);
  return nullptr;
}

}  // namespace

std::vector<duckdb::ScalarFunctionSet> TemporalMarks() {
  duckdb::ScalarFunctionSet as_of(kAsOfFunction);
  for (const auto& time : {duckdb::LogicalType::TIMESTAMP, duckdb::LogicalType::TIMESTAMP_TZ}) {
    as_of.AddFunction(duckdb::ScalarFunction({time}, duckdb::LogicalType::BOOLEAN, True));
  }
  duckdb::ScalarFunctionSet version(kVersionFunction);
  version.AddFunction(duckdb::ScalarFunction({duckdb::LogicalType::ANY},
                                             duckdb::LogicalType::BOOLEAN, True, BindVersion));
  // NULLs are no reason for another answer, nor for leaving the call out.
  for (auto* set : {&as_of, &version}) {
    for (auto& overload : set->functions) {
      overload.SetNullHandling(duckdb::FunctionNullHandling::SPECIAL_HANDLING);
    }
  }
  return {as_of, version};
}

}  // namespace millrace::duck
