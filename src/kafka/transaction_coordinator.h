// TransactionCoordinator: begins and ends transactions, for all transactional ids.
//
// A transaction is decided by one durable record (PrepareCommit or PrepareAbort); the offsets that
// it commits stand in the same batch. Markers into its partitions follow, and are written again
// after a crash, until a record says that all are there. So it ends the same everywhere.
//
// Contract
//   threads    any; callbacks come from the caller's thread or the log's. They must not wait.
//   order      requests about one id are served one after the other, each when the one before is
//              done; so nobody is told to come back later.
//   fencing    a producer with an older epoch gets kInvalidProducerEpoch. Its batches cannot come
//              behind the marker that ends its transaction: Append judges and queues under the lock
//              that ending a transaction takes first.
//   timeout    a transaction that is open for longer than its producer allows is aborted by Tick.
//   in memory  one record per id. Ids silent for seven days are forgotten at the next start.
// Source: KIP-98, KIP-360, KIP-447.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "env/clock.h"
#include "kafka/error_codes.h"
#include "kafka/transaction_record.h"
#include "log/log.h"

namespace millrace::kafka {

// As a request names it.
struct TransactionalProducer {
  std::string transactional_id;
  int64_t id = -1;
  int16_t epoch = -1;
};

class TransactionCoordinator {
 public:
  using Done = std::function<void(ErrorCode)>;
  // The producer's id and epoch, when there is no error.
  using InitDone = std::function<void(ErrorCode, int64_t id, int16_t epoch)>;

  // All outlive this.
  TransactionCoordinator(log::Log& log, env::Clock& clock, OffsetStore& store)
      : log_(log), clock_(clock), store_(store) {}
  // Waits for what was handed to the log.
  ~TransactionCoordinator();

  // Before the first request: reads what the store has, and goes on ending what was decided.
  void Recover();

  // A new epoch for this id; aborts what its last producer left open. With an id and epoch the
  // producer keeps both if nobody has taken over. May block for a new producer id.
  void Init(const TransactionalProducer& producer, int32_t timeout_ms, InitDone done);
  void AddPartitions(const TransactionalProducer& producer, std::vector<TopicPartition> partitions,
                     Done done);
  void AddGroup(const TransactionalProducer& producer, Done done);
  // The group's offsets, once the transaction commits.
  void CommitOffsets(const TransactionalProducer& producer, const std::string& group,
                     GroupOffsets offsets, Done done);
  // Answers when the markers are durable, so that a reader that comes now sees the outcome.
  void End(const TransactionalProducer& producer, bool commit, Done done);

  // Appends a batch of an open transaction. Calls `done` only if kNone is returned.
  ErrorCode Append(const std::string& transactional_id, const std::string& topic, int partition,
                   std::string_view batch, log::AppendCallback done);
  // Partitions for which open transactions will commit offsets of this group.
  std::set<TopicPartition> PendingOffsets(const std::string& group) const;

  // What is known of each id; of one (nothing: it is not known).
  std::map<std::string, TransactionRecord> Transactions() const;
  std::optional<TransactionRecord> Describe(const std::string& transactional_id) const;

  // Timeouts, and markers that could not be written. Now and then.
  void Tick();
  // Drops what waits, unanswered: the server stops.
  void Stop();

 private:
  struct Transaction;
  using TransactionPtr = std::shared_ptr<Transaction>;

  TransactionPtr Find(const std::string& transactional_id) const;
  TransactionPtr FindOrMake(const std::string& transactional_id);
  std::vector<TransactionPtr> All() const;
  // Runs the task when those before it have called Next.
  void Run(const TransactionPtr& transaction, std::function<void()> task);
  void Next(const TransactionPtr& transaction);
  // Changes the record of an open transaction, which begins if none is open.
  void Change(const TransactionalProducer& producer,
              std::function<ErrorCode(TransactionRecord& next)> change, Done done);
  void Persist(const TransactionPtr& transaction, TransactionRecord next,
               std::map<std::string, GroupOffsets> offsets,
               std::function<void(const Status&)> then);
  void Finish(const TransactionPtr& transaction, bool commit, int16_t epoch, Done then);
  void AppendMarkers(const TransactionPtr& transaction);
  void OnMarker(const TransactionPtr& transaction);
  void Complete(const TransactionPtr& transaction);
  void Expire(const TransactionPtr& transaction);
  void Assign(const TransactionPtr& transaction, const TransactionalProducer& asked,
              int32_t timeout_ms, std::optional<int64_t> new_id, bool fenced, InitDone done);

  int64_t now_ms() const { return clock_.WallMicros() / 1000; }
  void Begin();  // of something that the log will call back for
  void Ended();

  log::Log& log_;
  env::Clock& clock_;
  OffsetStore& store_;

  mutable std::mutex mutex_;  // not held while a transaction's is taken
  std::condition_variable none_in_flight_;
  std::map<std::string, TransactionPtr> transactions_;
  int64_t in_flight_ = 0;
  bool stopping_ = false;
};

}  // namespace millrace::kafka
