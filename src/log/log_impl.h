// LogImpl: the directory of topics behind log/log.h, and the two threads of a log (committer and
// upkeep: retention and checkpoints).
#pragma once

#include <condition_variable>
#include <map>
#include <shared_mutex>
#include <thread>

#include "log/committer.h"
#include "log/log.h"
#include "log/partition.h"

namespace millrace::log {

class LogImpl : public Log {
 public:
  explicit LogImpl(const LogOptions& options);
  ~LogImpl() override;
  Status Start();

  Status CreateTopic(const std::string& name, const TopicConfig& config) override;
  Status DeleteTopic(const std::string& name) override;
  Status AlterTopic(const std::string& name, const TopicConfig& config) override;
  std::vector<TopicInfo> Topics() const override;
  Result<TopicInfo> Describe(const std::string& topic) const override;
  Result<PartitionInfo> DescribePartition(const std::string& topic, int partition) const override;
  void Append(const std::string& topic, int partition, std::span<const NewRecord> records,
              const ProducerSequence& sequence, AppendCallback done) override;
  void AppendBatch(const std::string& topic, int partition, std::string_view batch,
                   AppendCallback done) override;
  void AppendMarker(const std::string& topic, int partition, const TransactionMarker& marker,
                    AppendCallback done) override;
  Result<std::vector<AbortedTransaction>> Aborted(const std::string& topic, int partition,
                                                  int64_t from, int64_t to) const override;
  Result<BatchRange> FindBatches(const std::string& topic, int partition, int64_t from, int64_t to,
                                 int64_t max_bytes, bool at_least_one) override;
  Result<int64_t> DeleteRecords(const std::string& topic, int partition, int64_t before) override;
  Result<int64_t> NextSequence(const std::string& topic, int partition,
                               int64_t producer_id) const override;
  Result<int64_t> Read(const std::string& topic, int partition, int64_t from, int64_t to,
                       int64_t max_bytes,
                       const std::function<void(std::span<const model::Record>)>& visit) override;
  Result<int64_t> OffsetAfterBytes(const std::string& topic, int partition, int64_t from,
                                   int64_t budget_bytes) const override;
  Result<int64_t> OffsetForTime(const std::string& topic, int partition,
                                int64_t timestamp_ms) const override;
  Result<std::vector<OffsetRange>> ClosedSegments(const std::string& topic,
                                                  int partition) const override;
  Status HoldRetention(const std::string& topic, int partition, int64_t from) override;
  uint64_t CommitCount() const override;
  uint64_t WaitForCommit(uint64_t seen, int64_t timeout_us) override;
  void WakeWaiters() override;

 private:
  struct Topic {
    TopicConfig config;
    int64_t created_us = 0;
    std::vector<std::shared_ptr<Partition>> partitions;
  };

  std::string TopicPath(const std::string& name, std::string_view suffix) const;
  Status OpenTopic(const std::string& name);
  Status FinishDeletion(const std::string& name);
  // Creates and opens partitions [first, end), empty.
  Status AddPartitions(const std::string& name, const TopicConfig& config, Topic* topic);
  Status UnknownTopic(const std::string& name) const;
  Result<std::shared_ptr<Partition>> Find(const std::string& topic, int partition) const;
  std::vector<std::shared_ptr<Partition>> AllPartitions() const;
  void OnCommit();
  void Upkeep();

  const LogOptions options_;
  env::FileSystem* const files_;
  std::unique_ptr<env::FileLock> lock_;
  OpenFiles open_files_;
  BuilderPool builders_;
  Committer committer_;
  PartitionContext context_;

  std::mutex admin_mutex_;  // one topic is created, altered or deleted at a time
  mutable std::shared_mutex topics_mutex_;
  std::map<std::string, Topic, std::less<>> topics_;

  mutable std::mutex commit_mutex_;
  std::condition_variable committed_;
  uint64_t commit_count_ = 0;
  uint64_t wake_count_ = 0;

  std::atomic<bool> closing_{false};
  std::mutex upkeep_mutex_;
  std::condition_variable upkeep_wake_;
  std::thread upkeep_;
};

}  // namespace millrace::log
