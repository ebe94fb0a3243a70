// SlotAges: when slots of state were last written, so that what was not written for a time to live
// (table.exec.state.ttl) can be forgotten.
//
// The slots form a list, the one that was not written for longest first; writing moves a slot to
// its end. So neither a write nor a look at the oldest depends on how many there are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "env/large_memory.h"

namespace millrace::stream {

class SlotAges {
 public:
  // 0: for ever; then nothing else is to be called.
  explicit SlotAges(int64_t ttl_us) : ttl_us_(ttl_us) {}

  bool on() const { return ttl_us_ > 0; }

  // The slot, new or not, was written now, by the clock of the epoch.
  void Write(uint32_t slot, int64_t now_us) {
    MakeRoom(slot);
    // A clock that was set back makes nothing older than what was written before.
    if (newest_ != kNone) now_us = std::max(now_us, nodes_[newest_].written_us);
    Unlink(slot);
    nodes_[slot].written_us = now_us;
    Append(slot);
  }
  // The slot is gone; it need not be there.
  void Remove(uint32_t slot) {
    if (slot < nodes_.size()) Unlink(slot);
  }
  int64_t written_us(uint32_t slot) const {
    return slot < nodes_.size() ? nodes_[slot].written_us : 0;
  }
  // Finds a slot that is too old, the oldest: it is to be removed next.
  bool FindOld(int64_t now_us, uint32_t& slot) const {
    slot = oldest_;
    return slot != kNone && nodes_[slot].written_us <= now_us - ttl_us_;
  }

  // From a checkpoint, in any order, the last word on a slot counting; then, once, EndRestore with
  // those that are there.
  void Restore(uint32_t slot, int64_t written_us) {
    MakeRoom(slot);
    nodes_[slot].written_us = written_us;
  }
  void EndRestore(std::vector<uint32_t> slots) {
    std::stable_sort(slots.begin(), slots.end(), [&](uint32_t a, uint32_t b) {
      return nodes_[a].written_us < nodes_[b].written_us;
    });
    for (uint32_t slot : slots) Append(slot);
  }

  size_t bytes() const { return nodes_.capacity() * sizeof(Node); }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Node {
    int64_t written_us = 0;
    uint32_t older = kNone;
    uint32_t newer = kNone;
    bool listed = false;
  };

  void MakeRoom(uint32_t slot) {
    if (slot >= nodes_.size()) nodes_.resize(slot + slot / 2 + size_t{16});
  }
  void Append(uint32_t slot) {
    nodes_[slot].older = newest_;
    nodes_[slot].newer = kNone;
    nodes_[slot].listed = true;
    (newest_ == kNone ? oldest_ : nodes_[newest_].newer) = slot;
    newest_ = slot;
  }
  void Unlink(uint32_t slot) {
    Node& node = nodes_[slot];
    if (!node.listed) return;
    (node.older == kNone ? oldest_ : nodes_[node.older].newer) = node.newer;
    (node.newer == kNone ? newest_ : nodes_[node.newer].older) = node.older;
    node.listed = false;
  }

  int64_t ttl_us_;
  env::LargeVector<Node> nodes_;  // by slot
  uint32_t oldest_ = kNone;
  uint32_t newest_ = kNone;
};

}  // namespace millrace::stream
