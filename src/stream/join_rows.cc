#include "stream/join_rows.h"

#include <algorithm>
#include <cstring>

namespace millrace::stream {

namespace {

template <typename T>
void Put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <typename T>
void Take(std::string_view& bytes, T& value) {
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
}

}  // namespace

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
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(sequence >> shift);
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
      Put(value, static_cast<uint32_t>(key.size()));
      value.append(key);
      Put(value, row.size);
      value.append(row.bytes());
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
    Put(value, row.weight);
    Put(value, row.shown);
    Put(value, row.matches);
    Put(value, row.written_us);
    value += row.shown_mark ? '\1' : '\0';
    Put(value, static_cast<uint32_t>(key.size()));
    value.append(key);
    value.append(Bytes(id));
    writer.Put(operator_id, EntryKey(row.sequence), value);
    row.stored = true;
  }
  changed_.clear();
}

void JoinRows::Restore(const state::StateReader& reader, uint32_t operator_id,
                       const std::function<uint32_t(std::string_view)>& key_of,
                       const std::function<void(JoinRowId)>& restored) {
  auto take_text = [](std::string_view& bytes) {
    uint32_t size = 0;
    Take(bytes, size);
    std::string_view text = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return text;
  };
  reader.Scan(operator_id, {&prefix_, 1}, [&](std::string_view entry, std::string_view value) {
    while (added_only_ && !value.empty()) {
      uint32_t key = key_of(take_text(value));
      JoinRowId id = FindOrAdd(key, take_text(value)).row;
      AddWeight(id, 1);
      saved_ = added_.size();
      restored(id);
    }
    if (added_only_) return;
    Row read;
    Take(value, read.weight);
    Take(value, read.shown);
    Take(value, read.matches);
    Take(value, read.written_us);
    read.shown_mark = value[0] != 0;
    value.remove_prefix(1);
    uint32_t key = key_of(take_text(value));
    JoinRowId id = FindOrAdd(key, value).row;
    Row& row = rows_[id];
    AddWeight(id, read.weight);
    row.shown = read.shown;
    row.matches = read.matches;
    row.written_us = read.written_us;
    row.shown_mark = read.shown_mark;
    row.stored = true;
    row.changed = false;
    row.sequence = 0;
    for (size_t i = 1; i <= sizeof row.sequence; i++) {
      row.sequence = row.sequence << 8 | static_cast<unsigned char>(entry[i]);
    }
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
