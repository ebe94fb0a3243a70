// RowChecks: a table's CHECK constraints, evaluated over batches of rows.
//
// Contract: one thread at a time. As in the SQL standard a constraint holds when it is NULL.
#pragma once

#include <duckdb.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sql/catalog.h"

namespace millrace::job {

class RowChecks {
 public:
  // expressions[i], over the chunks given to Run, is what definitions[i] demands.
  RowChecks(duckdb::ClientContext& client,
            std::vector<duckdb::unique_ptr<duckdb::Expression>> expressions,
            std::vector<const sql::Check*> definitions);

  bool empty() const { return expressions_.empty(); }
  // Calls `violated` for each row and constraint that does not hold, constraint by constraint.
  void Run(duckdb::DataChunk& rows,
           const std::function<void(uint32_t row, const sql::Check& check)>& violated);

  static std::string Reason(const sql::Check& check);

 private:
  std::vector<duckdb::unique_ptr<duckdb::Expression>> expressions_;
  std::vector<const sql::Check*> definitions_;
  duckdb::ExpressionExecutor executor_;
};

}  // namespace millrace::job
