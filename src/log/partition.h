// Partition: an ordered list of segments; the newest is appended to by the committer.
//
// Contract
//   threads   Append, the readers and Describe from any thread. A commit (Take .. Publish/Abort),
//             a roll, a cut and MarkDeleted exclude each other by CommitLock, which nobody takes
//             while holding another lock of a partition.
//   commit    one group at a time, on the committer's thread:
//               LockForCommit -> Take -> Write -> Sync -> Publish, or Abort after any error
//             Segments before the newest are complete and durable before the next one is created,
//             so only the newest can have a torn tail.
//   failure   Abort cuts the files back to what is durable. If that fails too, every commit starts
//             by trying again and fails until it works.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/clock.h"
#include "env/files.h"
#include "log/commit_gate.h"
#include "log/compaction.h"
#include "log/log.h"
#include "log/pending_appends.h"
#include "log/segment.h"
#include "log/swap_files.h"
#include "log/transactions.h"

namespace millrace::log {

class Committer;

// What all partitions of a log share.
struct PartitionContext {
  env::FileSystem* files = nullptr;
  env::Clock* clock = nullptr;
  OpenFiles* open_files = nullptr;
  BuilderPool* builders = nullptr;
  Committer* committer = nullptr;
  bool fsync = true;
  int64_t compaction_keys_bytes = 0;  // memory for the keys that a compaction compares
  const std::atomic<bool>* closing = nullptr;
};

class Partition : public std::enable_shared_from_this<Partition> {
 public:
  // Recovers what is in `directory`, which exists.
  static Result<std::shared_ptr<Partition>> Open(const PartitionContext& context,
                                                 const std::string& topic, int number,
                                                 const std::string& directory,
                                                 const TopicConfig& config);

  // See Log.
  void Append(std::span<const NewRecord> records, const ProducerSequence& sequence,
              AppendCallback done);
  void AppendBatch(std::string_view batch, AppendCallback done);
  void AppendMarker(const TransactionMarker& marker, AppendCallback done);
  Result<int64_t> NextSequence(int64_t producer_id) const;
  Result<PartitionInfo> Describe() const;
  Result<int64_t> Read(int64_t from, int64_t to, int64_t max_bytes,
                       const std::function<void(std::span<const model::Record>)>& visit);
  Result<BatchRange> FindBatches(int64_t from, int64_t to, int64_t max_bytes, bool at_least_one);
  std::vector<AbortedTransaction> Aborted(int64_t from, int64_t to) const;
  Result<std::vector<OffsetRange>> ClosedSegments() const;
  void HoldRetention(int64_t from) { held_from_ = from; }
  Result<int64_t> DeleteRecords(int64_t before);
  Result<int64_t> OffsetAfterBytes(int64_t from, int64_t budget_bytes);
  Result<int64_t> OffsetForTime(int64_t timestamp_ms);

  // For the committer; see the contract above.
  std::unique_lock<CommitGate> LockForCommit() { return std::unique_lock(commit_gate_); }
  AppendGroup Take();
  Status Write(AppendGroup& group);
  Status Sync();
  void Publish(AppendGroup& group);
  // Returns what waited behind the group and fails with it.
  AppendGroup Abort();
  // Work that nobody waits for, after Publish: indexes and state of a segment that is full.
  void FinishCommit();

  void SetConfig(const TopicConfig& config);
  // Removes segments that are past their time or beyond the size; the newest only after a roll.
  void ApplyRetention(int64_t now_ms);
  // Removes records whose key has a newer one, once half of the bytes were never looked at. What
  // fails is tried again by the next call.
  Status ApplyCompaction(int64_t now_ms);
  // Writes the state if much was appended since, so that recovery stays short.
  void Checkpoint(int64_t growth_bytes_min);
  // Makes all further calls fail with kNotFound and leaves the files alone, for good.
  void MarkDeleted();

