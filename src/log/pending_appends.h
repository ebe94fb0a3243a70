// PendingAppends: records of one partition that wait for the next commit, encoded already.
//
// Contract: not thread-safe; the partition locks. A group that was taken ends in exactly one call
// of Committed or Failed before the next is taken. Sequences are judged when records arrive, as if
// all that waits were durable. When a group fails, all that waited behind it fails too, since its
// sequences no longer follow.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "log/log.h"
#include "log/partition_state.h"
#include "log/record_batch.h"

namespace millrace::log {

// Builders that are not in use, so that their buffers are allocated once. Thread-safe.
class BuilderPool {
 public:
  std::unique_ptr<BatchBuilder> Take();
  void Give(std::unique_ptr<BatchBuilder> builder);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BatchBuilder>> idle_;
};

struct AppendGroup {
  struct Completion {
    AppendCallback done;
    int batch = -1;  // that holds the first record; -1: no record was new
    int64_t record_in_batch = 0;
    // Of a batch that was appended before: its offset, or how to find it once that is durable.
    int64_t known_offset = -1;
    int64_t duplicate_producer_id = -1;
    int32_t duplicate_sequence = 0;
    int32_t duplicate_count = 0;
  };
  std::vector<std::unique_ptr<BatchBuilder>> batches;
  std::vector<int64_t> base_offsets;  // of the batches, once written
  std::vector<Completion> completions;
  int64_t payload_bytes = 0;

  bool empty() const { return completions.empty(); }
};

class PendingAppends {
 public:
  PendingAppends(BuilderPool* pool, ProducerStates durable);

  // Encodes those records that are not there yet, and keeps *done. After an error (the sequence
  // leaves a gap: kFailedPrecondition) nothing is kept and *done is untouched.
  Status Add(std::span<const NewRecord> records, int64_t now_ms, const ProducerSequence& sequence,
             int64_t payload_bytes, AppendCallback* done);
  // The same for a checked batch as its producer sent it. *fault tells what was wrong with its
  // sequence or epoch.
  Status AddBatch(std::string_view bytes, const BatchHeader& header, AppendCallback* done,
                  SequenceFault* fault);
  AppendGroup Take();
  void Committed(AppendGroup& group, int64_t now_ms);
  // Returns what waited behind the failed group; it has failed as well.
  AppendGroup Failed();

  int64_t NextSequence(int64_t producer_id) const;  // of durable records
  const ProducerStates& durable() const { return durable_; }
  // Forgets clients' producers that have been silent since then.
  void ForgetClients(int64_t silent_since_ms);

 private:
  struct Producer {
    int64_t next_sequence = 0;  // once all that waits is durable
    int16_t epoch = 0;
    bool known = false;                      // it has appended here before
    std::vector<ProducerBatch> recent = {};  // its last batches; offsets are not looked at
    uint64_t group = 0;                      // open_batch belongs to this group
    int open_batch = -1;
  };
  Producer& PendingOf(int64_t producer_id);
  BatchBuilder* OpenBatch(Producer& producer, int64_t producer_id, int64_t sequence);

  BuilderPool* pool_;
  ProducerStates durable_;
  std::unordered_map<int64_t, Producer> producers_;  // -1: everyone without sequences
  uint64_t group_number_ = 1;
  AppendGroup group_;
};

}  // namespace millrace::log
