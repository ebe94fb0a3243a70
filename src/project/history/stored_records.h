// StoredRecords: records of a history file as they were in the log, of those that the file holds
// with their bytes.
//
// Contract: one thread. Blocks while DuckDB reads the file.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "duck/warehouse.h"
#include "model/record.h"

namespace millrace::project {

class StoredRecords {
 public:
  // `condition`: SQL over project/history/history_file.h. Errors: those of DuckDB; with
  // Retry::kBackoff where a store may answer later.
  static Result<std::unique_ptr<StoredRecords>> Open(duck::Warehouse& database,
                                                     const std::string& path,
                                                     const std::string& condition);

  // The next ones, in the order of their offsets, at most STANDARD_VECTOR_SIZE; none: there are no
  // more. Views live until the next call, as those of a Log.
  Result<std::span<const model::Record>> Next();

 private:
  explicit StoredRecords(std::string path) : path_(std::move(path)) {}
  void TakeRows(duckdb::DataChunk& chunk);

  const std::string path_;
  std::unique_ptr<duckdb::Connection> connection_;
  duckdb::unique_ptr<duckdb::QueryResult> rows_;  // null: at the end
  std::string bytes_;                             // of the records in hand
  std::vector<model::Record> records_;
};

}  // namespace millrace::project
