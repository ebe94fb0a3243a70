#include "log/record_batch.h"

#include <algorithm>

#include "base/units.h"
#include "log/compression.h"
#include "log/crc32c.h"
#include "log/wire.h"

namespace millrace::log {

namespace {

constexpr int8_t kMagic = 2;
constexpr int64_t kBatchLengthMax = 1 << 30;

// Kafka computes deltas in 64 bits that wrap; so do we, for timestamps at the ends of the range.
int64_t WrappingSubtract(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

// A length of -1 is null. Returns the byte after the bytes, null when they do not fit before `end`.
const char* GetNullable(const char* from, const char* end, std::string_view* bytes, bool* present) {
  int64_t length;
  from = GetVarint(from, end, &length);
  if (from == nullptr || length < -1 || length > end - from) return nullptr;
  *present = length >= 0;
  *bytes = length > 0 ? std::string_view(from, static_cast<size_t>(length)) : std::string_view();
  return from + std::max<int64_t>(length, 0);
}

}  // namespace

std::optional<BatchHeader> ParseBatchHeader(std::string_view bytes) {
  if (bytes.size() < kBatchHeaderSize) return std::nullopt;
  const char* p = bytes.data();
  const int64_t length = LoadBig<int32_t>(p + 8);
  BatchHeader header;
  header.base_offset = LoadBig<int64_t>(p);
  header.size_bytes = length + static_cast<int64_t>(kBatchLengthEnd);
  header.attributes = LoadBig<int16_t>(p + 21);
  header.last_offset_delta = LoadBig<int32_t>(p + 23);
  header.base_timestamp_ms = LoadBig<int64_t>(p + 27);
  header.max_timestamp_ms = LoadBig<int64_t>(p + 35);
  header.producer_id = LoadBig<int64_t>(p + 43);
  header.producer_epoch = LoadBig<int16_t>(p + 51);
  header.base_sequence = LoadBig<int32_t>(p + 53);
  header.record_count = LoadBig<int32_t>(p + 57);
  const bool plausible = p[16] == kMagic && length <= kBatchLengthMax &&
                         header.size_bytes >= static_cast<int64_t>(kBatchHeaderSize) &&
                         header.base_offset >= 0 && header.last_offset_delta >= 0 &&
                         header.base_offset < INT64_MAX - INT32_MAX - 1 &&
                         header.record_count >= 0 &&
                         header.record_count <= static_cast<int64_t>(header.last_offset_delta) + 1;
  if (!plausible) return std::nullopt;
  return header;
}

bool ChecksumHolds(std::string_view batch) {
  if (batch.size() < kBatchHeaderSize) return false;
  return LoadBig<uint32_t>(batch.data() + kBatchCrcAt) == Crc32c(batch.substr(kBatchAttributesAt));
}

Result<BatchHeader> CheckProducedBatch(std::string_view batch, bool keys_needed) {
  const auto corrupt = [](const char* what) {
    return Status(Code::kCorruption, std::string("the record batch ") + what);
  };
  if (static_cast<int64_t>(batch.size()) > kProducedBatchBytesMax) {
    return Status(Code::kInvalidArgument,
                  "a record batch of " + FormatBytes(static_cast<int64_t>(batch.size())) +
                      " is too large; the limit is " + FormatBytes(kProducedBatchBytesMax));
  }
  const auto header = ParseBatchHeader(batch);
  if (!header) return corrupt("has no header of format v2");
  if (header->size_bytes != std::ssize(batch)) return corrupt("is not as long as its header says");
  if (!ChecksumHolds(batch)) return corrupt("does not have the checksum that it carries");
  if (header->record_count < 1 || header->last_offset_delta != header->record_count - 1) {
    return corrupt("counts its records wrongly");
  }
  if (header->control()) {
    return Status(Code::kUnsupported, "control batches are written by the log itself");
  }
  if (header->transactional() && header->producer_id < 0) {
    return corrupt("is part of a transaction, but of no producer's");
  }
  if (header->producer_id >= 0 && (header->producer_epoch < 0 || header->base_sequence < 0)) {
    return corrupt("has a producer, but no epoch or sequence");
  }
  Buffer inflated;
  MR_ASSIGN_OR_RETURN(const auto plain, PlainRecords(batch, *header, inflated));
  RecordCursor cursor(plain, *header);
  model::Record record;
  int32_t count = 0;
  for (; cursor.Next(&record); count++) {
    if (record.offset != header->base_offset + count) return corrupt("has gaps in its offsets");
    if (keys_needed && !record.has_key) return KeyMissing();
  }
  MR_RETURN_IF_ERROR(cursor.status());
  return *header;
}

RecordCursor::RecordCursor(std::string_view batch, const BatchHeader& header)
    : header_(header),
      at_(batch.data() + kBatchHeaderSize),
      end_(batch.data() + batch.size()),
      left_(header.record_count) {}

bool RecordCursor::Fail() {
  failed_ = true;
  left_ = 0;
  return false;
}

bool RecordCursor::Next(model::Record* record) {
  if (left_ <= 0) return false;
  int64_t length;
  const char* p = GetVarint(at_, end_, &length);
  if (p == nullptr || length < 1 || length > end_ - p) return Fail();
  const char* end = p + length;
  p++;  // attributes: unused in v2
  int64_t timestamp_delta;
  int64_t offset_delta;
  if ((p = GetVarint(p, end, &timestamp_delta)) == nullptr) return Fail();
  if ((p = GetVarint(p, end, &offset_delta)) == nullptr) return Fail();
  if (offset_delta <= last_delta_ || offset_delta > header_.last_offset_delta) return Fail();
  if ((p = GetNullable(p, end, &record->key, &record->has_key)) == nullptr) return Fail();
  if ((p = GetNullable(p, end, &record->value, &record->has_value)) == nullptr) return Fail();
  int64_t header_count;
  const char* headers = p;
  if ((p = GetVarint(p, end, &header_count)) == nullptr || header_count < 0) return Fail();
  if (header_count == 0) {
    if (p != end) return Fail();
    record->headers = {};
  } else {
    for (int64_t i = 0; i < header_count; i++) {
      std::string_view bytes;
      bool present;
      if ((p = GetNullable(p, end, &bytes, &present)) == nullptr || !present) return Fail();
      if ((p = GetNullable(p, end, &bytes, &present)) == nullptr) return Fail();
    }
    if (p != end) return Fail();
    record->headers = {headers, static_cast<size_t>(end - headers)};
  }
  last_delta_ = offset_delta;
  record->offset = header_.base_offset + offset_delta;
  // Bit 3: the log's own append time, which is the batch's largest timestamp, counts for all.
  record->timestamp_ms = (header_.attributes & 8) != 0
                             ? header_.max_timestamp_ms
                             : WrappingAdd(header_.base_timestamp_ms, timestamp_delta);
  at_ = end;
  left_--;
  if (left_ == 0 && at_ != end_) return Fail();
  return true;
}

Status RecordCursor::status() const {
  if (!failed_) return {};
  return Status(Code::kCorruption, "record batch at offset " + std::to_string(header_.base_offset) +
                                       " holds records that do not match its header");
}

void BatchBuilder::Reset(int64_t producer_id, int64_t base_sequence) {
  buffer_.Resize(kBatchHeaderSize);
  adopted_ = false;
  producer_id_ = producer_id;
  base_sequence_ = producer_id < 0 ? -1 : base_sequence;
  base_timestamp_ms_ = 0;
  max_timestamp_ms_ = -1;
  count_ = 0;
}

void BatchBuilder::Add(const NewRecord& record, int64_t timestamp_ms) {
  if (count_ == 0) base_timestamp_ms_ = max_timestamp_ms_ = timestamp_ms;
  max_timestamp_ms_ = std::max(max_timestamp_ms_, timestamp_ms);
  const int64_t delta = WrappingSubtract(timestamp_ms, base_timestamp_ms_);
  size_t body = 1 + VarintSize(delta) + VarintSize(count_) + NullableSize(record.key) +
                NullableSize(record.value) +
                VarintSize(static_cast<int64_t>(record.headers.size()));
  for (const auto& [key, value] : record.headers) {
    body += NullableSize(key) + NullableSize(value);
  }
  const size_t start = buffer_.size();
  buffer_.Resize(start + VarintSize(static_cast<int64_t>(body)) + body);
  char* p = PutVarint(buffer_.data() + start, static_cast<int64_t>(body));
  *p++ = 0;
  p = PutVarint(p, delta);
  p = PutVarint(p, count_);
  p = PutNullable(p, record.key);
  p = PutNullable(p, record.value);
  p = PutVarint(p, static_cast<int64_t>(record.headers.size()));
  for (const auto& [key, value] : record.headers) {
    p = PutBytes(p, key);
    p = PutBytes(p, value);
  }
  count_++;
}

void BatchBuilder::Adopt(std::string_view batch, const BatchHeader& header) {
  buffer_.Resize(batch.size());
  std::memcpy(buffer_.data(), batch.data(), batch.size());
  adopted_ = true;
  producer_id_ = header.producer_id;
  base_sequence_ = header.base_sequence;
  base_timestamp_ms_ = header.base_timestamp_ms;
  max_timestamp_ms_ = header.max_timestamp_ms;
  count_ = header.record_count;
}

std::string_view BatchBuilder::Finish(int64_t base_offset) {
  if (adopted_) {  // the checksum does not cover offset and leader epoch
    StoreBig<int64_t>(buffer_.data(), base_offset);
    StoreBig<int32_t>(buffer_.data() + 12, 0);
    return buffer_.view();
  }
  BatchHeader header;
  header.base_offset = base_offset;
  header.last_offset_delta = count_ - 1;
  header.base_timestamp_ms = base_timestamp_ms_;
  header.max_timestamp_ms = max_timestamp_ms_;
  header.record_count = count_;
  if (producer_id_ >= 0) {
    header.producer_id = producer_id_;
    header.producer_epoch = 0;
    header.base_sequence = static_cast<int32_t>(base_sequence_ & INT32_MAX);
  }
  StoreBatchHeader(header, buffer_);
  return buffer_.view();
}

void StoreBatchHeader(const BatchHeader& header, Buffer& batch) {
  char* p = batch.data();
  StoreBig<int64_t>(p, header.base_offset);
  StoreBig<int32_t>(p + 8, static_cast<int32_t>(batch.size() - kBatchLengthEnd));
  StoreBig<int32_t>(p + 12, 0);
  p[16] = kMagic;
  StoreBig<int16_t>(p + kBatchAttributesAt, header.attributes);
  StoreBig<int32_t>(p + 23, header.last_offset_delta);
  StoreBig<int64_t>(p + 27, header.base_timestamp_ms);
  StoreBig<int64_t>(p + 35, header.max_timestamp_ms);
  StoreBig<int64_t>(p + kBatchProducerIdAt, header.producer_id);
  StoreBig<int16_t>(p + kBatchProducerEpochAt, header.producer_epoch);
  StoreBig<int32_t>(p + 53, header.base_sequence);
  StoreBig<int32_t>(p + 57, header.record_count);
  StoreBig<uint32_t>(p + kBatchCrcAt, Crc32c(batch.view().substr(kBatchAttributesAt)));
}

Status KeyMissing() {
  return Status(Code::kUnsupported, "a record without a key cannot go into a compacted topic")
      .WithHint("give each record a key, or set the topic's cleanup.policy to delete");
}

int64_t PayloadBytes(const NewRecord& record) {
  size_t bytes = (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const auto& [key, value] : record.headers) bytes += key.size() + value.size();
  return static_cast<int64_t>(bytes);
}

}  // namespace millrace::log
