// PartitionState: what recovery would otherwise have to read the whole partition for.
//
// Contract: every claim is true of durable bytes only, so an old state is as good as a new one,
// just slower: recovery reads on from its position. Written at each roll, at close, and now and
// then; before DeleteRecords returns, because no batch says what that did.
//
// Format of `partition.state`, integers big-endian, replaced in one step:
//    0  4 bytes  "MRS4"
//    4  int64    base offset of the segment
//   12  int64    byte position in it; everything before is durable and accounted for here
//   20  int64    offset at that position
//   28  int64    largest timestamp so far, INT64_MIN: none
//   36  int64    start offset: records before it were deleted
//   44  int64    records before it have been compacted
//   52  int32    number of producers; each: int64 id, int64 next sequence, int16 epoch, int64 wall
//                ms of its last append, int32 number of recent batches; each: int64 sequence, int64
//                offset, int32 records
//   ..  int32    number of open transactions; each: int64 producer id, int64 first offset
//   ..  int32    number of aborted ones; each: int64 producer id, int64 first, int64 last offset
//   ..  uint32   CRC-32C of all bytes before
// "MRS3" knows nothing of compaction. "MRS2" has no transactions.
// "MRS1" (0.1.0 before the Kafka port) has no start offset; producers are int64 id, int64 sequence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "log/record_batch.h"
#include "log/transactions.h"

namespace millrace::log {

struct ProducerBatch {
  int64_t sequence = 0;  // of its first record
  int64_t base_offset = 0;
  int32_t count = 0;
};

// What a partition knows of one producer. Source: KIP-98.
struct ProducerState {
  static constexpr size_t kRecentMax = 5;  // Kafka's; a client may have as many requests in flight

  int64_t next_sequence = 0;  // a header holds its lowest 31 bits
  int16_t epoch = 0;
  int64_t last_used_ms = 0;           // wall clock; 0: not known
  std::vector<ProducerBatch> recent;  // newest last

  // A newer epoch begins with sequence 0.
  void Begin(int16_t new_epoch);
  // Accounts for a batch of this producer; the rest of its 31-bit sequence follows from the
  // sequence so far.
  void Account(const BatchHeader& header);
  // The recent batch with this (31-bit) sequence and count; null when there is none.
  const ProducerBatch* FindRecent(int32_t sequence, int32_t count) const;
};
using ProducerStates = std::unordered_map<int64_t, ProducerState>;
// Accounts for a batch, of whatever kind; the producer's state, or null when it has none.
ProducerState* AccountProducer(ProducerStates& producers, const BatchHeader& header);

struct PartitionState {
  int64_t segment_base = 0;
  int64_t position = 0;
  int64_t end_offset = 0;
  int64_t max_timestamp_ms = INT64_MIN;
  int64_t start_offset = 0;
  int64_t compacted_before = 0;
  ProducerStates producers;
  PartitionTransactions transactions;

  // Accounts for a batch found behind the position. `commits`: MarkerCommits.
  void Account(const BatchHeader& header, int64_t batch_position, std::optional<bool> commits);
};

std::string EncodePartitionState(const PartitionState& state);
// nullopt when the bytes are not a whole, checksummed state.
std::optional<PartitionState> DecodePartitionState(std::string_view bytes);

}  // namespace millrace::log
