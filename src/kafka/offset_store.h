// OffsetStore: what consumer groups have committed and who is in them, which producer ids were
// given out, and how the transactions stand; durable in the topic `__consumer_offsets` of the same
// log. One topic for all, because offsets have to be committed together with the transaction's
// fate.
//
// Contract: any thread. A commit is acknowledged, and seen by Find, once its record is on stable
// storage (the log's group commit). Open reads the whole topic. When most of its records have been
// overtaken, the living ones are written again and everything before is deleted. Groups without a
// commit for seven days are dropped then, unless `in_use` says otherwise.
//
// Format: records as Kafka's own __consumer_offsets has them, integers big-endian, strings with
// int16 length: key {int16 1, string group, string topic, int32 partition}, value {int16 3, int64
// offset, int32 leader epoch, string metadata, int64 commit time ms}, null to delete. Ours: key
// {int16 1000}, value {int64 producer ids below this were given out}. What others keep here: keys
// by KeptKey, values are theirs, null to delete. Source: Kafka's OffsetCommitKey.json and
// OffsetCommitValue.json.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "env/clock.h"
#include "kafka/topic_partition.h"
#include "log/log.h"

namespace millrace::kafka {

constexpr const char* kOffsetsTopic = "__consumer_offsets";

struct CommittedOffset {
  int64_t offset = -1;
  int32_t leader_epoch = -1;
  std::string metadata;
  int64_t commit_ms = 0;
};

using GroupOffsets = std::map<TopicPartition, CommittedOffset>;

// What is kept beside the offsets, each under a key {int16 kind, string id, of a member its id}.
enum class KeptKind : int16_t {
  kGroup = 2,             // kafka/group_record.h; Kafka's own kind
  kTransaction = 1001,    // kafka/transaction_record.h
  kConsumerGroup = 1002,  // kafka/group_record.h
  kConsumerMember = 1003,
};

struct KeptKey {
  KeptKind kind = KeptKind::kTransaction;
  std::string id;      // the group's, or the transactional one
  std::string member;  // of kConsumerMember
  auto operator<=>(const KeptKey&) const = default;
};

struct KeptChange {
  KeptKey key;
  std::optional<std::string> record;  // nullopt: forgotten
};

class OffsetStore {
 public:
  using Done = std::function<void(const Status&)>;

  // Creates the topic when it is not there. `log` and `clock` outlive this.
  static Result<std::unique_ptr<OffsetStore>> Open(log::Log& log, env::Clock& clock);
  // Waits for what was handed to the log.
  ~OffsetStore();

  // All or none; commit_ms is filled in.
  void Commit(const std::string& group, GroupOffsets offsets, Done done);
  // Those named, or all of the group when null.
  void Delete(const std::string& group, const std::vector<TopicPartition>* partitions, Done done);
  // A deleted topic's offsets mean nothing to a new topic of that name.
  void DeleteTopic(const std::string& topic, Done done);
  GroupOffsets Find(const std::string& group) const;
  std::vector<std::string> Groups() const;

  // Keeps records, and commits offsets of groups in the same record batch, as long as all of it is
  // smaller than one: all or nothing.
  void Keep(std::vector<KeptChange> changes, std::map<std::string, GroupOffsets> offsets,
            Done done);
  // Those of a kind.
  std::map<KeptKey, std::string> Kept(KeptKind kind) const;

  // An id that nobody had before. Blocks when a new block of them has to be written down.
  Result<int64_t> NewProducerId();

  // Whether a group has members; asked before it is dropped for silence.
  void SetInUse(std::function<bool(const std::string&)> in_use) { in_use_ = std::move(in_use); }
  // Rewrites the topic if it is worth it. Blocks; now and then, from one thread.
  Status Compact(int64_t records_min);

 private:
  struct Entry {
    std::string group;
    TopicPartition at;
    std::optional<CommittedOffset> value;  // nullopt: deleted
  };
  OffsetStore(log::Log& log, env::Clock& clock) : log_(log), clock_(clock) {}
  Status Replay();
  void Apply(const Entry& entry);
  void Apply(const KeptChange& change);
  void Write(std::vector<Entry> entries, Done done, std::vector<KeptChange> kept = {});
  // What one call of Write is about; its records are one batch.
  struct Change {
    std::vector<Entry> entries;
    std::vector<KeptChange> kept;
    Done done;
  };
  // Hands the change to the log; order_mutex_ is held. The reason when it is refused at once: then
  // the caller calls Finish without the lock, for `done` may write in turn.
  std::optional<Status> Append(const std::shared_ptr<const Change>& change);
  void Finish(const Change& change, const Status& status);
  void AppendDeferred();
  Status Rewrite();
  void DropSilentGroups();

  log::Log& log_;
  env::Clock& clock_;
  std::function<bool(const std::string&)> in_use_;

  std::mutex order_mutex_;  // records are appended in the order in which it was held
  bool rewriting_ = false;  // by Compact; changes are deferred, in their order
  std::vector<std::shared_ptr<const Change>> deferred_;

  mutable std::mutex mutex_;
  std::condition_variable none_in_flight_;
  std::map<std::string, GroupOffsets> groups_;
  std::map<KeptKey, std::string> kept_;
  int64_t records_ = 0;    // in the topic, overtaken ones too
  int64_t in_flight_ = 0;  // writes

  std::mutex ids_mutex_;
  int64_t next_id_ = 0;
  int64_t ids_end_ = 0;  // those below are written down
};

}  // namespace millrace::kafka
