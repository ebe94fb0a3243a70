// SegmentIndex: where in a segment file an offset or a time is, every 4 KiB.
//
// Contract: not thread-safe; a hint, never an authority. Whoever uses an entry checks the batch it
// points to, and rebuilds the index from the segment when they differ.
//
// Format, one entry for the first batch and for each that starts 4 KiB or more after the last
// indexed one; both files hold the same batches, integers big-endian:
//   .index      uint32 offset - base offset, uint32 byte position
//   .timeindex  int64 largest timestamp of all batches before this one, uint32 offset - base offset
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "log/record_batch.h"

namespace millrace::log {

struct IndexEntry {
  int64_t offset = 0;    // of the batch's first record
  int64_t position = 0;  // of its first byte
  int64_t max_timestamp_before_ms = INT64_MIN;
};

class SegmentIndex {
 public:
  static constexpr int64_t kIntervalBytes = 4096;

  explicit SegmentIndex(int64_t base_offset);
  // Keeps the part of the files' contents that makes sense for a segment of `segment_bytes` bytes:
  // entries in order, in both files, inside the segment.
  static SegmentIndex Decode(int64_t base_offset, std::string_view offsets, std::string_view times,
                             int64_t segment_bytes);
  // Entries from `first` on, for the two files.
  std::string EncodeOffsets(size_t first) const;
  std::string EncodeTimes(size_t first) const;

  // Batches come in order; one that is covered already is passed over.
  void Add(const BatchHeader& header, int64_t position);

  // The last entry at or before `offset`; the segment's start when there is none.
  IndexEntry FloorOffset(int64_t offset) const;
  // The last entry at or before `position`; the segment's start when there is none.
  IndexEntry FloorPosition(int64_t position) const;
  // The last entry before which every timestamp is smaller than timestamp_ms.
  IndexEntry FloorTime(int64_t timestamp_ms) const;
  // The first entry at or behind `position`; nullptr when there is none.
  const IndexEntry* FirstFrom(int64_t position) const;

  size_t entry_count() const { return entries_.size(); }
  // Batches before this position have been added.
  int64_t covered_bytes() const { return covered_bytes_; }
  // Largest timestamp so far; INT64_MIN when there is none.
  int64_t max_timestamp_ms() const { return max_timestamp_ms_; }

 private:
  int64_t base_offset_;
  int64_t covered_bytes_ = 0;
  int64_t max_timestamp_ms_ = INT64_MIN;
  std::vector<IndexEntry> entries_;
};

}  // namespace millrace::log
