#include "kafka/transaction_coordinator.h"

#include <deque>

#include "env/diag.h"
#include "log/record_batch.h"

namespace millrace::kafka {

namespace {
constexpr int64_t kSilenceMs = 7LL * 24 * 3600 * 1000;
constexpr int16_t kEpochEnd = INT16_MAX - 1;  // one more is left to fence the last
constexpr int32_t kTimeoutMsMax = 15 * 60 * 1000;
// With the record of the transaction they have to fit into one batch.
constexpr size_t kOffsetsBytesMax = 512 << 10;

ErrorCode CheckProducer(const TransactionRecord& record, int64_t id, int16_t epoch) {
  if (record.producer_id < 0 || record.producer_id != id) return kInvalidProducerIdMapping;
  return record.epoch == epoch ? kNone : kInvalidProducerEpoch;
}

size_t OffsetsBytes(const TransactionRecord& record) {
  constexpr size_t kOverhead = 64;
  size_t bytes = 0;
  for (const auto& [group, offsets] : record.offsets) {
    for (const auto& [at, committed] : offsets) {
      bytes += group.size() + at.topic.size() + committed.metadata.size() + kOverhead;
    }
  }
  return bytes;
}
}  // namespace

struct TransactionCoordinator::Transaction {
  explicit Transaction(std::string i) : id(std::move(i)) {}

  KeptKey key() const { return {KeptKind::kTransaction, id, ""}; }

  const std::string id;
  std::mutex mutex;  // guards the members below
  TransactionRecord record;
  bool ending = false;  // batches are refused
  bool busy = false;    // a task runs
  std::deque<std::function<void()>> waiting;

  // While markers are written.
  std::set<TopicPartition> unmarked;
  size_t markers_left = 0;  // calls of OnMarker to come
  bool retry = false;
  Done after;
};

TransactionCoordinator::~TransactionCoordinator() {
  Stop();
  std::unique_lock lock(mutex_);
  none_in_flight_.wait(lock, [&] { return in_flight_ == 0; });
}

void TransactionCoordinator::Begin() {
  std::lock_guard lock(mutex_);
  in_flight_++;
}

void TransactionCoordinator::Ended() {
  std::lock_guard lock(mutex_);
  if (--in_flight_ == 0) none_in_flight_.notify_all();
}

void TransactionCoordinator::Recover() {
  for (const auto& [key, bytes] : store_.Kept(KeptKind::kTransaction)) {
    const std::string& id = key.id;
    const auto record = DecodeTransaction(bytes);
    if (!record) {
      diag::Error("kafka: the record of a transactional id is damaged: id=\"{}\"", id);
      continue;
    }
    if (!record->open() && record->updated_ms < now_ms() - kSilenceMs) {
      store_.Keep({{key, std::nullopt}}, {}, [](const Status&) {});
      continue;
    }
    const auto transaction = FindOrMake(id);
    transaction->record = *record;
    if (!record->decided()) continue;
    transaction->ending = transaction->busy = true;
    transaction->unmarked = record->partitions;
    transaction->after = [this, transaction](ErrorCode) { Next(transaction); };
    AppendMarkers(transaction);
  }
}

TransactionCoordinator::TransactionPtr TransactionCoordinator::Find(
    const std::string& transactional_id) const {
  std::lock_guard lock(mutex_);
  const auto it = transactions_.find(transactional_id);
  return it == transactions_.end() ? nullptr : it->second;
}

TransactionCoordinator::TransactionPtr TransactionCoordinator::FindOrMake(
    const std::string& transactional_id) {
  std::lock_guard lock(mutex_);
  TransactionPtr& transaction = transactions_[transactional_id];
  if (transaction == nullptr) transaction = std::make_shared<Transaction>(transactional_id);
  return transaction;
}

std::vector<TransactionCoordinator::TransactionPtr> TransactionCoordinator::All() const {
  std::lock_guard lock(mutex_);
  std::vector<TransactionPtr> all;
  for (const auto& [id, transaction] : transactions_) all.push_back(transaction);
  return all;
}

void TransactionCoordinator::Run(const TransactionPtr& transaction, std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
  {
    std::lock_guard lock(transaction->mutex);
    if (transaction->busy) {
      transaction->waiting.push_back(std::move(task));
      return;
    }
    transaction->busy = true;
  }
  task();
}

void TransactionCoordinator::Next(const TransactionPtr& transaction) {
  std::function<void()> task;
  {
    std::lock_guard lock(transaction->mutex);
    if (transaction->waiting.empty()) {
      transaction->busy = false;
      return;
    }
    task = std::move(transaction->waiting.front());
    transaction->waiting.pop_front();
  }
  task();
}

void TransactionCoordinator::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  for (const auto& transaction : All()) {
    std::deque<std::function<void()>> waiting;
    Done after;
    std::lock_guard lock(transaction->mutex);
    waiting.swap(transaction->waiting);
    if (transaction->retry) after.swap(transaction->after);
  }
}

