// JoinRows: the rows of one side of a regular join, by join key. Flat tables: adding a row
// allocates nothing of its own. Rows that may change are found by their bytes, and are there once,
// with their weight; rows that are only ever added (kAddedOnly) are appended, equal ones too.
//
// A key is a small number that the join's KeyTable gave out. Rows of a key are visited in the order
// in which they came (a checkpoint keeps that order). Row ids are dense and used again after Erase.
//
// Limits: 2^32 - 1 rows. State entries: prefix (1 byte) ++ sequence number (8 bytes big endian) ->
//   kAny        weight and shown (4 bytes each), matches and written_us (8 each), mark (1), key
//               length (4), key, row
//   kAddedOnly  up to 256 rows, the first of which has this number; each key length (4), key, row
//               length (4), row
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "env/large_memory.h"
#include "state/state_store.h"
#include "stream/key_table.h"

namespace millrace::stream {

using JoinRowId = uint32_t;
constexpr JoinRowId kNoJoinRow = UINT32_MAX;

class JoinRows {
 public:
  struct Row {
    int32_t weight = 0;      // how often the row is there; 0 until the epoch's end: it is gone
    int32_t shown = 0;       // how often the join has emitted it alone (outer, semi, anti, mark)
    int64_t matches = 0;     // weight of the partners it has; kept only where the join needs it
    int64_t written_us = 0;  // epoch's clock when it last came
    bool shown_mark = false;
    bool touched = false;  // the join will look at it at the end of the epoch

   private:
    friend class JoinRows;
    bool changed = false;  // since the last snapshot
    bool stored = false;   // in a checkpoint
    uint32_t key = 0;
    JoinRowId next = kNoJoinRow;
    JoinRowId previous = kNoJoinRow;
    uint64_t sequence = 0;
  };
  struct Found {
    JoinRowId row;
    bool added;
  };

  enum class Use { kAny, kAddedOnly };
  JoinRows(char prefix, Use use) : prefix_(prefix), added_only_(use == Use::kAddedOnly) {}

  // The row of this key with these bytes; added with weight 0 when it is not there. Counts as
  // changed. kAddedOnly: always a new row, which must get the weight 1 and is never erased.
  Found FindOrAdd(uint32_t key, std::string_view bytes);
  void AddWeight(JoinRowId row, int32_t weight);
  void Erase(JoinRowId row);

  bool added_only() const { return added_only_; }
  // Not of kAddedOnly.
  Row& operator[](JoinRowId row) { return rows_[row]; }
  uint32_t KeyOf(JoinRowId row) const { return rows_[row].key; }

  int32_t WeightOf(JoinRowId row) const { return added_only_ ? 1 : rows_[row].weight; }
  // Valid until rows are added or erased; of kAddedOnly for ever.
  std::string_view Bytes(JoinRowId row) const {
    return added_only_ ? added_[row].bytes() : table_.Key(row).substr(sizeof(uint32_t));
  }
  JoinRowId First(uint32_t key) const { return key < keys_.size() ? keys_[key].first : kNoJoinRow; }
  JoinRowId Next(JoinRowId row) const { return added_only_ ? added_[row].next : rows_[row].next; }
  // Weight of all rows of the key.
  int64_t Weight(uint32_t key) const { return key < keys_.size() ? keys_[key].weight : 0; }

  void MarkChanged(JoinRowId row);
  void Snapshot(state::StateWriter& writer, uint32_t operator_id, const KeyTable& keys);
  // `key_of` gives the number of a key. `restored` hears of every row, in the order they came.
  void Restore(const state::StateReader& reader, uint32_t operator_id,
               const std::function<uint32_t(std::string_view)>& key_of,
               const std::function<void(JoinRowId)>& restored);

  size_t size() const { return added_only_ ? added_.size() : table_.size(); }
  size_t bytes() const;

 private:
  struct Key {
    JoinRowId first = kNoJoinRow;
    JoinRowId last = kNoJoinRow;
    int64_t weight = 0;
  };
  // A row of kAddedOnly, in arena_.
  struct Added {
    const uint8_t* at = nullptr;
    uint32_t size = 0;
    uint32_t key = 0;
    JoinRowId next = kNoJoinRow;
    std::string_view bytes() const { return {reinterpret_cast<const char*>(at), size}; }
  };
  JoinRowId Link(uint32_t key, JoinRowId row);
  Key& KeyAt(uint32_t key);
  JoinRowId Append(uint32_t key, std::string_view bytes);
  std::string EntryKey(uint64_t sequence) const;
  void SnapshotAdded(state::StateWriter& writer, uint32_t operator_id, const KeyTable& keys);

  char prefix_;
  bool added_only_;
  KeyTable table_;  // key number ++ row -> row id
  env::LargeVector<Row> rows_;
  env::LargeVector<Key> keys_;  // by key number
  uint64_t next_sequence_ = 0;
  std::vector<JoinRowId> changed_;
  std::vector<uint64_t> erased_;  // sequence numbers of stored rows erased since the last snapshot
  std::string scratch_;
  // kAddedOnly, instead of table_, rows_ and changed_:
  Arena arena_;
  env::LargeVector<Added> added_;
  size_t saved_ = 0;  // rows in a checkpoint
};

}  // namespace millrace::stream
