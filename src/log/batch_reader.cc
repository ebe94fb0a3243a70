#include "log/batch_reader.h"

#include <algorithm>

namespace millrace::log {

BatchReader::BatchReader(env::File& file, int64_t position, int64_t limit, size_t block_bytes,
                         Buffer& buffer)
    : file_(&file),
      buffer_(&buffer),
      position_(position),
      limit_(limit),
      block_bytes_(static_cast<int64_t>(block_bytes)) {}

bool BatchReader::Holds(int64_t bytes) const {
  return position_ >= window_ && position_ + bytes <= window_end_;
}

Status BatchReader::Fill(int64_t bytes) {
  if (Holds(bytes)) return {};
  // What is there of the batch moves to the front, so that no byte is read twice.
  size_t kept = 0;
  if (position_ >= window_ && position_ < window_end_) {
    kept = static_cast<size_t>(window_end_ - position_);
    std::memmove(buffer_->data(), buffer_->data() + (position_ - window_), kept);
  }
  buffer_->Resize(kept);
  const int64_t length = std::min(limit_ - position_, std::max(bytes, block_bytes_));
  buffer_->Resize(static_cast<size_t>(length));
  MR_ASSIGN_OR_RETURN(size_t got,
                      file_->ReadAt(position_ + static_cast<int64_t>(kept), buffer_->data() + kept,
                                    static_cast<size_t>(length) - kept));
  window_ = position_;
  window_end_ = position_ + static_cast<int64_t>(kept + got);
  return {};
}

Result<std::optional<BatchHeader>> BatchReader::Header() {
  constexpr auto kHeader = static_cast<int64_t>(kBatchHeaderSize);
  if (limit_ - position_ < kHeader) return std::optional<BatchHeader>();
  MR_RETURN_IF_ERROR(Fill(kHeader));
  if (!Holds(kHeader)) return std::optional<BatchHeader>();
  auto header = ParseBatchHeader(
      {buffer_->data() + (position_ - window_), static_cast<size_t>(window_end_ - position_)});
  if (header && header->size_bytes > limit_ - position_) header.reset();
  return header;
}

Result<std::string_view> BatchReader::Body(const BatchHeader& header) {
  MR_RETURN_IF_ERROR(Fill(header.size_bytes));
  if (!Holds(header.size_bytes)) {
    return Status(Code::kCorruption,
                  "the file ends within the batch at position " + std::to_string(position_));
  }
  return std::string_view(buffer_->data() + (position_ - window_),
                          static_cast<size_t>(header.size_bytes));
}

Result<ScanResult> ScanBatches(env::File& file, int64_t position, int64_t limit, int64_t offset,
                               const std::function<void(const BatchHeader&, int64_t position,
                                                        std::string_view bytes)>& on_batch) {
  constexpr size_t kScanBlock = 1 << 20;
  Buffer buffer;
  BatchReader reader(file, position, limit, kScanBlock, buffer);
  while (true) {
    MR_ASSIGN_OR_RETURN(const auto header, reader.Header());
    if (!header || header->base_offset != offset) break;
    MR_ASSIGN_OR_RETURN(const auto bytes, reader.Body(*header));
    if (!ChecksumHolds(bytes)) break;
    on_batch(*header, reader.position(), bytes);
    reader.Advance(*header);
    offset = header->end_offset();
  }
  return ScanResult{reader.position(), offset};
}

}  // namespace millrace::log
