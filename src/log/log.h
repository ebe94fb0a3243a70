// Log: durable, partitioned topics on local disk. Knows nothing of Kafka's wire protocol, SQL or
// JSON; records are bytes.
//
// Contract
//   threads   every method may be called from any thread.
//   durable   Append completes (callback, or return of AppendAndWait) only after the bytes and the
//             file's length are on stable storage (fdatasync). One committer thread gathers all
//             appends that wait and syncs each dirty segment once: group commit.
//   readers   see only durable records: what Read returned once, it returns after any crash.
//   order     records of one Append are contiguous in their partition, in order.
//   compaction a topic may ask to keep only the newest record of each key (log/compaction.h).
//             Offsets stay, with gaps between them; every record needs a key then. What was read
//             before it may not be read the same again.
//   full disk an append that cannot be made durable fails with kResourceExhausted and
//             Retry::kBackoff; the partition's tail is cut back to its last durable record and
//             the log goes on.
//   one owner the directory is locked; a second Open fails with kFailedPrecondition naming the pid.
//
// Format: one directory per partition, `<topic>-<partition>/`, holding `<base offset, 20
// digits>.log` (Kafka record batches v2, as in Kafka's documentation "Record Batch"), `.index`
// (offset -> byte position), `.timeindex` (timestamp -> offset): see log/segment.h. Topic settings
// lie in `<topic>.topic.json`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "log/cleanup_policy.h"
#include "model/record.h"

namespace millrace::env {
class Clock;
class FileSystem;
}  // namespace millrace::env

namespace millrace::log {

struct TopicConfig {
  int partitions = 1;
  int64_t retention_ms = 7LL * 24 * 3600 * 1000;  // -1: for ever
  int64_t retention_bytes = -1;                   // per partition; -1: no limit
  int64_t segment_bytes = 256LL << 20;
  CleanupPolicy cleanup = {};
  // Compaction: how old a record must be, and how long a tombstone (a key without value) stays for
  // readers to see.
  int64_t compaction_lag_ms = 0;
  int64_t tombstones_ms = 24LL * 3600 * 1000;
};

struct TopicInfo {
  std::string name;
  TopicConfig config;
  // When it was created: tells it from an earlier topic of its name. 0: by a version that did not
  // say.
  int64_t created_us = 0;
};

struct PartitionInfo {
  int64_t start_offset = 0;  // oldest record kept
  int64_t end_offset = 0;    // one past the newest durable record
  int64_t size_bytes = 0;
  int64_t newest_timestamp_ms = -1;  // largest record timestamp; -1 when empty
  // One past the newest record whose fate is known: the first record of the oldest transaction that
  // is still open, else end_offset.
  int64_t stable_offset = 0;
  // Records before it were deleted by DeleteRecords, not by retention; 0: none were.
  int64_t deleted_before = 0;
};

// Offsets [from, to).
struct OffsetRange {
  int64_t from = 0;
  int64_t to = 0;
};

// One record to append. Views must live until Append returns (bytes are copied there).
struct NewRecord {
  int64_t timestamp_ms = 0;  // 0: the time of the append
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};
  std::vector<std::pair<std::string_view, std::string_view>> headers = {};
};

// Whole record batches in a file of the log. They stay as they are, and readable by this, whatever
// retention, compaction or a deletion does to the partition.
struct BatchSlice {
  std::shared_ptr<env::File> file;
  int64_t position = 0;
  int64_t bytes = 0;
};
struct BatchRange {
  std::vector<BatchSlice> slices;  // none of them empty
  int64_t bytes = 0;               // of all slices
  int64_t next_offset = 0;         // behind the last record
};

// Makes appends repeatable (KIP-98): the log remembers per partition the next sequence of each
// producer and drops records that it already has. Sequences count records from 0.
struct ProducerSequence {
  int64_t producer_id = -1;  // -1: not idempotent
  int64_t base_sequence = 0;
};

