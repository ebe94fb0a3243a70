#include "stream/join_rows.h"

#include <algorithm>
#include <cstring>

#include "state/entry_bytes.h"

namespace millrace::stream {

JoinRows::Found JoinRows::FindOrAdd(uint32_t key, std::string_view bytes) {
  if (added_only_) return {Append(key, bytes), true};
  scratch_.assign(reinterpret_cast<const char*>(&key), sizeof key);
  scratch_.append(bytes);
  auto [row, added] = table_.FindOrAdd(scratch_);
  if (added) Link(key, row);
  MarkChanged(row);
  return {row, added};
}

JoinRows::Key& JoinRows::KeyAt(uint32_t key) {
  if (key >= keys_.size()) keys_.resize(std::max<size_t>(16, key * size_t{2}));
  return keys_[key];
}

JoinRowId JoinRows::Append(uint32_t key, std::string_view bytes) {
  const auto row = static_cast<JoinRowId>(added_.size());
  const auto size = static_cast<uint32_t>(bytes.size());
  const uint8_t* copy = arena_.Copy(reinterpret_cast<const uint8_t*>(bytes.data()), size);
  added_.push_back({copy, size, key, kNoJoinRow});
  Key& list = KeyAt(key);
  (list.last == kNoJoinRow ? list.first : added_[list.last].next) = row;
  list.last = row;
  return row;
}

JoinRowId JoinRows::Link(uint32_t key, JoinRowId row) {
  if (row >= rows_.size()) rows_.emplace_back();
  Row& made = rows_[row];
  bool changed = made.changed;  // of the row that was here before
  made = Row();
  made.changed = changed;
  made.key = key;
  made.sequence = next_sequence_++;
  Key& list = KeyAt(key);
  made.previous = list.last;
  (list.last == kNoJoinRow ? list.first : rows_[list.last].next) = row;
  list.last = row;
  return row;
}

void JoinRows::MarkChanged(JoinRowId row) {
  if (rows_[row].changed) return;
  rows_[row].changed = true;
  changed_.push_back(row);
}

void JoinRows::AddWeight(JoinRowId row, int32_t weight) {
  if (added_only_) {
    keys_[added_[row].key].weight += weight;
    return;
  }
  rows_[row].weight += weight;
  keys_[rows_[row].key].weight += weight;
}

void JoinRows::Erase(JoinRowId row) {
  Row& gone = rows_[row];
  Key& list = keys_[gone.key];
  list.weight -= gone.weight;
  (gone.previous == kNoJoinRow ? list.first : rows_[gone.previous].next) = gone.next;
  (gone.next == kNoJoinRow ? list.last : rows_[gone.next].previous) = gone.previous;
  if (gone.stored) erased_.push_back(gone.sequence);
  bool changed = gone.changed;  // it stays in changed_, so a row that comes here must know it
  gone = Row();
  gone.changed = changed;
  table_.Erase(row);
}

std::string JoinRows::EntryKey(uint64_t sequence) const {
  std::string key(1, prefix_);
  state::PutBigEndian(key, sequence, 8);
  return key;
}

// Rows that never change are written once, many to an entry.
void JoinRows::SnapshotAdded(state::StateWriter& writer, uint32_t operator_id,
                             const KeyTable& keys) {
  constexpr size_t kRowsPerEntry = 256;
  std::string value;
  while (saved_ < added_.size()) {
    const size_t first = saved_;
    value.clear();
    for (; saved_ < std::min(first + kRowsPerEntry, added_.size()); saved_++) {
      const Added& row = added_[saved_];
      std::string_view key = keys.Key(row.key);
      state::PutText(value, key);
      state::PutText(value, row.bytes());
    }
    writer.Put(operator_id, EntryKey(first), value);
  }
}

void JoinRows::Snapshot(state::StateWriter& writer, uint32_t operator_id, const KeyTable& keys) {
  if (added_only_) {
    SnapshotAdded(writer, operator_id, keys);
    return;
  }
  for (uint64_t sequence : erased_) writer.Delete(operator_id, EntryKey(sequence));
  erased_.clear();
  std::string value;
  for (JoinRowId id : changed_) {
    Row& row = rows_[id];
    row.changed = false;
    if (!table_.Live(id)) continue;
    std::string_view key = keys.Key(row.key);
    value.clear();
    state::PutNumber(value, row.weight);
    state::PutNumber(value, row.shown);
    state::PutNumber(value, row.matches);
    state::PutNumber(value, row.written_us);
    value += row.shown_mark ? '\1' : '\0';
    state::PutText(value, key);
    value.append(Bytes(id));
    writer.Put(operator_id, EntryKey(row.sequence), value);
    row.stored = true;
  }
  changed_.clear();
}

void JoinRows::Restore(const state::StateReader& reader, uint32_t operator_id,
                       const std::function<uint32_t(std::string_view)>& key_of,
                       const std::function<void(JoinRowId)>& restored) {
  reader.Scan(operator_id, {&prefix_, 1}, [&](std::string_view entry, std::string_view value) {
    while (added_only_ && !value.empty()) {
      uint32_t key = key_of(state::TakeText(value));
      JoinRowId id = FindOrAdd(key, state::TakeText(value)).row;
      AddWeight(id, 1);
      saved_ = added_.size();
      restored(id);
    }
    if (added_only_) return;
    Row read;
    read.weight = state::TakeNumber<decltype(read.weight)>(value);
    read.shown = state::TakeNumber<decltype(read.shown)>(value);
    read.matches = state::TakeNumber<decltype(read.matches)>(value);
    read.written_us = state::TakeNumber<decltype(read.written_us)>(value);
    read.shown_mark = value[0] != 0;
    value.remove_prefix(1);
    uint32_t key = key_of(state::TakeText(value));
    JoinRowId id = FindOrAdd(key, value).row;
    Row& row = rows_[id];
    AddWeight(id, read.weight);
    row.shown = read.shown;
    row.matches = read.matches;
    row.written_us = read.written_us;
    row.shown_mark = read.shown_mark;
    row.stored = true;
    row.changed = false;
    row.sequence = state::FromBigEndian(entry.substr(1));
    next_sequence_ = row.sequence + 1;
    restored(id);
  });
  changed_.clear();
}

size_t JoinRows::bytes() const {
  return table_.bytes() + arena_.bytes() + added_.capacity() * sizeof(Added) +
         rows_.capacity() * sizeof(Row) + keys_.capacity() * sizeof(Key);
}

}  // namespace millrace::stream
