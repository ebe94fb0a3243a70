// KeyTable: maps byte strings to small dense numbers (slots), which index columns of state kept
// elsewhere. Open addressing, one copy of each key, no allocation per key; short keys lie in the
// table itself.
//
// Slots count from 0; an erased slot is given out again. Iterating slots in order is the order of
// first appearance as long as nothing is erased: deterministic.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stream/arena.h"

namespace millrace::stream {

// Many keys in one buffer.
struct EncodedKeys {
  std::string bytes;
  std::vector<uint32_t> ends;

  void Clear() {
    bytes.clear();
    ends.clear();
  }
  void Add(std::string_view key) {
    bytes.append(key);
    ends.push_back(static_cast<uint32_t>(bytes.size()));
  }
  size_t size() const { return ends.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return {bytes.data() + begin, ends[i] - begin};
  }
};

class KeyTable {
 public:
  struct Found {
    uint32_t slot;
    bool added;
  };
  // Finds the key, or adds it.
  Found FindOrAdd(std::string_view key) { return FindOrAdd(key, HashOf(key)); }
  // The same for many keys, one after the other; several cache misses are under way at a time.
  void FindOrAdd(const EncodedKeys& keys, std::vector<Found>& found);
  // Slot of the key, or -1.
  int64_t Find(std::string_view key) const;
  // Restoring a checkpoint: expects about `keys` keys, adds each at the slot it had (neither key
  // nor slot may be there), then knows which slots are free. Before EndRestore nothing else is
  // allowed.
  void BeginRestore(size_t keys);
  void Restore(const std::vector<std::string_view>& keys, const std::vector<uint32_t>& slots);
  void EndRestore();
  void Erase(uint32_t slot);

  bool Live(uint32_t slot) const { return slot < keys_.size() && keys_[slot].size != kDead; }
  // Valid until a key is added.
  std::string_view Key(uint32_t slot) const {
    const Stored& stored = keys_[slot];
    return {reinterpret_cast<const char*>(stored.size <= kNearBytes ? stored.near : stored.far),
            stored.size};
  }
  uint32_t slots() const { return static_cast<uint32_t>(keys_.size()); }  // one past the highest
  size_t size() const { return live_; }
  size_t bytes() const;

 private:
  struct Bucket {
    uint32_t hash = 0;
    uint32_t slot_plus_one = 0;  // 0: empty
  };
  static constexpr uint32_t kNearBytes = 24;
  static constexpr uint32_t kDead = UINT32_MAX;
  struct Stored {
    uint32_t size = kDead;
    uint32_t hash = 0;
    union {
      uint8_t near[kNearBytes];  // the key, when it fits
      const uint8_t* far;        // in the arena
    };
  };
  static uint32_t HashOf(std::string_view key);
  Found FindOrAdd(std::string_view key, uint32_t hash);
  void Store(uint32_t slot, std::string_view key, uint32_t hash);
  void Place(uint32_t hash, uint32_t slot);
  void GrowIfNeeded();
  void Rehash(size_t capacity);
  void CompactIfWorthIt();

  env::LargeVector<Bucket> buckets_;
  uint32_t mask_ = 0;
  env::LargeVector<Stored> keys_;
  env::LargeVector<uint32_t> free_;
  size_t live_ = 0;
  size_t live_bytes_ = 0;
  size_t dead_bytes_ = 0;
  Arena arena_;
  std::vector<uint32_t> hashes_;  // of the keys in hand
};

}  // namespace millrace::stream
