// The columns of a streaming table as queries see them, and how the computed ones are made.
#pragma once

#include <vector>

#include "duck/planner.h"
#include "sql/catalog.h"
#include "stream/job_plan.h"

namespace millrace::job {

// Physical columns, then metadata columns: what computed columns, watermarks and checks refer to.
model::Schema BaseSchema(const sql::Table& table);

struct BoundTable {
  stream::ScanTable scan;  // all columns in SELECT * order
  // For each column of scan.schema: its index in BaseSchema, or -1 when it is computed.
  std::vector<int> base_column;
  // For each computed column, in order of appearance: the expression over BaseSchema.
  std::vector<duckdb::unique_ptr<duckdb::Expression>> computed;
  // For each enforced check of the table: the expression over BaseSchema.
  std::vector<duckdb::unique_ptr<duckdb::Expression>> checks;
};

// Binds computed columns and checks. Errors point into the user's text. `by_key`: the rows of a
// changelog with a PRIMARY KEY replace each other by it; else a row that goes is told in full.
Result<BoundTable> BindTable(const sql::Table& table, duck::Planner& planner, bool by_key = true);

// Puts the place in the user's file on an error whose span counts bytes of rewritten text.
Status Relocate(Status status, const sql::Rewritten& rewritten);

}  // namespace millrace::job
