#include "stream/row_store.h"

#include <cstring>
#include <string>

#include "state/entry_bytes.h"

namespace millrace::stream {

namespace {

std::string KeyOf(std::string_view prefix, uint32_t id) {
  std::string key(prefix);
  state::PutBigEndian(key, id, 4);
  return key;
}

}  // namespace

uint8_t* RowStore::Store(std::string_view bytes) {
  const size_t room = RoomFor(bytes.size());
  live_bytes_ += room;
  uint8_t* at = nullptr;
  if (const size_t units = room / kUnitBytes; units < kSpareUnits && !spare_[units].empty()) {
    at = spare_[units].back();
    spare_[units].pop_back();
    dead_bytes_ -= room;
  } else {
    at = arena_.Allocate(room);
  }
  std::memcpy(at, bytes.data(), bytes.size());
  return at;
}

uint32_t RowStore::Add(std::string_view bytes) {
  uint32_t id;
  if (!free_.empty()) {
    id = free_.back();
    free_.pop_back();
  } else {
    id = static_cast<uint32_t>(rows_.size());
    rows_.emplace_back();
  }
  rows_[id].data = Store(bytes);
  rows_[id].size = static_cast<uint32_t>(bytes.size());
  live_++;
  MarkChanged(id);
  return id;
}

void RowStore::Remove(uint32_t id) {
  Row& row = rows_[id];
  const size_t room = RoomFor(row.size);
  if (room / kUnitBytes < kSpareUnits) spare_[room / kUnitBytes].push_back(row.data);
  row.data = nullptr;
  live_--;
  live_bytes_ -= room;
  dead_bytes_ += room;
  free_.push_back(id);
  MarkChanged(id);
  CompactIfWorthIt();
}

void RowStore::MarkChanged(uint32_t id) {
  if (rows_[id].changed) return;
  rows_[id].changed = true;
  changes_.push_back(id);
}

void RowStore::CompactIfWorthIt() {
  if (dead_bytes_ < (1 << 20) || dead_bytes_ < live_bytes_) return;
  Arena fresh;
  for (Row& row : rows_) {
    if (!row.data) continue;
    uint8_t* at = fresh.Allocate(RoomFor(row.size));
    std::memcpy(at, row.data, row.size);
    row.data = at;
  }
  arena_ = std::move(fresh);
  for (auto& room : spare_) room.clear();
  dead_bytes_ = 0;
}

void RowStore::Snapshot(state::StateWriter& writer, uint32_t operator_id, std::string_view prefix) {
  for (uint32_t id : changes_) {
    Row& row = rows_[id];
    row.changed = false;
    if (row.data) {
      writer.Put(operator_id, KeyOf(prefix, id), At(id));
    } else if (row.stored) {
      writer.Delete(operator_id, KeyOf(prefix, id));
    }
    row.stored = row.data != nullptr;
  }
  changes_.clear();
}

void RowStore::Restore(const state::StateReader& reader, uint32_t operator_id,
                       std::string_view prefix,
                       const std::function<void(uint32_t id, std::string_view row)>& visit) {
  reader.Scan(operator_id, prefix, [&](std::string_view key, std::string_view value) {
    uint32_t id = 0;
    for (char c : key.substr(prefix.size())) id = id << 8 | static_cast<unsigned char>(c);
    for (auto gap = static_cast<uint32_t>(rows_.size()); gap < id; gap++) free_.push_back(gap);
    rows_.resize(id + 1);
    rows_[id].data = Store(value);
    rows_[id].size = static_cast<uint32_t>(value.size());
    rows_[id].stored = true;
    live_++;
    visit(id, At(id));
  });
}

}  // namespace millrace::stream
