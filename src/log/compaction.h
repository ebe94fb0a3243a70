// Compaction: of each key only the newest record stays, at its offset.
//
// Contract: one thread. Two passes over batches whose fate is decided: NewestRecords learns where
// each key was written last, SegmentRewriter copies what is still needed into a new file. Offsets
// stay; the batches of that file cover them without a hole, as those of any segment, so nobody who
// reads has to know of compaction. An untouched batch is copied byte by byte; what is left of the
// others is put together, compressed as before, and belongs to no producer any more.
//
// Source: Kafka documentation, "Log Compaction"; KIP-58 (lag).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "env/files.h"
#include "log/buffer.h"
#include "log/record_batch.h"

namespace millrace::log {

class NewestRecords {
 public:
  explicit NewestRecords(int64_t bytes_max) : bytes_left_(bytes_max) {}

  // False, with nothing remembered, when there is no room for another key.
  bool Add(std::string_view key, int64_t offset);
  // Whether no newer record of the key is known.
  bool IsNewest(std::string_view key, int64_t offset) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> newest_;
  int64_t bytes_left_;
};

// A batch whose offsets have gaps.
class SparseBatch {
 public:
  // Covers the offsets from `from` on. `compression`: bits 0-2 of the attributes.
  void Begin(int64_t from, int compression);
  void Add(const model::Record& record);
  // The batch, which ends before `end`; valid until Begin. May hold no record at all.
  std::string_view Finish(int64_t end);

  bool empty() const { return count_ == 0; }
  int64_t from() const { return from_; }
  int compression() const { return compression_; }
  int64_t size_bytes() const { return static_cast<int64_t>(buffer_.size()); }

 private:
  Buffer buffer_;
  Buffer compressed_;
  int64_t from_ = 0;
  int compression_ = 0;
  int64_t base_timestamp_ms_ = 0;
  int64_t max_timestamp_ms_ = -1;
  int32_t count_ = 0;
};

// What of a batch stays.
class Keep {
 public:
  virtual ~Keep() = default;
  virtual bool Batch(const BatchHeader& header) const = 0;  // false: nothing of it
  virtual bool Record(const model::Record& record) const = 0;
};

class SegmentRewriter {
 public:
  // Writes to `file` from its start; the first batch begins with `base_offset`.
  SegmentRewriter(env::File& file, int64_t base_offset);

  // Batches in the order of their offsets. Errors: kCorruption, and those of the file.
  Status Add(std::string_view batch, const BatchHeader& header, const Keep& keep);
  // Everything written, up to the offset `end`; syncs the file.
  Status Finish(int64_t end);
  int64_t size_bytes() const { return written_bytes_; }

 private:
  Status CloseSparse(int64_t end);
  Status Write(std::string_view bytes);
  Status Flush();
  Status Missing(int64_t end) const;

  env::File& file_;
  int64_t covered_;  // every offset before it is in what was written, or in sparse_
  bool sparse_open_ = false;
  SparseBatch sparse_;
  Buffer plain_;
  std::string unwritten_;
  int64_t written_bytes_ = 0;
  std::vector<model::Record> kept_;
};

}  // namespace millrace::log
