// RowStore: rows of state as bytes, addressed by small dense ids. No allocation per row; a
// checkpoint writes only the rows added and removed since the last one.
//
// Contract: an id stays the same for as long as its row lives, also over a restart; a removed id is
// given out again. A view from At is valid until the next Add or Remove.
//
// State entries: prefix ++ id (4 bytes big endian) -> the row's bytes. The prefix is always the
// same.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "state/state_store.h"
#include "stream/arena.h"

namespace millrace::stream {

class RowStore {
 public:
  uint32_t Add(std::string_view bytes);
  void Remove(uint32_t id);
  std::string_view At(uint32_t id) const {
    return {reinterpret_cast<const char*>(rows_[id].data), rows_[id].size};
  }

  void Snapshot(state::StateWriter& writer, uint32_t operator_id, std::string_view prefix);
  // Into an empty store; `visit` sees the rows by ascending id.
  void Restore(const state::StateReader& reader, uint32_t operator_id, std::string_view prefix,
               const std::function<void(uint32_t id, std::string_view row)>& visit);

  size_t size() const { return live_; }
  size_t bytes() const { return rows_.capacity() * sizeof(Row) + arena_.bytes(); }

 private:
  struct Row {
    uint8_t* data = nullptr;  // null: free
    uint32_t size = 0;
    bool changed = false;  // since the last snapshot
    bool stored = false;   // in the last snapshot
  };
  // Rows take room in units, so that a new one fits where one of about its size was.
  static constexpr size_t kUnitBytes = 16;
  static constexpr size_t kSpareUnits = 128;  // room of larger rows is not used again
  static size_t RoomFor(size_t size) { return (size + kUnitBytes - 1) / kUnitBytes * kUnitBytes; }
  uint8_t* Store(std::string_view bytes);
  void MarkChanged(uint32_t id);
  void CompactIfWorthIt();

  env::LargeVector<Row> rows_;
  env::LargeVector<uint32_t> free_;
  std::vector<uint32_t> changes_;
  Arena arena_;
  size_t live_ = 0;
  size_t live_bytes_ = 0;                                 // room of the rows that are there
  size_t dead_bytes_ = 0;                                 // room that no row takes
  std::array<std::vector<uint8_t*>, kSpareUnits> spare_;  // of these, by units
};

}  // namespace millrace::stream
