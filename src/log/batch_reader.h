// BatchReader: walks the batches of a part of a segment file, reading it in large blocks.
//
// Contract: one thread. Bytes returned by Body stay valid until a call moves the window: Holds()
// tells beforehand whether a batch can be had without that. The buffer belongs to the caller, who
// uses it again for the next reader.
#pragma once

#include <functional>
#include <optional>

#include "env/files.h"
#include "log/buffer.h"
#include "log/record_batch.h"

namespace millrace::log {

class BatchReader {
 public:
  // Batches of [position, limit); `limit` is a batch boundary, or the end of a file to recover.
  BatchReader(env::File& file, int64_t position, int64_t limit, size_t block_bytes, Buffer& buffer);

  // The header of the batch at position(); nullopt at the limit and where no whole batch follows.
  Result<std::optional<BatchHeader>> Header();
  // All bytes of that batch, read if need be. kCorruption when the file is shorter than it was.
  Result<std::string_view> Body(const BatchHeader& header);
  // Whether the next `bytes` bytes are in the window already.
  bool Holds(int64_t bytes) const;
  // Goes to the next batch.
  void Advance(const BatchHeader& header) { position_ += header.size_bytes; }

  int64_t position() const { return position_; }
  bool at_limit() const { return position_ >= limit_; }

 private:
  Status Fill(int64_t bytes);

  env::File* file_;
  Buffer* buffer_;
  int64_t position_;
  int64_t limit_;
  int64_t block_bytes_;
  int64_t window_ = 0;      // file position of the buffer's first byte
  int64_t window_end_ = 0;  // and of the byte after its last
};

struct ScanResult {
  int64_t valid_bytes = 0;  // position after the last whole batch
  int64_t end_offset = 0;   // offset after it
};
// Recovery: reads batches from `position` as long as they are whole, their checksums hold and
// their offsets follow each other from `offset` on; calls `on_batch` for each.
Result<ScanResult> ScanBatches(env::File& file, int64_t position, int64_t limit, int64_t offset,
                               const std::function<void(const BatchHeader&, int64_t position,
                                                        std::string_view bytes)>& on_batch);

}  // namespace millrace::log
