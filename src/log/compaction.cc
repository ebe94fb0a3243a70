#include "log/compaction.h"

#include <algorithm>

#include "log/compression.h"
#include "log/wire.h"

namespace millrace::log {

namespace {

constexpr int64_t kWriteBytes = 1 << 20;
constexpr int64_t kOffsetsPerBatchMax = 1 << 30;  // a batch counts them in 31 bits
constexpr int64_t kEntryOverheadBytes = 64;       // of the map, per key
}  // namespace

bool NewestRecords::Add(std::string_view key, int64_t offset) {
  if (const auto known = newest_.find(key); known != newest_.end()) {
    known->second = std::max(known->second, offset);
    return true;
  }
  const int64_t bytes = std::ssize(key) + kEntryOverheadBytes;
  if (bytes > bytes_left_) return false;
  bytes_left_ -= bytes;
  newest_.emplace(key, offset);
  return true;
}

bool NewestRecords::IsNewest(std::string_view key, int64_t offset) const {
  const auto known = newest_.find(key);
  return known == newest_.end() || known->second <= offset;
}

void SparseBatch::Begin(int64_t from, int compression) {
  buffer_.Resize(kBatchHeaderSize);
  from_ = from;
  compression_ = compression;
  base_timestamp_ms_ = 0;
  max_timestamp_ms_ = -1;
  count_ = 0;
}

void SparseBatch::Add(const model::Record& record) {
  if (count_ == 0) base_timestamp_ms_ = max_timestamp_ms_ = record.timestamp_ms;
  max_timestamp_ms_ = std::max(max_timestamp_ms_, record.timestamp_ms);
  // Wraps as the reader's sum does.
  const auto time = static_cast<int64_t>(static_cast<uint64_t>(record.timestamp_ms) -
                                         static_cast<uint64_t>(base_timestamp_ms_));
  const int64_t delta = record.offset - from_;
  // A record without headers has no bytes for them, but its count has one.
  const size_t headers = std::max<size_t>(record.headers.size(), 1);
  const auto key = record.has_key ? std::optional(record.key) : std::nullopt;
  const auto value = record.has_value ? std::optional(record.value) : std::nullopt;
  const size_t body =
      1 + VarintSize(time) + VarintSize(delta) + NullableSize(key) + NullableSize(value) + headers;
  const size_t start = buffer_.size();
  buffer_.Resize(start + VarintSize(static_cast<int64_t>(body)) + body);
  char* p = PutVarint(buffer_.data() + start, static_cast<int64_t>(body));
  *p++ = 0;
  p = PutVarint(p, time);
  p = PutVarint(p, delta);
  p = PutNullable(p, key);
  p = PutNullable(p, value);
  if (record.headers.empty()) {
    *p = 0;
  } else {
    std::memcpy(p, record.headers.data(), record.headers.size());
  }
  count_++;
}

std::string_view SparseBatch::Finish(int64_t end) {
  BatchHeader header;
  header.base_offset = from_;
  header.last_offset_delta = static_cast<int32_t>(end - from_ - 1);
  header.base_timestamp_ms = base_timestamp_ms_;
  header.max_timestamp_ms = max_timestamp_ms_;
  header.record_count = count_;
  Buffer* batch = &buffer_;
  if (count_ > 0 && compression_ != 0) {
    header.attributes = static_cast<int16_t>(compression_);
    compressed_.Resize(kBatchHeaderSize);
    CompressRecords(buffer_.view().substr(kBatchHeaderSize), compression_, compressed_);
    batch = &compressed_;
  }
  StoreBatchHeader(header, *batch);
  return batch->view();
}

SegmentRewriter::SegmentRewriter(env::File& file, int64_t base_offset)
    : file_(file), covered_(base_offset) {}

Status SegmentRewriter::Add(std::string_view batch, const BatchHeader& header, const Keep& keep) {
  if (header.base_offset != covered_) return Missing(header.base_offset);
  int32_t kept_count = 0;
  kept_.clear();
  if (header.control()) {
    kept_count = keep.Batch(header) ? header.record_count : 0;
  } else if (keep.Batch(header)) {
    MR_ASSIGN_OR_RETURN(const auto plain, PlainRecords(batch, header, plain_));
    RecordCursor cursor(plain, header);
    model::Record record;
    while (cursor.Next(&record)) {
      if (keep.Record(record)) kept_.push_back(record);
    }
    MR_RETURN_IF_ERROR(cursor.status());
    kept_count = static_cast<int32_t>(kept_.size());
  }
  // A transaction that is committed is one no more: its marker may go.
  const bool untouched = kept_count == header.record_count && kept_count > 0 &&
                         (header.control() || !header.transactional());
  if (untouched) {
    if (sparse_open_) MR_RETURN_IF_ERROR(CloseSparse(header.base_offset));
    covered_ = header.end_offset();
    return Write(batch);
  }
  const int compression = header.attributes & 7;
  const bool other = !sparse_.empty() && !kept_.empty() && sparse_.compression() != compression;
  const bool full = sparse_.size_bytes() > kBatchBytesMax ||
                    header.end_offset() - sparse_.from() > kOffsetsPerBatchMax;
  if (sparse_open_ && (other || full)) MR_RETURN_IF_ERROR(CloseSparse(header.base_offset));
  if (!sparse_open_) {
    sparse_.Begin(header.base_offset, compression);
    sparse_open_ = true;
  } else if (sparse_.empty()) {
    sparse_.Begin(sparse_.from(), compression);
  }
  for (const model::Record& record : kept_) sparse_.Add(record);
  covered_ = header.end_offset();
  return {};
}

Status SegmentRewriter::Missing(int64_t end) const {
  return Status(Code::kCorruption, "records are missing from offset " + std::to_string(covered_) +
                                       " to " + std::to_string(end));
}

Status SegmentRewriter::CloseSparse(int64_t end) {
  sparse_open_ = false;
  return Write(sparse_.Finish(end));
}

Status SegmentRewriter::Write(std::string_view bytes) {
  unwritten_.append(bytes);
  return std::ssize(unwritten_) < kWriteBytes ? Status() : Flush();
}

Status SegmentRewriter::Flush() {
  if (unwritten_.empty()) return {};
  const std::string_view part = unwritten_;
  MR_RETURN_IF_ERROR(file_.WriteAt(written_bytes_, {&part, 1}));
  written_bytes_ += std::ssize(unwritten_);
  unwritten_.clear();
  return {};
}

Status SegmentRewriter::Finish(int64_t end) {
  if (sparse_open_) MR_RETURN_IF_ERROR(CloseSparse(end));
  if (covered_ != end) return Missing(end);
  MR_RETURN_IF_ERROR(Flush());
  return file_.Sync();
}

}  // namespace millrace::log