// Ends a producer's transaction in one partition.
struct TransactionMarker {
  int64_t producer_id = -1;
  int16_t producer_epoch = 0;  // batches of older epochs are refused from then on
  bool commit = false;
};

// A transaction whose records in a partition are not to be seen.
struct AbortedTransaction {
  int64_t producer_id = -1;
  int64_t first_offset = 0;
  int64_t last_offset = 0;  // of its marker
};

// A producer's batch arrived out of turn (see Log::AppendBatch).
enum class SequenceFault { kNone, kGap, kStaleEpoch };

struct AppendResult {
  Status status;
  int64_t base_offset = -1;  // of the first record; -1 when all were duplicates
  SequenceFault fault = SequenceFault::kNone;
};
using AppendCallback = std::function<void(const AppendResult&)>;

// Producer ids below this belong to clients that come and go: a partition forgets such a producer a
// day after its last append. Those of jobs lie above and are kept for ever.
constexpr int64_t kClientProducerIdEnd = 1LL << 40;

struct LogOptions {
  std::string directory;
  env::FileSystem* files = nullptr;  // default: the real one
  env::Clock* clock = nullptr;       // default: the system's
  int64_t retention_check_ms = 30'000;
  int64_t compaction_keys_bytes = 64LL << 20;
  bool fsync = true;  // false only in benches that measure what it costs
};

class Archive;

class Log {
 public:
  // Opens or creates; recovers every partition: the last segment is scanned and cut after its last
  // whole, checksummed batch; indexes that are missing or short are rebuilt.
  static Result<std::unique_ptr<Log>> Open(const LogOptions& options);
  virtual ~Log() = default;

  // Errors: kAlreadyExists, kInvalidArgument (name not [a-zA-Z0-9._-]{1,240}, partitions < 1).
  virtual Status CreateTopic(const std::string& name, const TopicConfig& config) = 0;
  virtual Status DeleteTopic(const std::string& name) = 0;
  virtual Status AlterTopic(const std::string& name,
                            const TopicConfig& config) = 0;  // can only add partitions
  virtual std::vector<TopicInfo> Topics() const = 0;         // by name
  virtual Result<TopicInfo> Describe(const std::string& topic) const = 0;
  virtual Result<PartitionInfo> DescribePartition(const std::string& topic,
                                                  int partition) const = 0;

  // Queues the records for the next commit; `done` is called once, from the committer thread.
  // Errors before queueing (unknown topic, record larger than 16 MiB, log closing, more than
  // 256 MiB waiting -> kResourceExhausted with backoff) also go to `done`, from this thread.
  virtual void Append(const std::string& topic, int partition, std::span<const NewRecord> records,
                      const ProducerSequence& sequence, AppendCallback done) = 0;
  // Appends one record batch v2 (log/record_batch.h) as its producer encoded it, compressed or not;
  // only its base offset is replaced. The bytes are copied before this returns. When the batch
  // names a producer: one that is there already (same epoch, sequence and count, among the
  // producer's last five since its last marker) completes with the offset that it has; one whose
  // sequence does not follow fails with kGap, one of an older epoch with kStaleEpoch (both
  // kFailedPrecondition). A producer that the partition does not know may begin with any sequence,
  // a newer epoch with 0. Errors beside those of Append: those of CheckProducedBatch.
  // Batches with the transactional attribute are invisible to Read until a marker commits them.
  virtual void AppendBatch(const std::string& topic, int partition, std::string_view batch,
                           AppendCallback done);
  // Ends the producer's transaction in this partition, if it has one there; may be repeated.
  // kFailedPrecondition with kStaleEpoch when the partition knows a newer epoch.
  virtual void AppendMarker(const std::string& topic, int partition,
                            const TransactionMarker& marker, AppendCallback done);
  // Append, then block until durable.
  Result<int64_t> AppendAndWait(const std::string& topic, int partition,
                                std::span<const NewRecord> records,
                                const ProducerSequence& sequence = {});
  // Next sequence expected of this producer in this partition; 0 when it never wrote.
  virtual Result<int64_t> NextSequence(const std::string& topic, int partition,
                                       int64_t producer_id) const = 0;

