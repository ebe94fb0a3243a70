#include "duck/served_function.h"

#include <duckdb.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression_iterator.hpp>

namespace millrace::duck {

namespace {

void Refuse(duckdb::DataChunk& arguments, duckdb::ExpressionState&, duckdb::Vector&) {
  throw duckdb::InvalidInputException(
      "function \"%s\" is served over HTTP: only a streaming job can ask for its answers (INSERT "
      "INTO … SELECT), which it keeps for a replay",
      arguments.data[0].GetValue(0).ToString());
}

duckdb::unique_ptr<duckdb::FunctionData> Bind(
    duckdb::ClientContext&, duckdb::ScalarFunction& function,
    duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>& arguments) {
  function.SetReturnType(arguments[1]->return_type);
  arguments.erase(arguments.begin() + 1);
  function.arguments.clear();
  for (const auto& argument : arguments) function.arguments.push_back(argument->return_type);
  return nullptr;
}

}  // namespace

duckdb::ScalarFunctionSet ServedFunction() {
  duckdb::ScalarFunction function({duckdb::LogicalType::VARCHAR, duckdb::LogicalType::ANY},
                                  duckdb::LogicalType::ANY, Refuse, Bind);
  function.varargs = duckdb::LogicalType::ANY;
  function.SetStability(duckdb::FunctionStability::VOLATILE);
  function.SetNullHandling(duckdb::FunctionNullHandling::SPECIAL_HANDLING);
  duckdb::ScalarFunctionSet set(kServedFunction);
  set.AddFunction(function);
  return set;
}

bool IsServedCall(const duckdb::Expression& expression) {
  return expression.GetExpressionClass() == duckdb::ExpressionClass::BOUND_FUNCTION &&
         expression.Cast<duckdb::BoundFunctionExpression>().function.name == kServedFunction;
}

std::string NameOfServed(const duckdb::Expression& call) {
  const auto& name = *call.Cast<duckdb::BoundFunctionExpression>().children[0];
  return name.Cast<duckdb::BoundConstantExpression>().value.ToString();
}

const duckdb::Expression* FindServedCall(const duckdb::Expression& expression) {
  if (IsServedCall(expression)) return &expression;
  const duckdb::Expression* found = nullptr;
  duckdb::ExpressionIterator::EnumerateChildren(expression, [&](const duckdb::Expression& child) {
    if (!found) found = FindServedCall(child);
  });
  return found;
}

}  // namespace millrace::duck
