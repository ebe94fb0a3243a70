// KeyTable: maps byte strings to small dense numbers (slots), which index columns of state kept
// elsewhere. Open addressing, one copy of each key, no allocation per key.
//
// Slots count from 0; an erased slot is given out again. Iterating slots in order is the order of
// first appearance as long as nothing is erased: deterministic.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "stream/arena.h"

namespace millrace::stream {

class KeyTable {
 public:
  struct Found {
    uint32_t slot;
    bool added;
  };
  // Finds the key, or adds it.
  Found FindOrAdd(std::string_view key);
  // Slot of the key, or -1.
  int64_t Find(std::string_view key) const;
  // Adds a key at a given slot (restoring a checkpoint). The key must not be there.
  void Restore(std::string_view key, uint32_t slot);
  void Erase(uint32_t slot);

  bool Live(uint32_t slot) const { return keys_[slot].data != nullptr; }
  std::string_view Key(uint32_t slot) const {
    return {reinterpret_cast<const char*>(keys_[slot].data), keys_[slot].size};
  }
  uint32_t slots() const { return static_cast<uint32_t>(keys_.size()); }  // one past the highest
  size_t size() const { return live_; }
  size_t bytes() const;

 private:
  struct Bucket {
    uint32_t hash = 0;
    uint32_t slot_plus_one = 0;  // 0: empty
  };
  struct Stored {
    const uint8_t* data = nullptr;
    uint32_t size = 0;
    uint32_t hash = 0;
  };
  void Place(uint32_t hash, uint32_t slot);
  void GrowIfNeeded();
  void CompactIfWorthIt();

  std::vector<Bucket> buckets_;
  uint32_t mask_ = 0;
  std::vector<Stored> keys_;
  std::vector<uint32_t> free_;
  size_t live_ = 0;
  size_t live_bytes_ = 0;
  size_t dead_bytes_ = 0;
  Arena arena_;
};

}  // namespace millrace::stream
