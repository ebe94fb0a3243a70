// The mark that a call of a function leaves in a plan whose answers come from a service:
//
//   fraud_score(a, b)   ->   mr_served('fraud_score', CAST(NULL AS DOUBLE), a, b)
//
// The second argument says the type of the answer, and is gone once the call is bound. Nothing
// evaluates such a call: a streaming job asks the service and puts the answer in its place
// (stream/job_plan_served.cc); wherever else it is evaluated, it fails and says so. It is volatile,
// or the optimiser would move it to where it is asked for other rows, or twice.
#pragma once

#include <duckdb/function/function_set.hpp>
#include <duckdb/planner/expression/bound_function_expression.hpp>
#include <string>

namespace millrace::duck {

constexpr const char* kServedFunction = "mr_served";

duckdb::ScalarFunctionSet ServedFunction();

// A bound call of mr_served: children[0] is the function's name, the others its arguments.
bool IsServedCall(const duckdb::Expression& expression);
std::string NameOfServed(const duckdb::Expression& call);
// The first served call in an expression; null: there is none.
const duckdb::Expression* FindServedCall(const duckdb::Expression& expression);

}  // namespace millrace::duck
