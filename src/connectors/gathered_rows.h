// GatheredRows: rows of many epochs on their way into a lake's files, in a table "gathered" of a
// DuckDB that spills what exceeds its memory.
//
// Contract: one thread. MakeRoom, Flush and Forget may fail (Retry::kBackoff) and be repeated;
// Gather never fails, so that a row is never taken twice.
#pragma once

#include <duckdb.hpp>
#include <duckdb/common/types/column/column_data_collection.hpp>
#include <memory>
#include <vector>

#include "base/status.h"
#include "model/schema.h"

namespace millrace::connectors {

class GatheredRows {
 public:
  // `connection` outlives it, and belongs to the caller's thread.
  GatheredRows(duckdb::Connection& connection, model::Schema columns);

  // Creates the table, empty.
  Status Open();
  // Puts what fills the memory aside.
  Status MakeRoom();
  void Gather(duckdb::DataChunk& rows);
  // Row r comes weights[r] times, perhaps not at all; weights are not negative.
  void GatherCopies(duckdb::DataChunk& rows, const std::vector<int32_t>& weights);
  // Puts all of them into the table, where a query finds them.
  Status Flush();
  // Empties it.
  Status Forget();
  int64_t count() const { return count_; }

 private:
  void NewRows();

  duckdb::Connection& connection_;
  const model::Schema columns_;
  std::unique_ptr<duckdb::ColumnDataCollection> rows_;  // not in the table yet
  int64_t count_ = 0;                                   // in both
};

}  // namespace millrace::connectors
