#include "stream/group_states.h"

#include <algorithm>
#include <cstring>

#include "state/entry_bytes.h"

namespace millrace::stream {

namespace {
constexpr uint32_t kPageSlots = 256;
// Fewer changes in a page are written one by one.
constexpr uint32_t kPageChanges = 32;

std::string BigEndian(uint64_t number, int width) {
  std::string out;
  state::PutBigEndian(out, number, width);
  return out;
}
}  // namespace

GroupStates::GroupStates(const AggregatePlan& plan, std::string prefix)
    : prefix_(std::move(prefix)), ages_(plan.ttl_us), aggregates_(plan.MakeAggregatesTogether()) {}

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
  UpdateAggregates(input);
}

void GroupStates::UpdateAggregates(const AggregateInput& input) {
  for (auto& aggregate : aggregates_) aggregate->Update(input);
}

void GroupStates::ResetAggregates(uint32_t slot) {
  for (auto& aggregate : aggregates_) aggregate->Reset(slot);
}

void GroupStates::Finish(const uint32_t* slots, uint32_t count, duckdb::DataChunk& out,
                         duckdb::idx_t first_column) const {
  for (size_t a = 0; a < aggregates_.size(); a++) {
    aggregates_[a]->Finish(slots, count, out.data[first_column + a]);
  }
}

void GroupStates::Erase(uint32_t slot) {
  ResetAggregates(slot);
  rows_[slot] = 0;
  if (ages_.on()) ages_.Remove(slot);
  keys_.Erase(slot);
  Touch(slot);
}

std::string GroupStates::EntryPrefix(size_t aggregate) const {
  return prefix_ + "e" + BigEndian(aggregate, 4);
}

void GroupStates::SaveGroup(uint32_t slot, std::string& out) const {
  std::string_view key = keys_.Key(slot);
  state::PutNumber(out, static_cast<uint32_t>(key.size()));
  out.append(key);
  state::PutNumber(out, rows_[slot]);
  if (ages_.on()) state::PutNumber(out, ages_.written_us(slot));
  for (const auto& aggregate : aggregates_) aggregate->Save(slot, out);
}

std::string_view GroupStates::LoadGroup(uint32_t slot, std::string_view& bytes) {
  const auto key_bytes = state::TakeNumber<uint32_t>(bytes);
  std::string_view key = bytes.substr(0, key_bytes);
  bytes.remove_prefix(key_bytes);
  MakeRoom(slot);
  rows_[slot] = state::TakeNumber<int64_t>(bytes);
  if (ages_.on()) ages_.Restore(slot, state::TakeNumber<int64_t>(bytes));
  for (auto& aggregate : aggregates_) bytes.remove_prefix(aggregate->Load(slot, bytes));
  return key;
}

void GroupStates::Snapshot(state::StateWriter& writer, uint32_t operator_id) {
  std::string value;
  std::sort(changes_.begin(), changes_.end());
  snapshot_++;
  for (size_t first = 0, next = 0; first < changes_.size(); first = next) {
    const uint32_t page = changes_[first] / kPageSlots;
    while (next < changes_.size() && changes_[next] / kPageSlots == page) next++;
    const uint32_t begin = page * kPageSlots;
    const uint32_t end = std::min(begin + kPageSlots, keys_.slots());
    const size_t changed = next - first;
    for (size_t i = first; i < next; i++) changed_[changes_[i]] = 0;
    if (changed >= kPageChanges && 2 * changed >= end - begin) {
      value.clear();
      state::PutNumber(value, snapshot_);
      for (uint32_t slot = begin; slot < end; slot++) {
        if (!keys_.Live(slot)) continue;
        state::PutNumber(value, static_cast<uint8_t>(slot - begin));
        SaveGroup(slot, value);
      }
      writer.Put(operator_id, prefix_ + "p" + BigEndian(page, 3), value);
      continue;
    }
    for (size_t i = first; i < next; i++) {
      value.clear();
      state::PutNumber(value, snapshot_);
      if (keys_.Live(changes_[i])) SaveGroup(changes_[i], value);
      writer.Put(operator_id, prefix_ + "g" + BigEndian(changes_[i], 4), value);
    }
  }
  if (!changes_.empty()) {
    value.clear();
    state::PutNumber(value, snapshot_);
    state::PutNumber(value, keys_.slots());
    writer.Put(operator_id, prefix_ + "n", value);
  }
  changes_.clear();
  for (size_t a = 0; a < aggregates_.size(); a++) {
    aggregates_[a]->SnapshotEntries(writer, operator_id, EntryPrefix(a));
  }
}

