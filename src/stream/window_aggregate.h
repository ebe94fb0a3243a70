// WindowAggregate: GROUP BY over a window table function: one result per window and key, emitted
// once, when the frontier has passed the window, and freed with it. The output is append-only, also
// where rows of the input are taken back: that counts as long as their window is open; after it, it
// is too late, and only counted.
//
// State: groups by window ("pane"); a pane is the value of one group column with a frontier
// (window_end where there is one). Key prefix of a pane's state: its value, sign flipped, 8 bytes
// big endian: so panes are stored in time order.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "stream/aggregate_plan.h"
#include "stream/group_states.h"
#include "stream/late_rows.h"
#include "stream/operator.h"

namespace millrace::stream {

class WindowAggregate : public Operator {
 public:
  // pane_column: index of the group column that carries `frontier`.
  WindowAggregate(uint32_t id, AggregatePlan plan, size_t pane_column, ColumnFrontier frontier);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Pane {
    Pane(const AggregatePlan& plan, int64_t value);
    GroupStates groups;
    bool stored = false;  // some of it is in a checkpoint
  };
  Pane& PaneOf(int64_t value);
  void ProcessRows(const Batch& batch, int64_t pane_value, const std::vector<uint32_t>& rows);
  void EmitPane(int64_t value, Pane& pane);
  void UpdateStateSize();

  AggregatePlan plan_;
  size_t pane_column_;
  LateRows late_;                           // panes before its closed_before are gone
  std::vector<duckdb::idx_t> key_columns_;  // group columns but the pane's
  RowCodec codec_;
  std::map<int64_t, std::unique_ptr<Pane>> panes_;
  std::vector<int64_t> freed_;  // stored panes that were freed since the last snapshot
  std::vector<uint8_t> done_;   // by row of the batch: late, or already added to its pane
  std::vector<uint32_t> slots_;
  std::vector<int32_t> weights_;  // of the rows in hand, where the input retracts
  EncodedKeys keys_;              // of the rows in hand, and where they were found
  std::vector<KeyTable::Found> found_;
  std::vector<uint32_t> rows_;
  duckdb::DataChunk output_;
};

}  // namespace millrace::stream
