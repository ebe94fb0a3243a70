// AppliedStatements: statements that change an attached database, each once per run.
//
// The statement and a row of millrace_batch_runs (run, statement, text, done_at) are one
// transaction of that database. A run that is repeated, because it failed halfway or because
// somebody started it again, finds the row and leaves the statement out.
//
// Contract: one thread. The table is made in the database's default schema; in Iceberg, which knows
// none, it is millrace.batch_runs, and both tables are one request to the catalog. In PostgreSQL,
// SQLite and DuckDB it has a primary key, so that of two processes with the same run one fails.
#pragma once

#include <duckdb.hpp>
#include <string>

#include "base/status.h"

namespace millrace::batch {

struct Applied {
  bool before = false;  // done by this run already, and left out
  int64_t rows = 0;
};

// The attached database that `statement` changes rows of; "" when it changes none.
Result<std::string> ChangedDatabase(duckdb::Connection& connection,
                                    const duckdb::SQLStatement& statement);

// Carries out the statement `text`, the `number`th of its run. Errors: the statement's;
// kFailedPrecondition when the run did something else as its `number`th.
Result<Applied> ApplyOnce(duckdb::Connection& connection, const std::string& database,
                          const std::string& run, int number, const std::string& text);

}  // namespace millrace::batch
