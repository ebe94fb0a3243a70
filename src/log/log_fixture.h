// What the log's tests share: a log on a disk in memory, a clock that is set by hand.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "env/clock.h"
#include "env/fault_files.h"
#include "log/log.h"

namespace millrace::log {

class HandClock : public env::Clock {
 public:
  int64_t WallMicros() override { return micros_; }
  int64_t MonotonicMicros() override { return micros_; }
  void SetMillis(int64_t ms) { micros_ = ms * 1000; }

 private:
  std::atomic<int64_t> micros_{1'000'000'000LL * 1000};
};

struct SeenRecord {
  int64_t offset;
  int64_t timestamp_ms;
  std::string key;
  std::string value;
};

class LogFixture : public testing::Test {
 protected:
  void Open(int64_t retention_check_ms = 3'600'000) {
    log_.reset();
    LogOptions options;
    options.directory = "/log";
    options.files = files_.get();
    options.clock = &clock_;
    options.retention_check_ms = retention_check_ms;
    auto log = Log::Open(options);
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    log_ = *std::move(log);
  }
  void Create(const std::string& topic, TopicConfig config = {}) {
    const Status status = log_->CreateTopic(topic, config);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  // Appends one record per value; returns the base offset, or -2 after an error (see error_).
  int64_t Append(const std::string& topic, const std::vector<std::string>& values,
                 const ProducerSequence& sequence = {}, int64_t timestamp_ms = 0,
                 int partition = 0) {
    std::vector<NewRecord> records;
    for (const auto& value : values) {
      NewRecord record;
      record.timestamp_ms = timestamp_ms;
      record.value = value;
      records.push_back(record);
    }
    const auto offset = log_->AppendAndWait(topic, partition, records, sequence);
    error_ = offset.status();
    return offset.ok() ? *offset : -2;
  }
  // Starts an append and waits for what it answers.
  AppendResult Wait(const std::function<void(AppendCallback)>& start) {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<AppendResult> result;
    start([&](const AppendResult& r) {
      std::lock_guard lock(mutex);
      result = r;
      done.notify_one();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return result.has_value(); });
    return *result;
  }
  std::vector<SeenRecord> ReadAll(const std::string& topic, int partition = 0,
                                  int64_t max_bytes = 1 << 20) {
    const auto info = log_->DescribePartition(topic, partition);
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    std::vector<SeenRecord> seen;
    int64_t at = info->start_offset;
    while (at < info->end_offset) {
      const auto next = log_->Read(
          topic, partition, at, info->end_offset, max_bytes,
          [&](std::span<const model::Record> records) {
            for (const auto& r : records) {
              seen.push_back({r.offset, r.timestamp_ms, std::string(r.key), std::string(r.value)});
            }
          });
      if (!next.ok() || *next <= at) {
        ADD_FAILURE() << next.status().ToString();
        break;
      }
      at = *next;
    }
    return seen;
  }
  // Whole batches as they lie in the log; next_ is the offset behind them, -1 after an error.
  std::string Batches(int64_t from, int64_t to = INT64_MAX, int64_t max_bytes = 1 << 20,
                      bool at_least_one = true) {
    const auto range = log_->FindBatches("t", 0, from, to, max_bytes, at_least_one);
    error_ = range.status();
    next_ = range.ok() ? range->next_offset : -1;
    std::string bytes;
    if (!range.ok()) return bytes;
    for (const BatchSlice& slice : range->slices) {
      const size_t before = bytes.size();
      bytes.resize(before + static_cast<size_t>(slice.bytes));
      const auto got = slice.file->ReadAt(slice.position, bytes.data() + before,
                                          static_cast<size_t>(slice.bytes));
      EXPECT_TRUE(got.ok() && static_cast<int64_t>(*got) == slice.bytes && slice.bytes > 0);
    }
    EXPECT_EQ(std::ssize(bytes), range->bytes);
    return bytes;
  }
  std::vector<std::string> Values(const std::string& topic, int partition = 0) {
    std::vector<std::string> values;
    int64_t previous = -1;
    for (auto& record : ReadAll(topic, partition)) {
      EXPECT_TRUE(previous < 0 || record.offset == previous + 1) << "offsets follow each other";
      previous = record.offset;
      values.push_back(record.value);
    }
    return values;
  }
  static std::string SegmentPath(int64_t base, const std::string& suffix = ".log",
                                 const std::string& topic = "t") {
    std::string digits = std::to_string(base);
    return "/log/" + topic + "-0/" + std::string(20 - digits.size(), '0') + digits + suffix;
  }

  std::unique_ptr<env::FaultFileSystem> files_ = std::make_unique<env::FaultFileSystem>(1);
  HandClock clock_;
  std::unique_ptr<Log> log_;
  Status error_;
  int64_t next_ = 0;
};

}  // namespace millrace::log
