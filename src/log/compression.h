// Compressed records of a batch, for readers inside this process and for compaction. Batches are
// stored and sent as their producer compressed them.
//
// Format: attributes bits 0-2 name the codec: 1 gzip, 2 snappy (one raw block, or blocks framed as
// snappy-java does: 8 bytes magic, 2 x int32 version, then int32 length + block each), 3 lz4 frame,
// 4 zstd frame. The 61 bytes of header are never compressed.
// Source: Kafka documentation, "Record Batch"; KIP-110 (zstd).
#pragma once

#include <string_view>

#include "base/status.h"
#include "log/buffer.h"
#include "log/record_batch.h"

namespace millrace::log {

constexpr int64_t kPlainBatchBytesMax = 64 << 20;  // of a batch, decompressed

// The batch itself when it is not compressed; else a batch in `buffer` with the same header and
// plain records, for RecordCursor. kCorruption when the bytes do not decompress, or to more than
// kPlainBatchBytesMax; kUnsupported for an unknown codec.
Result<std::string_view> PlainRecords(std::string_view batch, const BatchHeader& header,
                                      Buffer& buffer);

// Appends `records` to `out`, compressed by a codec of the list above.
void CompressRecords(std::string_view records, int codec, Buffer& out);

}  // namespace millrace::log
