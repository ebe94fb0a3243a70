// KeepFirst: of the rows of a key the first that comes: ROW_NUMBER() OVER (PARTITION BY key ORDER
// BY proc_time ASC) = 1, Flink's deduplication in the order of processing. Append in, append out: a
// row goes on at once, so time columns keep their frontiers.
//
// State: the keys, in the order they came; freed `ttl_us` after they came, where that is set, by
// the clock of the epochs. Entries: 'k' ++ number of the first key in it (8 bytes big endian) ->
// {written_us (8), key length (4), key} …; 'f' -> number of the oldest key that is not freed (8).
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "stream/key_table.h"
#include "stream/operator.h"
#include "stream/row_codec.h"

namespace millrace::stream {

struct KeepFirstPlan {
  duckdb::vector<duckdb::LogicalType> types;  // of the input
  std::vector<duckdb::idx_t> keys;
  bool shows_rank = false;         // as a last column, BIGINT: always 1
  int64_t ttl_us = 0;              // 0: for ever
  std::vector<std::string> names;  // of the input columns, for EXPLAIN
};

class KeepFirst : public Operator {
 public:
  KeepFirst(uint32_t id, KeepFirstPlan plan);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;
  bool Forwards() const override { return true; }

 private:
  struct Seen {
    int64_t written_us;
    uint32_t slot;
  };
  struct Entry {  // in the checkpoint
    uint64_t first;
    uint64_t end;
  };
  uint64_t EndNumber() const { return oldest_ + seen_.size(); }
  std::string EntryKey(uint64_t number) const;
  void RestoreEntry(uint64_t number, uint64_t oldest, std::string_view value);
  void EmitRows(const Batch& batch, const duckdb::SelectionVector& kept, duckdb::idx_t count);
  void UpdateStateSize();

  KeepFirstPlan plan_;
  RowCodec codec_;
  KeyTable keys_;
  std::deque<Seen> seen_;  // oldest first; numbers oldest_, oldest_ + 1, …
  uint64_t oldest_ = 0;
  uint64_t saved_ = 0;  // numbers below are in the checkpoint
  std::deque<Entry> entries_;
  EncodedKeys in_hand_;  // of the batch, and where they were found
  std::vector<KeyTable::Found> found_;
  std::vector<uint32_t> all_rows_;
};

}  // namespace millrace::stream
