// MemoryLog: a log::Log for tests that keeps records in memory. A thread of its own acknowledges
// appends, and can be told to hold them back or to fail them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "log/log.h"

namespace millrace::serve {

class MemoryLog final : public log::Log {
 public:
  struct Stored {
    std::optional<std::string> key;
    std::optional<std::string> value;
  };

  MemoryLog() : thread_([this] { Commit(); }) {}
  ~MemoryLog() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
      held_ = false;
    }
    changed_.notify_all();
    thread_.join();
  }

  // Appends wait until Hold(false).
  void Hold(bool on) {
    {
      std::lock_guard lock(mutex_);
      held_ = on;
    }
    changed_.notify_all();
  }
  void FailWith(Status status) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(status);
  }
  // Appends that are held back.
  size_t waiting() {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }
  size_t appends() {
    std::lock_guard lock(mutex_);
    return appends_;
  }
  std::vector<Stored> Records(const std::string& topic, int partition) {
    std::lock_guard lock(mutex_);
    return topics_.at(topic).partitions.at(static_cast<size_t>(partition));
  }
  std::vector<std::string> Values(const std::string& topic) {
    std::lock_guard lock(mutex_);
    std::vector<std::string> values;
    for (const auto& partition : topics_.at(topic).partitions) {
      for (const Stored& record : partition) values.push_back(record.value.value_or("(null)"));
    }
    return values;
  }

  Status CreateTopic(const std::string& name, const log::TopicConfig& config) override {
    std::lock_guard lock(mutex_);
    if (topics_.count(name)) return Status(Code::kAlreadyExists, "topic exists");
    topics_[name].config = config;
    topics_[name].partitions.resize(static_cast<size_t>(config.partitions));
    return {};
  }
  Status DeleteTopic(const std::string& name) override {
    std::lock_guard lock(mutex_);
    return topics_.erase(name) ? Status() : NoTopic();
  }
  Status AlterTopic(const std::string& name, const log::TopicConfig& config) override {
    std::lock_guard lock(mutex_);
    topics_[name].config = config;
    topics_[name].partitions.resize(static_cast<size_t>(config.partitions));
    return {};
  }
  std::vector<log::TopicInfo> Topics() const override {
    std::lock_guard lock(mutex_);
    std::vector<log::TopicInfo> infos;
    for (const auto& [name, topic] : topics_) infos.push_back({name, topic.config});
    return infos;
  }
  Result<log::TopicInfo> Describe(const std::string& name) const override {
    std::lock_guard lock(mutex_);
    auto it = topics_.find(name);
    if (it == topics_.end()) return NoTopic();
    return log::TopicInfo{name, it->second.config};
  }
  Result<log::PartitionInfo> DescribePartition(const std::string& name,
                                               int partition) const override {
    std::lock_guard lock(mutex_);
    auto it = topics_.find(name);
    if (it == topics_.end()) return NoTopic();
    const auto& records = it->second.partitions.at(static_cast<size_t>(partition));
    return log::PartitionInfo{0, static_cast<int64_t>(records.size()),
                              static_cast<int64_t>(records.size()) * 10, 1,
                              static_cast<int64_t>(records.size())};
  }
  void Append(const std::string& topic, int partition, std::span<const log::NewRecord> records,
              const log::ProducerSequence&, log::AppendCallback done) override {
    std::vector<Stored> copy;
    for (const log::NewRecord& record : records) {
      Stored& to = copy.emplace_back();
      if (record.key) to.key = std::string(*record.key);
      if (record.value) to.value = std::string(*record.value);
    }
    {
      std::lock_guard lock(mutex_);
      queue_.push_back({topic, partition, std::move(copy), std::move(done)});
    }
    changed_.notify_all();
  }
  Result<int64_t> NextSequence(const std::string&, int, int64_t) const override { return 0; }
  Result<int64_t> Read(const std::string& topic, int partition, int64_t from, int64_t to, int64_t,
                       const std::function<void(std::span<const model::Record>)>& visit) override {
    std::vector<Stored> stored = Records(topic, partition);
    std::vector<model::Record> records;
    for (int64_t i = from; i < to; i++) {
      const Stored& s = stored.at(static_cast<size_t>(i));
      model::Record& record = records.emplace_back();
      record.offset = i;
      record.timestamp_ms = 1000 + i;
      if (s.key) record.key = *s.key;
      if (s.value) record.value = *s.value;
      record.has_key = s.key.has_value();
      record.has_value = s.value.has_value();
    }
    visit(records);
    return to;
  }
  Result<int64_t> OffsetAfterBytes(const std::string&, int, int64_t from, int64_t) const override {
    return from;
  }
  Result<int64_t> OffsetForTime(const std::string&, int, int64_t) const override { return 0; }
  uint64_t CommitCount() const override { return 0; }
  uint64_t WaitForCommit(uint64_t seen, int64_t) override { return seen; }
  void WakeWaiters() override {}

 private:
  struct Topic {
    log::TopicConfig config;
    std::vector<std::vector<Stored>> partitions;
  };
  struct Waiting {
    std::string topic;
    int partition;
    std::vector<Stored> records;
    log::AppendCallback done;
  };
  static Status NoTopic() { return Status(Code::kNotFound, "no such topic"); }

  void Commit() {
    for (;;) {
      std::deque<Waiting> group;
      std::vector<log::AppendResult> results;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return closing_ || (!held_ && !queue_.empty()); });
        if (queue_.empty()) return;
        group.swap(queue_);
        for (Waiting& waiting : group) {
          auto it = topics_.find(waiting.topic);
          if (!failure_.ok() || it == topics_.end()) {
            results.push_back({failure_.ok() ? NoTopic() : failure_, -1});
            continue;
          }
          auto& records = it->second.partitions[static_cast<size_t>(waiting.partition)];
          results.push_back({{}, static_cast<int64_t>(records.size())});
          for (Stored& record : waiting.records) records.push_back(std::move(record));
          appends_++;
        }
      }
      for (size_t i = 0; i < group.size(); i++) group[i].done(results[i]);
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Topic> topics_;
  std::deque<Waiting> queue_;
  Status failure_;
  size_t appends_ = 0;
  bool held_ = false;
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace millrace::serve
