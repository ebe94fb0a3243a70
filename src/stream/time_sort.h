// TimeSort: ORDER BY event time: every row comes out once, in order, when the frontier has passed
// its time. Append in, append out.
//
// Rows of equal time come in the order of the further ORDER BY columns, then of arrival.
//
// State: rows that wait ('r' ++ id): time (8 bytes), arrival number (8), size of the sort key (4),
// sort key of the ORDER BY columns (DuckDB's, compares bytewise), the columns.
#pragma once

#include <duckdb/function/create_sort_key.hpp>
#include <string>
#include <vector>

#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"

namespace millrace::stream {

struct TimeSortPlan {
  duckdb::vector<duckdb::LogicalType> types;     // of the input and the output
  std::vector<std::string> names;                // of the columns, for EXPLAIN
  std::vector<duckdb::idx_t> order_columns;      // the first is event time, ascending
  duckdb::vector<duckdb::OrderModifiers> order;  // of order_columns
  ColumnFrontier frontier;                       // of event time
};

class TimeSort : public Operator {
 public:
  TimeSort(uint32_t id, TimeSortPlan plan);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Waiting {
    int64_t time;
    uint64_t arrival;
    uint32_t row;  // in rows_
  };
  // Whether `a` comes out behind `b`.
  bool Behind(const Waiting& a, const Waiting& b) const;
  void UpdateStateSize();

  TimeSortPlan plan_;
  std::vector<duckdb::idx_t> all_columns_;
  RowCodec codec_;
  LateRows late_;
  RowStore rows_;
  std::vector<Waiting> waiting_;  // a heap, the first to come out on top
  uint64_t next_arrival_ = 0;
  duckdb::DataChunk order_input_;
  duckdb::DataChunk output_;
};

}  // namespace millrace::stream