void TransactionCoordinator::Persist(const TransactionPtr& transaction, TransactionRecord next,
                                     std::map<std::string, GroupOffsets> offsets,
                                     std::function<void(const Status&)> then) {
  next.updated_ms = now_ms();
  const std::string bytes = EncodeTransaction(next);
  Begin();
  store_.Keep(
      {{transaction->key(), bytes}}, std::move(offsets),
      [this, transaction, next = std::move(next), then = std::move(then)](const Status& status) {
        if (status.ok()) {
          std::lock_guard lock(transaction->mutex);
          transaction->record = next;
        }
        then(status);
        Ended();
      });
}

void TransactionCoordinator::Init(const TransactionalProducer& producer, int32_t timeout_ms,
                                  InitDone done) {
  if (producer.transactional_id.empty()) return done(kInvalidRequest, -1, -1);
  if (timeout_ms <= 0 || timeout_ms > kTimeoutMsMax) {
    return done(kInvalidTransactionTimeout, -1, -1);
  }
  const auto transaction = FindOrMake(producer.transactional_id);
  std::optional<int64_t> new_id;
  bool needs_id = false;
  {
    std::lock_guard lock(transaction->mutex);
    const TransactionRecord& record = transaction->record;
    needs_id = record.producer_id < 0 || record.epoch + 1 >= kEpochEnd;
  }
  if (needs_id) {
    const auto id = store_.NewProducerId();
    if (!id.ok()) return done(kCoordinatorNotAvailable, -1, -1);
    new_id = *id;
  }
  Run(transaction, [=, this] {
    const auto answer = [this, transaction, done](ErrorCode error, int64_t id, int16_t epoch) {
      done(error, id, epoch);
      Next(transaction);
    };
    TransactionRecord record;
    {
      std::lock_guard lock(transaction->mutex);
      record = transaction->record;
    }
    const bool open = record.status == TransactionStatus::kOngoing;
    if (producer.id >= 0 && record.producer_id >= 0) {
      const bool same = record.producer_id == producer.id;
      const bool repeated = same && !open && producer.epoch >= 0 &&
                            record.last_epoch == producer.epoch &&
                            record.epoch == producer.epoch + 1;
      if (repeated) return answer(kNone, record.producer_id, record.epoch);
      if (!same || record.epoch != producer.epoch) return answer(kProducerFenced, -1, -1);
    }
    if (!open) return Assign(transaction, producer, timeout_ms, new_id, false, answer);
    const auto fenced = static_cast<int16_t>(record.epoch + 1);
    Finish(transaction, false, fenced, [=, this](ErrorCode error) {
      if (error != kNone) return answer(error, -1, -1);
      Assign(transaction, producer, timeout_ms, new_id, true, answer);
    });
  });
}

// `fenced`: the epoch is new already.
void TransactionCoordinator::Assign(const TransactionPtr& transaction,
                                    const TransactionalProducer& asked, int32_t timeout_ms,
                                    std::optional<int64_t> new_id, bool fenced, InitDone done) {
  TransactionRecord next;
  {
    std::lock_guard lock(transaction->mutex);
    next = transaction->record;
  }
  if (next.producer_id < 0 || next.epoch >= kEpochEnd) {
    // Another request came between; it has taken the id or used the epochs up.
    if (!new_id) return done(kConcurrentTransactions, -1, -1);
    next.producer_id = *new_id;
    next.epoch = 0;
    next.last_epoch = -1;
  } else {
    if (!fenced) next.epoch++;
    next.last_epoch = asked.id >= 0 ? asked.epoch : int16_t{-1};
  }
  next.timeout_ms = timeout_ms;
  next.status = TransactionStatus::kEmpty;
  const int64_t id = next.producer_id;
  const int16_t epoch = next.epoch;
  Persist(transaction, std::move(next), {}, [=](const Status& status) {
    if (status.ok()) {
      done(kNone, id, epoch);
    } else {
      done(kCoordinatorNotAvailable, -1, -1);
    }
  });
}

void TransactionCoordinator::Change(const TransactionalProducer& producer,
                                    std::function<ErrorCode(TransactionRecord&)> change,
                                    Done done) {
  const auto transaction = Find(producer.transactional_id);
  if (transaction == nullptr) return done(kInvalidProducerIdMapping);
  Run(transaction, [=, this] {
    const auto answer = [this, transaction, done](ErrorCode error) {
      done(error);
      Next(transaction);
    };
    TransactionRecord next;
    {
      std::lock_guard lock(transaction->mutex);
      next = transaction->record;
    }
    ErrorCode error = CheckProducer(next, producer.id, producer.epoch);
    if (error == kNone) error = change(next);
    if (error != kNone) return answer(error);
    Persist(transaction, std::move(next), {}, [=](const Status& status) {
      answer(status.ok() ? kNone : kCoordinatorNotAvailable);  // clients try again
    });
  });
}