 private:
  struct WrittenSegment {
    std::shared_ptr<Segment> segment;
    std::shared_ptr<env::File> file;
    int64_t end_position = 0;
    struct Batch {
      BatchHeader header;
      int64_t position;
      std::optional<bool> commits;  // MarkerCommits
    };
    std::vector<Batch> batches;
  };
  struct View {  // a reader's
    std::shared_ptr<Segment> segment;
    int64_t segment_end = 0;  // offset where the next segment starts, or the partition ends
    int64_t start_offset = 0;
    int64_t end_offset = 0;
    int64_t stable_offset = 0;
  };

  Partition(const PartitionContext& context, std::string topic, int number, std::string directory,
            const TopicConfig& config, PartitionState state);

  std::shared_ptr<Segment> NewSegment(int64_t base_offset, int64_t durable_bytes);
  Status OpenForWrite(WrittenSegment& written);
  Status Roll(int64_t base_offset);
  Status Cut();
  Status WriteState();
  void WriteStateIfPossible();
  int64_t StartOffsetLocked() const;
  int64_t StableOffsetLocked() const;
  // A checked batch, or one of our own.
  void AppendEncoded(std::string_view batch, const BatchHeader& header, AppendCallback done);
  Status RollForRetention();
  bool DropOldest(const std::shared_ptr<Segment>& segment);
  void RemoveDropped();
  std::vector<std::shared_ptr<Segment>> DecidedSegments(int64_t now_ms) const;
  Result<int64_t> ReadNewest(const std::vector<std::shared_ptr<Segment>>& segments, int64_t from,
                             NewestRecords* newest) const;
  Status Rewrite(std::span<const std::shared_ptr<Segment>> group, const Keep& keep);
  Status Swap(std::span<const std::shared_ptr<Segment>> group, int64_t end);
  Status FinishSwap();
  Status CompactionCancelled() const;

  Status DeletedError() const;
  Status OutOfRange(int64_t from, int64_t start, int64_t end) const;
  // The segment that holds `offset`.
  Result<View> Find(int64_t offset) const;
  std::vector<std::shared_ptr<Segment>> SegmentList() const;
  // The part of FindBatches that lies in one segment; empty when nothing fits. Moves *from behind
  // it.
  Result<BatchSlice> FindSlice(const View& view, int64_t* from, int64_t to, int64_t max_bytes,
                               bool at_least_one);
  Result<int64_t> ReadSegment(const View& view, int64_t from, int64_t to, int64_t* budget_bytes,
                              const std::function<void(std::span<const model::Record>)>& visit);

  const PartitionContext context_;
  const std::string topic_;
  const int number_;
  const std::string name_;  // "topic-0", for messages
  const std::string directory_;
  std::atomic<int64_t> segment_bytes_;
  std::atomic<int64_t> retention_ms_;
  std::atomic<int64_t> retention_bytes_;
  std::atomic<bool> removes_;  // CleanupPolicy
  std::atomic<bool> compacts_;
  std::atomic<int64_t> compaction_lag_ms_;
  std::atomic<int64_t> tombstones_ms_;
  std::atomic<int64_t> held_from_{INT64_MAX};

  mutable std::mutex pending_mutex_;
  PendingAppends pending_;
  bool queued_ = false;  // the committer knows

  CommitGate commit_gate_;  // guards the members down to the empty line
  std::vector<WrittenSegment> written_;
  bool needs_cut_ = false;
  bool directory_dirty_ = false;  // a segment was created since the directory was synced
  bool file_exists_ = false;      // of the newest segment
  bool rolled_ = false;
  std::optional<SwapFile> unfinished_swap_;  // the disk is to be made as it says
  int64_t state_position_ = 0;  // the last written state covers the newest segment up to here

  mutable std::mutex state_mutex_;  // guards the members below; segments_ is changed under both
  std::vector<std::shared_ptr<Segment>> segments_;
  int64_t deleted_before_ = 0;  // by DeleteRecords
  int64_t compacted_before_ = 0;
  int64_t end_offset_ = 0;
  int64_t max_timestamp_ms_ = INT64_MIN;
  PartitionTransactions transactions_;
  bool deleted_ = false;

  std::mutex compaction_mutex_;  // held while files are made that a deletion must not meet

  std::mutex dropped_mutex_;
  std::vector<std::shared_ptr<Segment>> dropped_;  // files to be removed, oldest first
};

}  // namespace millrace::log
