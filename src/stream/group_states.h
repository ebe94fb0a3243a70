// GroupStates: keys, and for each key the states of all aggregates. The windowed aggregation has
// one per open window, the updating aggregation one in all.
//
// State entries under `prefix` (a group: length of its key, key, rows, with a time to live when it
// was written (8 bytes), states):
//   'n'                                  -> number of the newest snapshot, slots (4 bytes each)
//   'p' ++ page (3 bytes big endian)     -> number of its snapshot, then per group that is there
//   the
//                                           slot's place in the page (1 byte) and the group
//   'g' ++ slot (4 bytes big endian)     -> number of its snapshot, then the group if it is there
//   'e' ++ aggregate index ++ …          -> entries of aggregates that keep sets (DISTINCT)
// A page holds 256 neighbouring slots. It is written where most of them changed, an entry for each
// slot elsewhere; of the two that speak of a slot the newer one counts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "env/large_memory.h"
#include "stream/aggregate_plan.h"
#include "stream/key_table.h"
#include "stream/row_codec.h"
#include "stream/slot_ages.h"

namespace millrace::stream {

class GroupStates {
 public:
  // Groups are forgotten (see FindOld) when they were not written for plan.ttl_us.
  GroupStates(const AggregatePlan& plan, std::string prefix);

  // The slot of a group, added when it is new.
  KeyTable::Found FindOrAdd(std::string_view key);
  // The same for many groups: found[i] belongs to keys[i].
  void FindOrAdd(const EncodedKeys& keys, std::vector<KeyTable::Found>& found);
  // Adds rows to the aggregates. Every slot in `input` was returned by FindOrAdd.
  void Update(const AggregateInput& input);
  // Writes the results of these slots to out's columns from `first_column` on, rows 0..count.
  void Finish(const uint32_t* slots, uint32_t count, duckdb::DataChunk& out,
              duckdb::idx_t first_column) const;
  // The same for one aggregate: to rows 0..count of `result`.
  void FinishOne(size_t aggregate, const uint32_t* slots, uint32_t count,
                 duckdb::Vector& result) const {
    aggregates_[aggregate]->Finish(slots, count, result);
  }
  // Update and Erase for the aggregates alone: who calls this counts the rows, by rows(slot).
  void UpdateAggregates(const AggregateInput& input);
  void ResetAggregates(uint32_t slot);
  void Erase(uint32_t slot);
  // With a time to live: the group was written now, by the clock of the epoch.
  void Write(uint32_t slot, int64_t now_us) { ages_.Write(slot, now_us); }
  // With a time to live: a group that is too old, to be erased next; false: there is none.
  bool FindOld(int64_t now_us, uint32_t& slot) const { return ages_.FindOld(now_us, slot); }
  // Says that a slot changed without FindOrAdd, so that the next Snapshot writes it.
  void Touch(uint32_t slot);

  void Snapshot(state::StateWriter& writer, uint32_t operator_id);
  void Restore(const state::StateReader& reader, uint32_t operator_id);

  const KeyTable& keys() const { return keys_; }
  size_t bytes() const;
  // Rows counted into the group, less those taken away; 0 means the group is gone.
  int64_t& rows(uint32_t slot) { return rows_[slot]; }
  int64_t rows(uint32_t slot) const { return rows_[slot]; }

 private:
  void MakeRoom(uint32_t slot);
  std::string EntryPrefix(size_t aggregate) const;
  void SaveGroup(uint32_t slot, std::string& out) const;
  // Takes over the group that `bytes` begin with, but for its key, which it returns.
  std::string_view LoadGroup(uint32_t slot, std::string_view& bytes);
  void RestoreGroups(const state::StateReader& reader, uint32_t operator_id);

  std::string prefix_;
  KeyTable keys_;
  env::LargeVector<int64_t> rows_;
  SlotAges ages_;
  std::vector<std::unique_ptr<Aggregate>> aggregates_;
  uint32_t capacity_ = 0;              // slots the aggregates have room for
  env::LargeVector<uint8_t> changed_;  // since the last snapshot, by slot
  std::vector<uint32_t> changes_;      // the slots set in changed_
  uint32_t snapshot_ = 0;              // number of the newest one
};

}  // namespace millrace::stream
