// ChangelogNormalize: the changes of a table with a key -> changes that say what was there before.
//
//   input             weight +1: the new row of its key; -1: the key has no row any more (only the
//                     key's columns count)
//   output            -1 the row that was there, +1 the new one; nothing where nothing changed, so
//                     a record that comes twice, or a removal of what is not there, changes nothing
//
// Rows are given on at once, one change per record, with the marks of their record: of an update
// both rows came when its record was read.
//
// With a time to live (table.exec.state.ttl) the row of a key that no record named for so long is
// forgotten: its next record says nothing of what was there before. A record that comes twice then
// shows its row again (-1, +1), for those who read it have a time to live, too.
//
// State: the row of each key, 'r' ++ id -> size of the key (4 bytes), key, the other columns, with
// a time to live when it was written (8). Freed when the key's row goes.
#pragma once

#include <string>
#include <vector>

#include "stream/key_table.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"
#include "stream/slot_ages.h"

namespace millrace::stream {

class ChangelogNormalize : public Operator {
 public:
  // `table` and `names` (of the columns) are for EXPLAIN. ttl_us: 0: for ever.
  ChangelogNormalize(uint32_t id, std::string table, std::vector<std::string> names,
                     duckdb::vector<duckdb::LogicalType> types, std::vector<duckdb::idx_t> keys,
                     int64_t ttl_us);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  void Change(uint32_t row, int32_t weight);
  void ForgetOldRows();
  void Forget(uint32_t slot);
  // A stored row without when it was written.
  std::string_view ContentOf(std::string_view record) const;
  // Appends a stored row to the output, for row `row` of the batch in hand.
  void Add(uint32_t stored, int32_t weight, uint32_t row);
  void Flush();

  const std::string table_;
  const std::vector<std::string> names_;
  const duckdb::vector<duckdb::LogicalType> types_;
  const std::vector<duckdb::idx_t> keys_;
  const std::vector<duckdb::idx_t> others_;  // columns that are no key
  RowCodec key_codec_;
  RowCodec other_codec_;
  KeyTable slots_;
  std::vector<uint32_t> row_of_slot_;  // in rows_
  RowStore rows_;
  const int64_t ttl_us_;
  SlotAges ages_;
  bool forgot_ = false;  // in this epoch, with a time to live
  int64_t now_us_ = 0;   // the epoch's clock, with a time to live

  const Batch* batch_ = nullptr;
  std::vector<const LateCandidate*> marks_;  // by row of the batch; empty: none has one
  std::string record_;
  duckdb::DataChunk output_;
  std::vector<int32_t> weights_;
  std::vector<LateCandidate> late_;
};

}  // namespace millrace::stream
