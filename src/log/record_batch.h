// Record batches v2: how records lie on disk and travel on the wire, exactly Kafka's bytes.
//
// Format (integers big-endian, v = zigzag varint)
//    0  int64   baseOffset            offset of the first record
//    8  int32   batchLength           bytes after this field
//   12  int32   partitionLeaderEpoch  0
//   16  int8    magic                 2
//   17  uint32  crc                   CRC-32C of everything from `attributes` on
//   21  int16   attributes            bits 0-2 compression (0 none), 3 timestamp type,
//                                     4 transactional, 5 control
//   23  int32   lastOffsetDelta
//   27  int64   baseTimestamp         of the first record, ms
//   35  int64   maxTimestamp
//   43  int64   producerId            -1: none
//   51  int16   producerEpoch         -1: none
//   53  int32   baseSequence          -1: none; wraps from 2^31-1 to 0
//   57  int32   recordsCount
//   61  records, each: v length of the rest; int8 attributes (0); v timestamp - baseTimestamp;
//       v offset - baseOffset; v key length (-1: null), key; v value length (-1: null), value;
//       v header count; headers: v key length, key, v value length (-1: null), value
// Source: Kafka documentation, "Record Batch"; KIP-98.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "log/buffer.h"
#include "log/log.h"
#include "model/record.h"

namespace millrace::log {

constexpr size_t kBatchHeaderSize = 61;
constexpr size_t kBatchLengthEnd = 12;  // batchLength counts from here
constexpr size_t kBatchCrcAt = 17;
constexpr size_t kBatchAttributesAt = 21;
constexpr size_t kBatchProducerIdAt = 43;
constexpr size_t kBatchProducerEpochAt = 51;
constexpr int64_t kBatchBytesMax = 1 << 20;    // of a batch with more than one record
constexpr int64_t kRecordBytesMax = 16 << 20;  // of a record's key, value and headers
constexpr int64_t kProducedBatchBytesMax = kRecordBytesMax + (1 << 20);  // as a producer sends it

struct BatchHeader {
  int64_t base_offset = 0;
  int64_t size_bytes = 0;  // of the whole batch
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  int64_t end_offset() const { return base_offset + last_offset_delta + 1; }
  bool compressed() const { return (attributes & 7) != 0; }
  bool transactional() const { return (attributes & 16) != 0; }
  bool control() const { return (attributes & 32) != 0; }
};

// The header at the start of `bytes`; nullopt when fewer than kBatchHeaderSize bytes are there or
// they cannot be a header (the checksum is not looked at).
std::optional<BatchHeader> ParseBatchHeader(std::string_view bytes);

// Writes the header (size_bytes aside: that is the batch's) and the checksum of a batch whose
// records are there already, behind kBatchHeaderSize bytes.
void StoreBatchHeader(const BatchHeader& header, Buffer& batch);

// Checks a batch that a producer encoded: exactly one, whole, checksummed, with a known
// compression, whose records (decompressed, if need be) are those that its header announces.
// Errors: kCorruption; kInvalidArgument beyond kProducedBatchBytesMax, and KeyMissing for a
// record without a key where `keys_needed`; kUnsupported for control batches.
Result<BatchHeader> CheckProducedBatch(std::string_view batch, bool keys_needed = false);

// Whether the checksum of a whole batch holds.
bool ChecksumHolds(std::string_view batch);

// Walks the records of one whole, uncompressed batch. Allocates nothing; views point into `batch`.
class RecordCursor {
 public:
  RecordCursor(std::string_view batch, const BatchHeader& header);
  // False at the end, and when the bytes are malformed (then status() says so).
  bool Next(model::Record* record);
  // OK while all went well; kCorruption when the records do not fill the batch as its header says.
  Status status() const;

 private:
  bool Fail();

  BatchHeader header_;
  const char* at_;
  const char* end_;
  int32_t left_;
  int64_t last_delta_ = -1;
  bool failed_ = false;
};

// Builds one batch in a buffer that grows and is used again and again.
class BatchBuilder {
 public:
  // Starts an empty batch. base_sequence is ignored when producer_id is -1.
  void Reset(int64_t producer_id, int64_t base_sequence);
  // Encodes straight into the buffer. timestamp_ms replaces the record's own.
  void Add(const NewRecord& record, int64_t timestamp_ms);
  // Fills the header in and returns the batch; valid until the next Reset or Add.
  std::string_view Finish(int64_t base_offset);
  // Takes a checked batch over as it is; Finish then only gives it its offset.
  void Adopt(std::string_view batch, const BatchHeader& header);
  // The batch that Finish returned last.
  std::string_view finished() const { return buffer_.view(); }

  int64_t producer_id() const { return producer_id_; }
  int64_t base_sequence() const { return base_sequence_; }
  int32_t count() const { return count_; }
  int64_t size_bytes() const { return static_cast<int64_t>(buffer_.size()); }
  size_t capacity() const { return buffer_.capacity(); }
  int64_t max_timestamp_ms() const { return max_timestamp_ms_; }

 private:
  Buffer buffer_;
  int64_t producer_id_ = -1;
  int64_t base_sequence_ = -1;
  int64_t base_timestamp_ms_ = 0;
  int64_t max_timestamp_ms_ = -1;
  int32_t count_ = 0;
  bool adopted_ = false;
};

// What to say of a record that compaction could not compare.
Status KeyMissing();

// Bytes that a record brings: key, value and headers.
int64_t PayloadBytes(const NewRecord& record);

}  // namespace millrace::log
