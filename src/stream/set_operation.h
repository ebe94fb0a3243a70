// SetOperation: INTERSECT and EXCEPT, with and without ALL, over inputs that append or retract.
//
// Of each distinct row it counts the copies on both sides; at the end of an epoch it emits, with
// weights, by how much the number of copies in the result has changed. NULLs are equal, as SQL says
// of these operations.
//
// With a time to live (table.exec.state.ttl) a row that was on neither side's input for so long is
// forgotten, as are its copies in the result. A row that was there shows itself again (-1, +1),
// also where nothing changed, for those who read it have a time to live, too. More copies than
// there are cannot be taken away then: such a retraction is left out (rows_filtered).
//
// State: one entry per distinct row of both inputs, freed when both sides have retracted it. Entry:
// 'r' ++ row -> copies left, copies right, copies shown, with a time to live when it was written (8
// bytes each).
#pragma once

#include <string>
#include <vector>

#include "stream/key_table.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/slot_ages.h"

namespace millrace::stream {

enum class SetOperationKind { kIntersect, kIntersectAll, kExcept, kExceptAll };

struct SetOperationPlan {
  SetOperationKind kind = SetOperationKind::kIntersect;
  duckdb::vector<duckdb::LogicalType> types;
  bool retracts = false;  // one of the inputs does
  int64_t ttl_us = 0;     // 0: for ever

  // Whether a row, once emitted, is never taken back.
  bool Appends() const {
    return !retracts && ttl_us == 0 &&
           (kind == SetOperationKind::kIntersect || kind == SetOperationKind::kIntersectAll);
  }
};

class SetOperation : public Operator {
 public:
  SetOperation(uint32_t id, SetOperationPlan plan);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;  // port 0: left, 1: right
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Copies {
    int64_t side[2] = {0, 0};
    int64_t shown = 0;
    bool touched = false;  // in this epoch
    bool changed = false;  // since the last snapshot
    bool stored = false;   // in a checkpoint
  };
  int64_t Wanted(const Copies& copies) const;
  void ForgetOldRows();
  void Forget(uint32_t slot);
  void Show(uint32_t slot, int64_t count);
  void Flush();

  SetOperationPlan plan_;
  std::vector<duckdb::idx_t> columns_;
  RowCodec codec_;
  KeyTable rows_;
  std::vector<Copies> copies_;  // by slot
  SlotAges ages_;
  bool forgot_ = false;  // in this epoch, with a time to live
  std::vector<uint32_t> touched_;
  std::vector<uint32_t> changed_;
  std::vector<std::string> erased_;  // stored rows that went since the last snapshot
  duckdb::DataChunk output_;
  std::vector<int32_t> weights_;
};

}  // namespace millrace::stream