void GroupStates::Restore(const state::StateReader& reader, uint32_t operator_id) {
  RestoreGroups(reader, operator_id);
  for (size_t a = 0; a < aggregates_.size(); a++) {
    aggregates_[a]->RestoreEntries(reader, operator_id, EntryPrefix(a));
  }
}

void GroupStates::RestoreGroups(const state::StateReader& reader, uint32_t operator_id) {
  uint32_t slots = 0;
  reader.Scan(operator_id, prefix_ + "n", [&](std::string_view, std::string_view value) {
    snapshot_ = state::TakeNumber<uint32_t>(value);
    slots = state::TakeNumber<uint32_t>(value);
  });
  if (slots == 0) return;
  keys_.BeginRestore(slots);
  MakeRoom(slots - 1);
  // Entries of single slots are read twice: to know which of them are newer than their page, and,
  // when the pages are there, to take those over.
  // Both may speak of slots beyond: of groups that were gone before the newest snapshot.
  std::vector<uint32_t> newest(slots, 0);  // snapshot that speaks of the slot, by slot
  std::vector<std::string_view> keys;
  std::vector<uint32_t> restored;
  const size_t head = prefix_.size() + 1;
  auto single = [&](std::string_view key) {
    return static_cast<uint32_t>(state::FromBigEndian(key.substr(head)));
  };
  reader.Scan(operator_id, prefix_ + "g", [&](std::string_view key, std::string_view value) {
    if (single(key) < slots) newest[single(key)] = state::TakeNumber<uint32_t>(value);
  });
  reader.Scan(operator_id, prefix_ + "p", [&](std::string_view key, std::string_view value) {
    const uint32_t begin =
        static_cast<uint32_t>(state::FromBigEndian(key.substr(head))) * kPageSlots;
    const auto snapshot = state::TakeNumber<uint32_t>(value);
    keys.clear();
    restored.clear();
    while (!value.empty()) {
      const uint32_t slot = begin + state::TakeNumber<uint8_t>(value);
      std::string_view group_key = LoadGroup(slot, value);
      if (slot >= slots || newest[slot] > snapshot) {  // it is gone, or its own entry follows
        ResetAggregates(slot);
        rows_[slot] = 0;
        continue;
      }
      keys.push_back(group_key);
      restored.push_back(slot);
    }
    keys_.Restore(keys, restored);
    const uint32_t end = std::min(begin + kPageSlots, slots);
    for (uint32_t slot = begin; slot < end; slot++) {
      newest[slot] = std::max(newest[slot], snapshot);
    }
  });
  reader.Scan(operator_id, prefix_ + "g", [&](std::string_view key, std::string_view value) {
    const uint32_t slot = single(key);
    if (slot >= slots || state::TakeNumber<uint32_t>(value) < newest[slot]) return;
    ResetAggregates(slot);
    rows_[slot] = 0;
    if (value.empty()) return;
    keys = {LoadGroup(slot, value)};
    restored = {slot};
    keys_.Restore(keys, restored);
  });
  keys_.EndRestore();
  if (!ages_.on()) return;
  restored.clear();
  for (uint32_t slot = 0; slot < slots; slot++) {
    if (keys_.Live(slot)) restored.push_back(slot);
  }
  ages_.EndRestore(std::move(restored));
}

size_t GroupStates::bytes() const {
  size_t total =
      keys_.bytes() + rows_.capacity() * sizeof(int64_t) + changed_.capacity() + ages_.bytes();
  for (const auto& aggregate : aggregates_) total += aggregate->bytes();
  return total;
}

}  // namespace millrace::stream
