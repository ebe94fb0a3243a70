// GroupAggregate: GROUP BY without a window: the result is kept up to date. At the end of an epoch
// every group that changed emits its old row with weight -1 and its new row with weight +1: at most
// one change per group and epoch. SELECT DISTINCT is the case without aggregates.
//
// With a time to live (table.exec.state.ttl), as in Flink: a group that no row touched for so long
// is forgotten; its next row makes a new one, and what it showed before is not taken back. A group
// that was touched shows its row again (-1, +1) also where that is the same, for those who read it
// have a time to live, too. Rows that are taken away from a group that is not there are left out
// (rows_filtered); one that has no rows left begins anew with its next row, in the order they come.
//
// Without group columns there is one group; as in Flink its first row appears with the first input.
#pragma once

#include <memory>
#include <vector>

#include "stream/aggregate_plan.h"
#include "stream/group_states.h"
#include "stream/operator.h"

namespace millrace::stream {

class GroupAggregate : public Operator {
 public:
  GroupAggregate(uint32_t id, AggregatePlan plan);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  void ForgetOldGroups();
  void LeaveOutLeadingRetractions(const Batch& batch);
  void UpdateInOrder(const Batch& batch);
  void FlushTaken(duckdb::DataChunk& chunk);
  void RememberOldRows(const std::vector<uint32_t>& slots);
  void FillRows(const uint32_t* slots, uint32_t count, duckdb::DataChunk& out);
  // Emits what changed for groups touched_[first, first + count); one vector at most.
  void EmitChanges(size_t first, size_t count);
  bool Shown(uint32_t slot) const;
  void AppendOldRows(size_t first, size_t count);
  std::vector<uint8_t> FindUnchanged(size_t first, const std::vector<duckdb::idx_t>& before);

  AggregatePlan plan_;
  std::vector<duckdb::idx_t> key_columns_;
  RowCodec codec_;
  GroupStates groups_;
  // Groups touched in this epoch, in order of first touch, and what they showed before it.
  std::vector<uint32_t> touched_;
  std::vector<uint8_t> is_touched_;
  std::vector<int64_t> old_row_;  // by touched_ index: row in old_rows_, or -1: was not there
  std::vector<std::unique_ptr<duckdb::DataChunk>> old_rows_;
  duckdb::idx_t old_rows_count_ = 0;
  std::vector<uint32_t> slots_;
  std::vector<uint32_t> rows_;
  EncodedKeys keys_;  // of the batch's rows, and where they were found
  std::vector<KeyTable::Found> found_;
  // With a time to live.
  bool forgot_ = false;  // in this epoch
  struct {               // rows in hand that are not in the aggregates yet
    std::vector<uint32_t> rows;
    std::vector<uint32_t> slots;
    std::vector<int32_t> weights;
  } taken_;
  std::vector<uint32_t> emptied_;  // groups that have no rows after those
  std::vector<uint8_t> is_emptied_;
  duckdb::DataChunk fresh_;  // what groups show, to be remembered
  duckdb::DataChunk both_;   // what they show now and showed before
};

}  // namespace millrace::stream
