// Planner: turns DuckDB SQL over streaming tables into DuckDB's optimised logical plan.
//
// Contract: one Planner per job; not thread-safe. It is a connection to the process's in-memory
// DuckDB without data, and sees only its own streaming tables (table functions: projection
// pushdown, no filter pushdown, no statistics) and views. Optimisers that look at data or hide the
// shapes that stream/ recognises are off. Plans and expressions point into the planner: it must
// outlive them.
#pragma once

#include <duckdb.hpp>
#include <duckdb/planner/logical_operator.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::duck {

// A plan whose column references are resolved to positions (BoundReferenceExpression).
struct Plan {
  duckdb::unique_ptr<duckdb::LogicalOperator> root;
  std::vector<std::string> names;  // of the result columns
};

// The name under which a scan of a streaming table appears in a plan, and its table's name.
constexpr const char* kScanFunction = "millrace_scan";
// Table name of a scan (the bind data of a LogicalGet made by kScanFunction).
const std::string& ScannedTable(const duckdb::FunctionData& bind_data);

class Planner {
 public:
  static Result<std::unique_ptr<Planner>> Create();
  ~Planner();

  // Makes "name" a table of these columns in queries. Errors: kAlreadyExists.
  Status DefineTable(const std::string& name, const model::Schema& schema);
  // Makes "name" stand for a query (already in DuckDB's dialect). Errors as PlanQuery.
  Status DefineView(const std::string& name, const std::vector<std::string>& columns,
                    const std::string& query);
  // Runs a statement that defines something (CREATE MACRO, SET).
  Status Define(const std::string& statement);

  // Binds and optimises. Errors carry in span().column the byte offset in `query`, counted from 1,
  // and line 0; the caller maps it to the user's text.
  Result<Plan> PlanQuery(const std::string& query);
  // Only binds: the names and types of the result. Errors as PlanQuery.
  Result<model::Schema> DescribeQuery(const std::string& query);
  // Binds scalar expressions over a table's columns, without optimising the scan away: expression
  // i refers to column c of the table as BoundReference(c).
  Result<std::vector<duckdb::unique_ptr<duckdb::Expression>>> BindExpressions(
      const model::Schema& schema, const std::vector<std::string>& expressions);

  duckdb::ClientContext& context();
  duckdb::Connection& connection();
  duckdb::DuckDB& database();  // shared with the process's other planners

 private:
  Planner();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::duck