namespace {
void BeginIfNone(TransactionRecord& record, int64_t now_ms) {
  if (record.status == TransactionStatus::kOngoing) return;
  record.status = TransactionStatus::kOngoing;
  record.started_ms = now_ms;
}
}  // namespace

void TransactionCoordinator::AddPartitions(const TransactionalProducer& producer,
                                           std::vector<TopicPartition> partitions, Done done) {
  const auto add = [this, partitions = std::move(partitions)](TransactionRecord& next) {
    BeginIfNone(next, now_ms());
    next.partitions.insert(partitions.begin(), partitions.end());
    return kNone;
  };
  Change(producer, add, std::move(done));
}

void TransactionCoordinator::AddGroup(const TransactionalProducer& producer, Done done) {
  const auto add = [this](TransactionRecord& next) {
    BeginIfNone(next, now_ms());
    return kNone;
  };
  Change(producer, add, std::move(done));
}

void TransactionCoordinator::CommitOffsets(const TransactionalProducer& producer,
                                           const std::string& group, GroupOffsets offsets,
                                           Done done) {
  const auto add = [group, offsets = std::move(offsets)](TransactionRecord& next) {
    if (next.status != TransactionStatus::kOngoing) return kInvalidTxnState;
    for (const auto& [at, committed] : offsets) next.offsets[group][at] = committed;
    return OffsetsBytes(next) <= kOffsetsBytesMax ? kNone : kOffsetMetadataTooLarge;
  };
  Change(producer, add, std::move(done));
}

void TransactionCoordinator::End(const TransactionalProducer& producer, bool commit, Done done) {
  const auto transaction = Find(producer.transactional_id);
  if (transaction == nullptr) return done(kInvalidProducerIdMapping);
  Run(transaction, [=, this] {
    const auto answer = [this, transaction, done](ErrorCode error) {
      done(error);
      Next(transaction);
    };
    TransactionRecord record;
    {
      std::lock_guard lock(transaction->mutex);
      record = transaction->record;
    }
    const ErrorCode error = CheckProducer(record, producer.id, producer.epoch);
    if (error != kNone) return answer(error);
    if (record.status != TransactionStatus::kOngoing) {
      const auto ended =
          commit ? TransactionStatus::kCompleteCommit : TransactionStatus::kCompleteAbort;
      return answer(record.status == ended ? kNone : kInvalidTxnState);
    }
    Finish(transaction, commit, record.epoch, answer);
  });
}

void TransactionCoordinator::Finish(const TransactionPtr& transaction, bool commit, int16_t epoch,
                                    Done then) {
  TransactionRecord next;
  {
    std::lock_guard lock(transaction->mutex);
    transaction->ending = true;  // what was appended so far stands before the markers
    next = transaction->record;
  }
  next.status = commit ? TransactionStatus::kPrepareCommit : TransactionStatus::kPrepareAbort;
  next.epoch = epoch;
  std::map<std::string, GroupOffsets> offsets;
  if (commit) offsets = std::move(next.offsets);
  next.offsets.clear();
  Persist(transaction, std::move(next), std::move(offsets), [=, this](const Status& status) {
    {
      std::lock_guard lock(transaction->mutex);
      transaction->ending = status.ok();
      transaction->unmarked = transaction->record.partitions;
      transaction->after = status.ok() ? then : nullptr;
    }
    if (status.ok()) {
      AppendMarkers(transaction);
    } else {
      then(kCoordinatorNotAvailable);
    }
  });
}

void TransactionCoordinator::AppendMarkers(const TransactionPtr& transaction) {
  std::set<TopicPartition> partitions;
  log::TransactionMarker marker;
  {
    std::lock_guard lock(transaction->mutex);
    const TransactionRecord& record = transaction->record;
    marker.producer_id = record.producer_id;
    marker.producer_epoch = record.epoch;
    marker.commit = record.status == TransactionStatus::kPrepareCommit;
    partitions = transaction->unmarked;
    transaction->markers_left = partitions.size() + 1;
    transaction->retry = false;
  }
  for (const TopicPartition& at : partitions) {
    Begin();
    log_.AppendMarker(
        at.topic, at.partition, marker, [this, transaction, at](const log::AppendResult& result) {
          // A topic that was deleted needs none. A newer epoch has begun only where
          // this marker stands already.
          const bool there = result.status.ok() || result.status.code() == Code::kNotFound ||
                             result.fault == log::SequenceFault::kStaleEpoch;
          if (there) {
            std::lock_guard lock(transaction->mutex);
            transaction->unmarked.erase(at);
          } else {
            diag::Warn(
                "kafka: marker not written, will try again: id=\"{}\" "
                "topic=\"{}\" partition={} reason=\"{}\"",
                transaction->id, at.topic, at.partition, result.status.message());
          }
          OnMarker(transaction);
          Ended();
        });
  }
  OnMarker(transaction);
}

