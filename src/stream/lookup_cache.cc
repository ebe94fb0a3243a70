#include "stream/lookup_cache.h"

#include <cstring>

#include "state/entry_bytes.h"

namespace millrace::stream {

namespace {

constexpr char kPrefix = 'c';

std::string EntryKey(uint64_t sequence) {
  std::string key(1, kPrefix);
  state::PutBigEndian(key, sequence, 8);
  return key;
}

}  // namespace

const std::string* LookupCache::Find(std::string_view key, int64_t now_us) const {
  const int64_t slot = keys_.Find(key);
  if (slot < 0) return nullptr;
  const Entry& entry = entries_[static_cast<size_t>(slot)];
  const bool fresh = policy_.ttl_us == 0 || now_us - entry.written_us < policy_.ttl_us;
  return fresh ? &entry.answer : nullptr;
}

void LookupCache::Put(std::string_view key, std::string answer, int64_t now_us) {
  const KeyTable::Found found = keys_.FindOrAdd(key);
  if (found.slot >= entries_.size()) entries_.resize(found.slot + 1);
  Entry& entry = entries_[found.slot];
  if (!found.added) {
    if (entry.sequence < saved_below_) forgotten_.push_back(entry.sequence);
    answer_bytes_ -= entry.answer.size();
  }
  answer_bytes_ += answer.size();
  entry = {now_us, next_sequence_++, std::move(answer)};
  order_.push_back({entry.sequence, found.slot});
}

void LookupCache::Forget(uint32_t slot) {
  Entry& entry = entries_[slot];
  if (entry.sequence < saved_below_) forgotten_.push_back(entry.sequence);
  answer_bytes_ -= entry.answer.size();
  entry = {};
  keys_.Erase(slot);
}

void LookupCache::Trim(int64_t now_us) {
  while (!order_.empty()) {
    const Place oldest = order_.front();
    if (Holds(oldest)) {
      const bool old =
          policy_.ttl_us > 0 && now_us - entries_[oldest.slot].written_us >= policy_.ttl_us;
      const bool many =
          policy_.rows_max > 0 && keys_.size() > static_cast<size_t>(policy_.rows_max);
      if (!old && !many) return;
      Forget(oldest.slot);
    }
    order_.pop_front();
  }
}

void LookupCache::Snapshot(state::StateWriter& writer, uint32_t operator_id) {
  for (uint64_t sequence : forgotten_) writer.Delete(operator_id, EntryKey(sequence));
  forgotten_.clear();
  for (auto place = order_.rbegin(); place != order_.rend(); ++place) {
    if (place->sequence < saved_below_) break;
    if (!Holds(*place)) continue;
    const Entry& entry = entries_[place->slot];
    const std::string_view key = keys_.Key(place->slot);
    const auto key_size = static_cast<uint32_t>(key.size());
    std::string value(reinterpret_cast<const char*>(&entry.written_us), sizeof entry.written_us);
    value.append(reinterpret_cast<const char*>(&key_size), sizeof key_size);
    value.append(key).append(entry.answer);
    writer.Put(operator_id, EntryKey(entry.sequence), value);
  }
  saved_below_ = next_sequence_;
}

void LookupCache::Restore(const state::StateReader& reader, uint32_t operator_id) {
  reader.Scan(operator_id, std::string_view(&kPrefix, 1),
              [&](std::string_view name, std::string_view value) {
                uint64_t sequence = 0;
                for (size_t i = 1; i < name.size(); i++) {
                  sequence = sequence << 8 | static_cast<uint8_t>(name[i]);
                }
                int64_t written_us = 0;
                uint32_t key_size = 0;
                std::memcpy(&written_us, value.data(), sizeof written_us);
                std::memcpy(&key_size, value.data() + 8, sizeof key_size);
                next_sequence_ = sequence;  // Put takes this one
                Put(value.substr(12, key_size), std::string(value.substr(12 + key_size)),
                    written_us);
              });
  forgotten_.clear();
  saved_below_ = next_sequence_;
}

}  // namespace millrace::stream
