// Transactions as one partition sees them: which are open, which were aborted, and the control
// batch (marker) that ends one. Who decides is not known here.
//
// Contract: not thread-safe; the partition locks. Everything follows from the batches in their
// order, so recovery gives the same answers.
//
// Format of a marker: a record batch of one record with the attributes transactional and control,
// no sequence; key {int16 0, int16 0: aborted, 1: committed}, value {int16 0, int32 0}. Source:
// KIP-98, "Control messages"; Kafka documentation, "Control Batches".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "log/log.h"
#include "log/record_batch.h"

namespace millrace::log {

// The marker with offset 0; what is appended gets its own.
std::string EncodeMarker(const TransactionMarker& marker, int64_t timestamp_ms);
// Whether a control batch commits or aborts; nullopt for any other batch, and for control batches
// of a kind that is not known.
std::optional<bool> MarkerCommits(std::string_view batch, const BatchHeader& header);

// Whether a batch is part of one of these.
bool IsAborted(const BatchHeader& batch, const std::vector<AbortedTransaction>& aborted);

class PartitionTransactions {
 public:
  // `commits`: MarkerCommits of the batch.
  void Account(const BatchHeader& header, std::optional<bool> commits);

  // Everything before is decided: the first offset of the oldest open transaction, or `end`.
  int64_t StableOffset(int64_t end) const;
  // Aborted ones with records in [from, to), in the order in which they ended.
  std::vector<AbortedTransaction> Aborted(int64_t from, int64_t to) const;
  // Drops what ended before the partition's start.
  void Forget(int64_t start_offset);

  // For the partition's state.
  const std::map<int64_t, int64_t>& open() const { return open_; }
  const std::vector<AbortedTransaction>& aborted() const { return aborted_; }
  void Restore(int64_t producer_id, int64_t first_offset) { open_[producer_id] = first_offset; }
  void Restore(const AbortedTransaction& aborted) { aborted_.push_back(aborted); }

 private:
  std::map<int64_t, int64_t> open_;  // producer -> first offset
  std::vector<AbortedTransaction> aborted_;
};

}  // namespace millrace::log
