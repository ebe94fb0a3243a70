// ClusterPartition: one partition of a topic in a cluster, fetched ahead of its reader.
//
//   librdkafka's queue ──Take──► blocks of records here ──Give──► the job
//                                 begin ≤ offset < through
//
// Every committed record of [begin, through) is here; offsets that are missing in between are
// transaction markers, aborted records, or were removed by compaction.
//
// Contract: one thread. `arrivals` is told by librdkafka's threads that there is something to take.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "connectors/kafka/cluster_client.h"

namespace millrace::connectors::kafka {

// Counts what comes in, for who waits for it. Any thread.
class Arrivals {
 public:
  void Add();
  // Blocks until something came that no Wait before has seen, or for `timeout_us`.
  void Wait(int64_t timeout_us);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t count_ = 0;
  uint64_t seen_ = 0;
};

class ClusterPartition {
 public:
  ClusterPartition(ClusterClient& client, rd_kafka_topic_t* topic, int partition,
                   Arrivals& arrivals);
  ~ClusterPartition();
  ClusterPartition(const ClusterPartition&) = delete;

  // Forgets what is before `from`, and sees to it that fetching goes on from there.
  Status SeekTo(model::Offset from);
  // Takes over what has been fetched, without waiting, up to about `bytes_max` that are not yet
  // given. Errors: what keeps the partition from being read, after which SeekTo begins anew;
  // kFailedPrecondition when the cluster does not have the offsets any more.
  Status Take(int64_t bytes_max);

  model::Offset through() const { return through_; }
  bool has_records() const { return !blocks_.empty(); }
  // The end of the records that make up about `budget_bytes` after `from`.
  model::Offset AfterBytes(model::Offset from, int64_t budget_bytes) const;
  // How many offsets the partition has from `from` on, as of the last fetch.
  int64_t Behind(model::Offset from) const;
  // The records of [from, to), which must be here.
  void Give(model::Offset from, model::Offset to, SourceOutput& out);

 private:
  struct Entry {
    model::Offset offset = 0;
    int64_t timestamp_ms = 0;
    size_t begin = 0;  // in the block's bytes: the key, the value, the headers
    size_t key_bytes = 0;
    size_t value_bytes = 0;
    size_t header_bytes = 0;
    bool has_key = false;
    bool has_value = false;
    bool append_time = false;
  };
  struct Block {
    std::string bytes;
    std::vector<Entry> entries;  // by offset
    bool closed = false;         // takes no more; its bytes end with padding
  };
  static void Close(Block& block);
  Status Add(const rd_kafka_message_t& message);
  Status OutOfRange() const;
  void Stop();

  ClusterClient& client_;
  rd_kafka_topic_t* topic_;
  const int partition_;
  const std::string where_;  // "reading topic \"t\" partition 0"
  Arrivals& arrivals_;
  rd_kafka_queue_t* queue_ = nullptr;  // null: not fetching
  model::Offset through_ = 0;
  bool at_end_ = false;  // nothing lay behind through_ when it was fetched
  std::deque<Block> blocks_;
  model::Offset begin_ = 0;
  int64_t bytes_ = 0;  // of the blocks
};

}  // namespace millrace::connectors::kafka