void TransactionCoordinator::OnMarker(const TransactionPtr& transaction) {
  {
    std::lock_guard lock(transaction->mutex);
    if (--transaction->markers_left > 0) return;
    transaction->retry = !transaction->unmarked.empty();
    if (transaction->retry) return;  // Tick goes on
  }
  Complete(transaction);
}

// Nobody has to wait for this record: after a crash the markers are written again, which changes
// nothing, and what comes next for this id stands behind it in the topic.
void TransactionCoordinator::Complete(const TransactionPtr& transaction) {
  Done after;
  std::string bytes;
  {
    std::lock_guard lock(transaction->mutex);
    TransactionRecord& record = transaction->record;
    record.status = record.status == TransactionStatus::kPrepareCommit
                        ? TransactionStatus::kCompleteCommit
                        : TransactionStatus::kCompleteAbort;
    record.partitions.clear();
    record.updated_ms = now_ms();
    bytes = EncodeTransaction(record);
    transaction->ending = false;
    after.swap(transaction->after);
  }
  Begin();
  store_.Keep({{transaction->key(), bytes}}, {}, [this](const Status&) { Ended(); });
  if (after) after(kNone);
}

ErrorCode TransactionCoordinator::Append(const std::string& transactional_id,
                                         const std::string& topic, int partition,
                                         std::string_view batch, log::AppendCallback done) {
  const auto transaction = Find(transactional_id);
  if (transaction == nullptr) return kInvalidProducerIdMapping;
  const auto header = log::ParseBatchHeader(batch);
  if (!header || !header->transactional()) return kInvalidRecord;
  std::lock_guard lock(transaction->mutex);
  const TransactionRecord& record = transaction->record;
  const ErrorCode error = CheckProducer(record, header->producer_id, header->producer_epoch);
  if (error != kNone) return error;
  const bool open = record.status == TransactionStatus::kOngoing && !transaction->ending;
  if (!open || record.partitions.count({topic, partition}) == 0) return kInvalidTxnState;
  log_.AppendBatch(topic, partition, batch, std::move(done));
  return kNone;
}

std::set<TopicPartition> TransactionCoordinator::PendingOffsets(const std::string& group) const {
  std::set<TopicPartition> pending;
  for (const auto& transaction : All()) {
    std::lock_guard lock(transaction->mutex);
    const auto offsets = transaction->record.offsets.find(group);
    if (offsets == transaction->record.offsets.end()) continue;
    for (const auto& [at, committed] : offsets->second) pending.insert(at);
  }
  return pending;
}

std::map<std::string, TransactionRecord> TransactionCoordinator::Transactions() const {
  std::map<std::string, TransactionRecord> all;
  for (const auto& transaction : All()) {
    std::lock_guard lock(transaction->mutex);
    // One whose first producer is being given its id is none yet.
    if (transaction->record.producer_id >= 0) all[transaction->id] = transaction->record;
  }
  return all;
}

std::optional<TransactionRecord> TransactionCoordinator::Describe(
    const std::string& transactional_id) const {
  const auto transaction = Find(transactional_id);
  if (transaction == nullptr) return std::nullopt;
  std::lock_guard lock(transaction->mutex);
  if (transaction->record.producer_id < 0) return std::nullopt;
  return transaction->record;
}

void TransactionCoordinator::Tick() {
  const int64_t now = now_ms();
  for (const auto& transaction : All()) {
    bool retry = false;
    bool late = false;
    {
      std::lock_guard lock(transaction->mutex);
      const TransactionRecord& record = transaction->record;
      retry = transaction->retry;
      late = record.status == TransactionStatus::kOngoing && !transaction->busy &&
             record.started_ms + record.timeout_ms <= now;
    }
    if (retry) AppendMarkers(transaction);
    if (late) Expire(transaction);
  }
}

void TransactionCoordinator::Expire(const TransactionPtr& transaction) {
  Run(transaction, [this, transaction] {
    TransactionRecord record;
    {
      std::lock_guard lock(transaction->mutex);
      record = transaction->record;
    }
    const bool late = record.status == TransactionStatus::kOngoing &&
                      record.started_ms + record.timeout_ms <= now_ms();
    if (!late) return Next(transaction);
    diag::Info("kafka: transaction aborted: id=\"{}\" reason=\"open for longer than {} ms\"",
               transaction->id, record.timeout_ms);
    const auto fenced = static_cast<int16_t>(record.epoch + 1);
    Finish(transaction, false, fenced, [this, transaction](ErrorCode) { Next(transaction); });
  });
}

}  // namespace millrace::kafka
