#include "stream/group_states.h"

#include <algorithm>
#include <cstring>

namespace millrace::stream {

namespace {
std::string BigEndian32(uint32_t value) {
  std::string out(4, '\0');
  for (size_t i = 0; i < 4; i++) out[i] = static_cast<char>(value >> (24 - 8 * i));
  return out;
}
uint32_t FromBigEndian32(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; i++) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}
}  // namespace

GroupStates::GroupStates(const AggregatePlan& plan, std::string prefix)
    : prefix_(std::move(prefix)), aggregates_(plan.MakeAggregates()) {}

KeyTable::Found GroupStates::FindOrAdd(std::string_view key) {
  KeyTable::Found found = keys_.FindOrAdd(key);
  MakeRoom(found.slot);
  Touch(found.slot);
  return found;
}

void GroupStates::FindOrAdd(const EncodedKeys& keys, std::vector<KeyTable::Found>& found) {
  keys_.FindOrAdd(keys, found);
  for (const KeyTable::Found& one : found) {
    MakeRoom(one.slot);
    Touch(one.slot);
  }
}

void GroupStates::Touch(uint32_t slot) {
  if (changed_[slot]) return;
  changed_[slot] = 1;
  changes_.push_back(slot);
}

void GroupStates::MakeRoom(uint32_t slot) {
  if (slot < capacity_) return;
  capacity_ = std::max<uint32_t>(16, slot * 2);
  for (auto& aggregate : aggregates_) aggregate->Resize(capacity_);
  rows_.resize(capacity_);
  changed_.resize(capacity_);
}

void GroupStates::Update(const AggregateInput& input) {
  for (uint32_t i = 0; i < input.count; i++) {
    rows_[input.slots[i]] += input.weights ? input.weights[i] : 1;
  }
  for (auto& aggregate : aggregates_) aggregate->Update(input);
}

void GroupStates::Finish(const uint32_t* slots, uint32_t count, duckdb::DataChunk& out,
                         duckdb::idx_t first_column) const {
  for (size_t a = 0; a < aggregates_.size(); a++) {
    aggregates_[a]->Finish(slots, count, out.data[first_column + a]);
  }
}

void GroupStates::Erase(uint32_t slot) {
  for (auto& aggregate : aggregates_) aggregate->Reset(slot);
  rows_[slot] = 0;
  keys_.Erase(slot);
  Touch(slot);
}

std::string GroupStates::GroupKey(uint32_t slot) const {
  return prefix_ + "g" + BigEndian32(slot);
}
std::string GroupStates::EntryPrefix(size_t aggregate) const {
  return prefix_ + "e" + BigEndian32(static_cast<uint32_t>(aggregate));
}

void GroupStates::Snapshot(state::StateWriter& writer, uint32_t operator_id) {
  std::string value;
  for (uint32_t slot : changes_) {
    changed_[slot] = 0;
    if (!keys_.Live(slot)) {
      writer.Delete(operator_id, GroupKey(slot));
      continue;
    }
    std::string_view key = keys_.Key(slot);
    uint32_t key_bytes = static_cast<uint32_t>(key.size());
    value.assign(reinterpret_cast<const char*>(&key_bytes), sizeof key_bytes);
    value.append(key);
    value.append(reinterpret_cast<const char*>(&rows_[slot]), sizeof(int64_t));
    for (auto& aggregate : aggregates_) aggregate->Save(slot, value);
    writer.Put(operator_id, GroupKey(slot), value);
  }
  changes_.clear();
  for (size_t a = 0; a < aggregates_.size(); a++) {
    aggregates_[a]->SnapshotEntries(writer, operator_id, EntryPrefix(a));
  }
}

void GroupStates::Restore(const state::StateReader& reader, uint32_t operator_id) {
  reader.Scan(operator_id, prefix_ + "g", [&](std::string_view key, std::string_view value) {
    uint32_t slot = FromBigEndian32(key.substr(prefix_.size() + 1));
    uint32_t key_bytes = 0;
    std::memcpy(&key_bytes, value.data(), sizeof key_bytes);
    value.remove_prefix(sizeof key_bytes);
    keys_.Restore(value.substr(0, key_bytes), slot);
    value.remove_prefix(key_bytes);
    MakeRoom(slot);
    std::memcpy(&rows_[slot], value.data(), sizeof(int64_t));
    value.remove_prefix(sizeof(int64_t));
    for (auto& aggregate : aggregates_) value.remove_prefix(aggregate->Load(slot, value));
  });
  for (size_t a = 0; a < aggregates_.size(); a++) {
    aggregates_[a]->RestoreEntries(reader, operator_id, EntryPrefix(a));
  }
}

size_t GroupStates::bytes() const {
  size_t total = keys_.bytes() + rows_.capacity() * sizeof(int64_t) + changed_.capacity();
  for (const auto& aggregate : aggregates_) total += aggregate->bytes();
  return total;
}

}  // namespace millrace::stream
