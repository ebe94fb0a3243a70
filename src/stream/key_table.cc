#include "stream/key_table.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace millrace::stream {

uint32_t KeyTable::HashOf(std::string_view key) {
  uint64_t hash = XXH3_64bits(key.data(), key.size());
  return static_cast<uint32_t>(hash ^ (hash >> 32));
}

void KeyTable::Store(uint32_t slot, std::string_view key, uint32_t hash) {
  Stored& stored = keys_[slot];
  stored.size = static_cast<uint32_t>(key.size());
  stored.hash = hash;
  if (key.size() <= kNearBytes) {
    std::memcpy(stored.near, key.data(), key.size());
  } else {
    stored.far = arena_.Copy(reinterpret_cast<const uint8_t*>(key.data()), key.size());
    live_bytes_ += key.size();
  }
  live_++;
}

void KeyTable::FindOrAdd(const EncodedKeys& keys, std::vector<Found>& found) {
  constexpr size_t kAhead = 12;
  found.resize(keys.size());
  hashes_.resize(keys.size());
  for (size_t i = 0; i < keys.size(); i++) {
    hashes_[i] = HashOf(keys[i]);
    if (!buckets_.empty()) __builtin_prefetch(&buckets_[hashes_[i] & mask_]);
  }
  for (size_t i = 0; i < keys.size(); i++) {
    if (i + kAhead < keys.size() && !buckets_.empty()) {
      const Bucket& bucket = buckets_[hashes_[i + kAhead] & mask_];
      if (bucket.slot_plus_one != 0) __builtin_prefetch(&keys_[bucket.slot_plus_one - 1]);
    }
    found[i] = FindOrAdd(keys[i], hashes_[i]);
  }
}

void KeyTable::Place(uint32_t hash, uint32_t slot) {
  uint32_t at = hash & mask_;
  while (buckets_[at].slot_plus_one != 0) at = (at + 1) & mask_;
  buckets_[at] = {hash, slot + 1};
}

void KeyTable::GrowIfNeeded() {
  if (!buckets_.empty() && (live_ + 1) * 8 <= buckets_.size() * 5) return;
  Rehash(std::max<size_t>(16, buckets_.size() * 2));
}

void KeyTable::Rehash(size_t capacity) {
  buckets_.assign(capacity, Bucket());
  mask_ = static_cast<uint32_t>(capacity - 1);
  for (uint32_t slot = 0; slot < keys_.size(); slot++) {
    if (Live(slot)) Place(keys_[slot].hash, slot);
  }
}

int64_t KeyTable::Find(std::string_view key) const {
  if (buckets_.empty()) return -1;
  uint32_t hash = HashOf(key);
  for (uint32_t at = hash & mask_;; at = (at + 1) & mask_) {
    const Bucket& bucket = buckets_[at];
    if (bucket.slot_plus_one == 0) return -1;
    if (bucket.hash == hash && Key(bucket.slot_plus_one - 1) == key) {
      return bucket.slot_plus_one - 1;
    }
  }
}

KeyTable::Found KeyTable::FindOrAdd(std::string_view key, uint32_t hash) {
  GrowIfNeeded();
  uint32_t at = hash & mask_;
  for (;; at = (at + 1) & mask_) {
    const Bucket& bucket = buckets_[at];
    if (bucket.slot_plus_one == 0) break;
    if (bucket.hash == hash && Key(bucket.slot_plus_one - 1) == key) {
      return {bucket.slot_plus_one - 1, false};
    }
  }
  uint32_t slot;
  if (!free_.empty()) {
    slot = free_.back();
    free_.pop_back();
  } else {
    slot = static_cast<uint32_t>(keys_.size());
    keys_.emplace_back();
  }
  Store(slot, key, hash);
  buckets_[at] = {hash, slot + 1};
  return {slot, true};
}

void KeyTable::BeginRestore(size_t keys) {
  size_t capacity = 16;
  while (keys * 8 > capacity * 5) capacity *= 2;
  Rehash(std::max(capacity, buckets_.size()));
}

void KeyTable::Restore(const std::vector<std::string_view>& keys,
                       const std::vector<uint32_t>& slots) {
  hashes_.resize(keys.size());
  uint32_t past = this->slots();
  for (size_t i = 0; i < keys.size(); i++) {
    hashes_[i] = HashOf(keys[i]);
    __builtin_prefetch(&buckets_[hashes_[i] & mask_], 1);
    past = std::max(past, slots[i] + 1);
  }
  keys_.resize(past);
  for (size_t i = 0; i < keys.size(); i++) {
    GrowIfNeeded();
    Store(slots[i], keys[i], hashes_[i]);
    Place(hashes_[i], slots[i]);
  }
}

void KeyTable::EndRestore() {
  free_.clear();
  for (uint32_t slot = slots(); slot-- > 0;) {
    if (!Live(slot)) free_.push_back(slot);
  }
}

void KeyTable::Erase(uint32_t slot) {
  uint32_t at = keys_[slot].hash & mask_;
  while (buckets_[at].slot_plus_one != slot + 1) at = (at + 1) & mask_;
  // Close the gap: move back every following entry that may stand here (no tombstones).
  for (uint32_t next = (at + 1) & mask_; buckets_[next].slot_plus_one != 0;
       next = (next + 1) & mask_) {
    uint32_t home = buckets_[next].hash & mask_;
    if (((next - home) & mask_) >= ((next - at) & mask_)) {
      buckets_[at] = buckets_[next];
      at = next;
    }
  }
  buckets_[at] = Bucket();
  if (keys_[slot].size > kNearBytes) {
    dead_bytes_ += keys_[slot].size;
    live_bytes_ -= keys_[slot].size;
  }
  keys_[slot].size = kDead;
  free_.push_back(slot);
  live_--;
  CompactIfWorthIt();
}

void KeyTable::CompactIfWorthIt() {
  if (dead_bytes_ < (1 << 20) || dead_bytes_ < live_bytes_) return;
  Arena fresh;
  for (Stored& stored : keys_) {
    if (stored.size != kDead && stored.size > kNearBytes) {
      stored.far = fresh.Copy(stored.far, stored.size);
    }
  }
  arena_ = std::move(fresh);
  dead_bytes_ = 0;
}

size_t KeyTable::bytes() const {
  return buckets_.capacity() * sizeof(Bucket) + keys_.capacity() * sizeof(Stored) + arena_.bytes();
}

}  // namespace millrace::stream
