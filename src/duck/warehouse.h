// Warehouse: the embedded DuckDB database that holds a project's results.
//
// Contract
//   threads   every method may be called from any thread; each Connection belongs to one thread.
//   writers   all writes of this process go through InTransaction, one at a time: DuckDB's
//             optimistic transactions would otherwise fail whoever commits second.
//   errors    what DuckDB throws or reports comes back as a Status; its "Did you mean" is the hint.
//   one owner a file is open in one process at a time; a second Open fails with
//             kFailedPrecondition.
#pragma once

#include <duckdb.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "duck/query_result.h"

namespace millrace::duck {

struct WarehouseOptions {
  int threads = 2;
  int64_t memory_limit_bytes = 512LL << 20;  // larger work goes to a temporary directory
  bool read_only = false;                    // opens the file without the right to change it
  // Files that queries may read (read_csv, read_parquet …) lie below these; empty: any file.
  std::vector<std::string> readable_directories = {};
};

struct QueryOptions {
  // Refuses (kFailedPrecondition) everything but queries: no DDL, DML, SET, ATTACH, COPY.
  bool read_only = false;
  int64_t max_rows = -1;  // stops there and sets QueryResult::truncated; -1: no limit
};

class Warehouse {
 public:
  // `path`: the database file, created when missing; "" or ":memory:": in memory.
  static Result<std::unique_ptr<Warehouse>> Open(const std::string& path,
                                                 const WarehouseOptions& options = {});
  ~Warehouse();
  Warehouse(const Warehouse&) = delete;
  Warehouse& operator=(const Warehouse&) = delete;

  // A new connection for reading; must not outlive the Warehouse.
  std::unique_ptr<duckdb::Connection> Connect();

  // Runs `body` on the writer's connection between BEGIN and COMMIT, one caller at a time. An
  // error or an exception from `body`, or a failing COMMIT, rolls everything back. After OK the
  // changes are durable. `body` must not call InTransaction. The connection is kept between
  // calls, so temporary tables that `body` commits are there in later calls.
  Status InTransaction(const std::function<Status(duckdb::Connection&)>& body);

  // Runs the statements of `sql` on a connection of its own and returns the last one's rows.
  // Errors carry line and column within the statement where DuckDB names them (span().file is "").
  Result<QueryResult> Query(const std::string& sql, const QueryOptions& options = {});

  // As Query, but on the caller's connection (and so inside its transaction).
  static Result<QueryResult> QueryOn(duckdb::Connection& connection, const std::string& sql,
                                     const QueryOptions& options = {});
  // Runs one statement whose result does not matter.
  static Status Execute(duckdb::Connection& connection, const std::string& sql);

  duckdb::DatabaseInstance& instance();
  const std::string& path() const { return path_; }

 private:
  Warehouse() = default;
  std::string path_;
  std::unique_ptr<duckdb::DuckDB> database_;
  std::mutex write_mutex_;
  std::unique_ptr<duckdb::Connection> writer_;
};

}  // namespace millrace::duck