  // Calls `visit` for every record of [from, to) that is durable and committed, in order, in
  // blocks; stops early after about max_bytes (but never before one record), and at stable_offset.
  // Passes over markers and records of aborted transactions, so a range below stable_offset always
  // reads the same. Returns the offset to continue from. Bytes behind the views live until `visit`
  // returns and are followed by 64 readable bytes. Errors: kInvalidArgument when `from` is before
  // start_offset (retention) or past end_offset; kCorruption when a batch in the middle fails its
  // checksum.
  virtual Result<int64_t> Read(
      const std::string& topic, int partition, int64_t from, int64_t to, int64_t max_bytes,
      const std::function<void(std::span<const model::Record>)>& visit) = 0;
  // Where whole durable batches lie, whatever became of their transactions: from the one that holds
  // `from` on and as long as they begin before `to`, as many as fit into max_bytes, or one that is
  // larger when `at_least_one`. Records before `from` in the first batch are for the caller to
  // skip. Errors: as Read; a checksum is looked at once, by the first who comes by.
  virtual Result<BatchRange> FindBatches(const std::string& topic, int partition, int64_t from,
                                         int64_t to, int64_t max_bytes, bool at_least_one);
  // Aborted transactions with records in [from, to).
  virtual Result<std::vector<AbortedTransaction>> Aborted(const std::string& topic, int partition,
                                                          int64_t from, int64_t to) const;
  // The offsets of the segments that take no more records and whose records' fate is known, oldest
  // first. What a range reads changes only when compaction, retention or DeleteRecords takes it.
  virtual Result<std::vector<OffsetRange>> ClosedSegments(const std::string& topic,
                                                          int partition) const;
  // Retention leaves segments with records at or behind `from` where they are, until a later call
  // says otherwise: for who copies them. INT64_MAX, and what holds after Open: it leaves none.
  virtual Status HoldRetention(const std::string& topic, int partition, int64_t from);
  // Makes `before` the start offset, for good; frees segments that hold nothing else. Returns the
  // start offset, which may be larger. kInvalidArgument when `before` is past end_offset.
  virtual Result<int64_t> DeleteRecords(const std::string& topic, int partition, int64_t before);
  // The offset after [from, …) once about budget_bytes are passed, from the index, without reading
  // records; a batch boundary, at most end_offset.
  virtual Result<int64_t> OffsetAfterBytes(const std::string& topic, int partition, int64_t from,
                                           int64_t budget_bytes) const = 0;
  // First offset whose timestamp is >= timestamp_ms; end_offset when there is none.
  virtual Result<int64_t> OffsetForTime(const std::string& topic, int partition,
                                        int64_t timestamp_ms) const = 0;

  // A counter that grows with every commit, and a wait for it to pass `seen` or the timeout.
  virtual uint64_t CommitCount() const = 0;
  virtual uint64_t WaitForCommit(uint64_t seen, int64_t timeout_us) = 0;
  // Wakes all waiters (shutdown).
  virtual void WakeWaiters() = 0;

  // Where the records are that retention took, for who reads a topic from before its start offset
  // on (log/topic_reader.h); lives until it is replaced, which is not while somebody reads. Null:
  // nowhere.
  void SetArchive(const Archive* archive) { archive_ = archive; }
  const Archive* archive() const { return archive_; }

 private:
  std::atomic<const Archive*> archive_{nullptr};
};

// Partition for a key: Kafka's DefaultPartitioner, murmur2 (seed 0x9747b28c), sign bit cleared.
int PartitionForKey(std::string_view key, int partitions);

}  // namespace millrace::log
