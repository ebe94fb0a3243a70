// PartitionState: what recovery would otherwise have to read the whole partition for.
//
// Contract: every claim is true of durable bytes only, so an old state is as good as a new one,
// just slower: recovery reads on from its position. Written at each roll, at close, and now and
// then.
//
// Format of `partition.state`, integers big-endian, replaced in one step:
//    0  4 bytes  "MRS1"
//    4  int64    base offset of the segment
//   12  int64    byte position in it; everything before is durable and accounted for here
//   20  int64    offset at that position
//   28  int64    largest timestamp so far, INT64_MIN: none
//   36  int32    number of producers; each: int64 id, int64 next sequence
//   ..  uint32   CRC-32C of all bytes before
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "log/record_batch.h"

namespace millrace::log {

// Next sequence of each producer.
using ProducerSequences = std::unordered_map<int64_t, int64_t>;

struct PartitionState {
  int64_t segment_base = 0;
  int64_t position = 0;
  int64_t end_offset = 0;
  int64_t max_timestamp_ms = INT64_MIN;
  ProducerSequences producers;

  // Accounts for a batch found behind the position. A header holds 31 bits of a sequence; the rest
  // follows from the producer's sequence so far.
  void Account(const BatchHeader& header, int64_t batch_position);
};

std::string EncodePartitionState(const PartitionState& state);
// nullopt when the bytes are not a whole, checksummed state.
std::optional<PartitionState> DecodePartitionState(std::string_view bytes);

}  // namespace millrace::log
