// LookupCache: answers that a lookup join keeps from epoch to epoch, for some time and up to some
// number. Part of the operator's state: what it holds is a function of the epochs, their clocks and
// their answers.
//
// State entries: 'c' ++ sequence number (8 bytes big endian) -> clock (8 bytes), key length (4),
// key, answer. The sequence keeps the order in which answers came, which is the order of leaving.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "state/state_store.h"
#include "stream/key_table.h"

namespace millrace::stream {

struct LookupCachePolicy {
  bool on = false;
  int64_t rows_max = 0;  // keys, at most; 0: any number
  int64_t ttl_us = 0;    // since the answer came, by the epochs' clock; 0: for ever
  bool missing = true;   // also that a key is not there
};

class LookupCache {
 public:
  explicit LookupCache(LookupCachePolicy policy) : policy_(policy) {}

  // The answer to `key` if it is fresh at `now_us`; null otherwise. Valid until Put or Trim.
  const std::string* Find(std::string_view key, int64_t now_us) const;
  void Put(std::string_view key, std::string answer, int64_t now_us);
  // Forgets what is too old, and the oldest of what is too much.
  void Trim(int64_t now_us);

  void Snapshot(state::StateWriter& writer, uint32_t operator_id);
  void Restore(const state::StateReader& reader, uint32_t operator_id);

  const LookupCachePolicy& policy() const { return policy_; }
  size_t size() const { return keys_.size(); }
  size_t bytes() const { return keys_.bytes() + answer_bytes_; }

 private:
  struct Entry {
    int64_t written_us = 0;
    uint64_t sequence = 0;
    std::string answer;
  };
  struct Place {
    uint64_t sequence;
    uint32_t slot;
  };
  bool Holds(const Place& place) const {
    return keys_.Live(place.slot) && entries_[place.slot].sequence == place.sequence;
  }
  void Forget(uint32_t slot);

  LookupCachePolicy policy_;
  KeyTable keys_;
  std::vector<Entry> entries_;  // by slot
  std::deque<Place> order_;     // oldest first; places that hold nothing any more among them
  uint64_t next_sequence_ = 1;
  uint64_t saved_below_ = 1;         // entries of lower numbers are in a checkpoint
  std::vector<uint64_t> forgotten_;  // of those, since the last one
  size_t answer_bytes_ = 0;
};

}  // namespace millrace::stream
