#include "log/segment_index.h"

#include <algorithm>

#include "log/wire.h"

namespace millrace::log {

namespace {
constexpr size_t kOffsetEntry = 8;
constexpr size_t kTimeEntry = 12;
}  // namespace

SegmentIndex::SegmentIndex(int64_t base_offset) : base_offset_(base_offset) {}

SegmentIndex SegmentIndex::Decode(int64_t base_offset, std::string_view offsets,
                                  std::string_view times, int64_t segment_bytes) {
  SegmentIndex index(base_offset);
  const size_t count = std::min(offsets.size() / kOffsetEntry, times.size() / kTimeEntry);
  for (size_t i = 0; i < count; i++) {
    const char* o = offsets.data() + i * kOffsetEntry;
    const char* t = times.data() + i * kTimeEntry;
    const auto relative = LoadBig<uint32_t>(o);
    const IndexEntry entry{base_offset + relative, LoadBig<uint32_t>(o + 4), LoadBig<int64_t>(t)};
    const bool first = index.entries_.empty();
    const bool follows =
        first ? relative == 0 && entry.position == 0 && entry.max_timestamp_before_ms == INT64_MIN
              : entry.offset > index.entries_.back().offset &&
                    entry.position >= index.entries_.back().position + kIntervalBytes &&
                    entry.max_timestamp_before_ms >= index.max_timestamp_ms_;
    if (!follows || relative != LoadBig<uint32_t>(t + 8) || entry.position >= segment_bytes) break;
    index.entries_.push_back(entry);
    index.covered_bytes_ = entry.position;
    index.max_timestamp_ms_ = entry.max_timestamp_before_ms;
  }
  return index;
}

std::string SegmentIndex::EncodeOffsets(size_t first) const {
  std::string bytes;
  bytes.resize((entries_.size() - first) * kOffsetEntry);
  char* p = bytes.data();
  for (size_t i = first; i < entries_.size(); i++, p += kOffsetEntry) {
    StoreBig(p, static_cast<uint32_t>(entries_[i].offset - base_offset_));
    StoreBig(p + 4, static_cast<uint32_t>(entries_[i].position));
  }
  return bytes;
}

std::string SegmentIndex::EncodeTimes(size_t first) const {
  std::string bytes;
  bytes.resize((entries_.size() - first) * kTimeEntry);
  char* p = bytes.data();
  for (size_t i = first; i < entries_.size(); i++, p += kTimeEntry) {
    StoreBig(p, entries_[i].max_timestamp_before_ms);
    StoreBig(p + 8, static_cast<uint32_t>(entries_[i].offset - base_offset_));
  }
  return bytes;
}

void SegmentIndex::Add(const BatchHeader& header, int64_t position) {
  if (position < covered_bytes_) return;
  if (entries_.empty() || position - entries_.back().position >= kIntervalBytes) {
    entries_.push_back({header.base_offset, position, max_timestamp_ms_});
  }
  max_timestamp_ms_ = std::max(max_timestamp_ms_, header.max_timestamp_ms);
  covered_bytes_ = position + header.size_bytes;
}

IndexEntry SegmentIndex::FloorOffset(int64_t offset) const {
  const auto it = std::upper_bound(entries_.begin(), entries_.end(), offset,
                                   [](int64_t o, const IndexEntry& e) { return o < e.offset; });
  return it == entries_.begin() ? IndexEntry{base_offset_, 0, INT64_MIN} : *std::prev(it);
}

IndexEntry SegmentIndex::FloorTime(int64_t timestamp_ms) const {
  const auto it = std::partition_point(entries_.begin(), entries_.end(), [&](const IndexEntry& e) {
    return e.max_timestamp_before_ms < timestamp_ms;
  });
  return it == entries_.begin() ? IndexEntry{base_offset_, 0, INT64_MIN} : *std::prev(it);
}

IndexEntry SegmentIndex::FloorPosition(int64_t position) const {
  const auto it = std::partition_point(entries_.begin(), entries_.end(),
                                       [&](const IndexEntry& e) { return e.position <= position; });
  return it == entries_.begin() ? IndexEntry{base_offset_, 0, INT64_MIN} : *std::prev(it);
}

const IndexEntry* SegmentIndex::FirstFrom(int64_t position) const {
  const auto it = std::partition_point(entries_.begin(), entries_.end(),
                                       [&](const IndexEntry& e) { return e.position < position; });
  return it == entries_.end() ? nullptr : &*it;
}

}  // namespace millrace::log
