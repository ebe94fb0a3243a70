#include "log/log.h"

#include <condition_variable>
#include <set>
#include <thread>

#include "log/log_fixture.h"

namespace millrace::log {
namespace {

using LogTest = LogFixture;
using Strings = std::vector<std::string>;

TEST_F(LogTest, AppendsAndReadsBack) {
  Open();
  Create("t", {.partitions = 2});
  EXPECT_EQ(Append("t", {"a", "b"}), 0);
  EXPECT_EQ(Append("t", {"c"}), 2);
  EXPECT_EQ(Append("t", {"other"}, {}, 0, 1), 0);
  EXPECT_EQ(Values("t"), (Strings{"a", "b", "c"}));
  EXPECT_EQ(Values("t", 1), (Strings{"other"}));
  EXPECT_EQ(ReadAll("t")[0].timestamp_ms, 1'000'000'000) << "0 is the time of the append";
  const auto info = log_->DescribePartition("t", 0);
  EXPECT_EQ(info->start_offset, 0);
  EXPECT_EQ(info->end_offset, 3);
  EXPECT_EQ(info->newest_timestamp_ms, 1'000'000'000);
  EXPECT_GT(info->size_bytes, 0);
}

TEST_F(LogTest, EmptyAppendsNullsAndHugeRecords) {
  Open();
  Create("t");
  EXPECT_EQ(Append("t", {}), -1);
  EXPECT_TRUE(error_.ok());
  EXPECT_EQ(log_->DescribePartition("t", 0)->newest_timestamp_ms, -1);
  EXPECT_EQ(ReadAll("t").size(), 0u);
  std::vector<NewRecord> nulls(2);
  EXPECT_EQ(*log_->AppendAndWait("t", 0, nulls), 0);
  EXPECT_EQ(Append("t", {std::string(10 << 20, 'x')}), 2);
  EXPECT_EQ(Append("t", {std::string((16 << 20) + 1, 'x')}), -2);
  EXPECT_EQ(error_.code(), Code::kInvalidArgument);
  EXPECT_EQ(Append("t", {"end"}), 3);
  int nulls_seen = 0;
  EXPECT_EQ(*log_->Read("t", 0, 0, 2, 100,
                        [&](std::span<const model::Record> records) {
                          for (const auto& r : records) nulls_seen += !r.has_key && !r.has_value;
                        }),
            2);
  EXPECT_EQ(nulls_seen, 2);
  EXPECT_EQ(ReadAll("t")[2].value.size(), 10u << 20);
}

TEST_F(LogTest, LargeAppendsAreSplitAndStayContiguous) {
  Open();
  Create("t", {.segment_bytes = 2 << 20});
  Strings values;
  for (int i = 0; i < 10'000; i++) values.push_back(std::to_string(i) + std::string(500, 'v'));
  EXPECT_EQ(Append("t", values), 0);
  EXPECT_EQ(Append("t", {"x"}), 10'000);
  auto read = Values("t");
  read.pop_back();
  EXPECT_EQ(read, values);
  EXPECT_GE(files_->List("/log/t-0")->size(), 6u) << "several segments";
  Open();
  read = Values("t");
  EXPECT_EQ(read.size(), 10'001u);
}

TEST_F(LogTest, ReadStopsNearItsBudgetAndAtTo) {
  Open();
  Create("t");
  Strings values(1000, std::string(100, 'x'));
  Append("t", values);
  int64_t count = 0;
  const auto counting = [&](std::span<const model::Record> r) { count += std::ssize(r); };
  EXPECT_EQ(*log_->Read("t", 0, 0, 1000, 1, counting), 1);
  EXPECT_EQ(count, 1);
  const int64_t next = *log_->Read("t", 0, 10, 1000, 10'000, counting);
  EXPECT_GT(next, 60);
  EXPECT_LT(next, 120);
  count = 0;
  EXPECT_EQ(*log_->Read("t", 0, 990, 5000, 1 << 20, counting), 1000);
  EXPECT_EQ(*log_->Read("t", 0, 995, 997, 1 << 20, counting), 997);
  EXPECT_EQ(count, 12);
  EXPECT_EQ(*log_->Read("t", 0, 1000, 2000, 1 << 20, counting), 1000);
  EXPECT_EQ(log_->Read("t", 0, 1001, 2000, 1, counting).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(log_->Read("t", 0, -1, 2000, 1, counting).status().code(), Code::kInvalidArgument);
}

TEST_F(LogTest, AVisitorMayRead) {
  Open();
  Create("t");
  Append("t", {"a", "b"});
  Strings seen;
  EXPECT_TRUE(log_->Read("t", 0, 0, 2, 1000,
                         [&](std::span<const model::Record> outer) {
                           EXPECT_TRUE(log_->Read("t", 0, 1, 2, 1000,
                                                  [&](std::span<const model::Record> inner) {
                                                    seen.emplace_back(inner[0].value);
                                                  })
                                           .ok());
                           for (const auto& r : outer) seen.emplace_back(r.value);
                         })
                  .ok());
  EXPECT_EQ(seen, (Strings{"b", "a", "b"}));
}

TEST_F(LogTest, OffsetsByBytesAndByTime) {
  Open();
  Create("t", {.segment_bytes = 64 << 10});
  for (int i = 0; i < 400; i++) Append("t", Strings(5, std::string(200, 'x')), {}, 1000 + i);
  int64_t at = 0;
  int steps = 0;
  while (at < 2000) {
    const auto next = log_->OffsetAfterBytes("t", 0, at, 20'000);
    ASSERT_TRUE(next.ok());
    ASSERT_GT(*next, at);
    EXPECT_EQ(*next % 5, 0) << "a batch boundary";
    EXPECT_LE(*next - at, 150);
    at = *next;
    steps++;
  }
  EXPECT_EQ(at, 2000);
  EXPECT_GE(steps, 15);
  EXPECT_EQ(*log_->OffsetAfterBytes("t", 0, 0, INT64_MAX), 2000);
  EXPECT_EQ(*log_->OffsetAfterBytes("t", 0, 2000, 1), 2000);
  for (const int i : {0, 1, 7, 123, 399}) EXPECT_EQ(*log_->OffsetForTime("t", 0, 1000 + i), i * 5);
  EXPECT_EQ(*log_->OffsetForTime("t", 0, INT64_MIN), 0);
  EXPECT_EQ(*log_->OffsetForTime("t", 0, 1400), 2000);
  Append("t", {"late"}, {}, 500);
  EXPECT_EQ(*log_->OffsetForTime("t", 0, 1399), 1995);
}

TEST_F(LogTest, TopicsAreKeptAlteredAndDeleted) {
  Open();
  EXPECT_EQ(log_->CreateTopic("", {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(log_->CreateTopic("a/b", {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(log_->CreateTopic("..", {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(log_->CreateTopic(std::string(241, 'a'), {}).code(), Code::kInvalidArgument);
  EXPECT_EQ(log_->CreateTopic("t", {.partitions = 0}).code(), Code::kInvalidArgument);
  Create("t", {.retention_ms = -1});
  Create("orders");
  EXPECT_EQ(log_->CreateTopic("t", {}).code(), Code::kAlreadyExists);
  EXPECT_TRUE(log_->Describe("order").status().hint().starts_with("did you mean \"orders\"?"));
  Append("t", {"kept"});
  EXPECT_TRUE(log_->AlterTopic("t", {.partitions = 3, .retention_ms = 5}).ok());
  EXPECT_FALSE(log_->AlterTopic("t", {.partitions = 2}).ok());
  EXPECT_EQ(Append("t", {"new"}, {}, 0, 2), 0);
  EXPECT_EQ(Append("t", {"none"}, {}, 0, 3), -2);
  Open();
  ASSERT_EQ(log_->Topics().size(), 2u);
  EXPECT_EQ(log_->Topics()[1].config.partitions, 3);
  EXPECT_EQ(log_->Topics()[1].config.retention_ms, 5);
  EXPECT_EQ(Values("t"), (Strings{"kept"}));
  EXPECT_EQ(Values("t", 2), (Strings{"new"}));
  EXPECT_TRUE(log_->DeleteTopic("t").ok());
  EXPECT_EQ(log_->DeleteTopic("t").code(), Code::kNotFound);
  EXPECT_EQ(Append("t", {"x"}), -2);
  EXPECT_FALSE(files_->List("/log/t-0").ok());
  Create("t");
  EXPECT_EQ(Append("t", {"fresh"}), 0);
  EXPECT_EQ(Values("t"), (Strings{"fresh"}));
}

TEST_F(LogTest, SecondOpenNamesTheHolder) {
  Open();
  LogOptions options;
  options.directory = "/log";
  options.files = files_.get();
  const auto second = Log::Open(options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), Code::kFailedPrecondition);
}

TEST_F(LogTest, DuplicateSequencesAreDropped) {
  Open();
  Create("t");
  EXPECT_EQ(Append("t", {"a", "b"}, {7, 0}), 0);
  EXPECT_EQ(Append("t", {"a", "b"}, {7, 0}), -1);
  EXPECT_TRUE(error_.ok());
  EXPECT_EQ(Append("t", {"b", "c"}, {7, 1}), 2) << "the rest only";
  EXPECT_EQ(Append("t", {"x"}, {8, 0}), 3) << "another producer";
  EXPECT_EQ(Append("t", {"z"}, {7, 5}), -2) << "a gap";
  EXPECT_EQ(error_.code(), Code::kFailedPrecondition);
  EXPECT_EQ(*log_->NextSequence("t", 0, 7), 3);
  EXPECT_EQ(*log_->NextSequence("t", 0, 9), 0);
  for (int reopen = 0; reopen < 2; reopen++) {
    Open();
    EXPECT_EQ(*log_->NextSequence("t", 0, 7), 3);
    EXPECT_EQ(Append("t", {"c"}, {7, 2}), -1);
  }
  EXPECT_EQ(Values("t"), (Strings{"a", "b", "c", "x"}));
}

TEST_F(LogTest, SequencesSurviveRollsRetentionAndALostState) {
  Open();
  Create("t", {.retention_bytes = 10'000, .segment_bytes = 4096});
  for (int i = 0; i < 100; i++) Append("t", {std::string(500, 'x')}, {7 + i % 2, i / 2});
  EXPECT_EQ(*log_->NextSequence("t", 0, 8), 50);
  log_.reset();
  files_->SetContent("/log/t-0/partition.state", "garbage");
  Open();
  EXPECT_EQ(*log_->NextSequence("t", 0, 7), 50);
  EXPECT_EQ(*log_->NextSequence("t", 0, 8), 50);
  EXPECT_EQ(log_->DescribePartition("t", 0)->end_offset, 100);
}

TEST_F(LogTest, CallbacksMayAppendButNotWait) {
  Open();
  Create("t");
  std::mutex mutex;
  std::condition_variable finished;
  int left = 50;
  Status waiting;
  std::function<void(const AppendResult&)> again = [&](const AppendResult& result) {
    EXPECT_TRUE(result.status.ok());
    std::unique_lock lock(mutex);
    if (--left == 0) {
      NewRecord record;
      waiting = log_->AppendAndWait("t", 0, {&record, 1}).status();
      finished.notify_one();
    }
    if (left <= 0) return;
    lock.unlock();
    NewRecord record;
    record.value = "again";
    log_->Append("t", 0, {&record, 1}, {}, again);
  };
  NewRecord record;
  log_->Append("t", 0, {&record, 1}, {}, again);
  std::unique_lock lock(mutex);
  finished.wait(lock, [&] { return left == 0; });
  EXPECT_EQ(waiting.code(), Code::kInternal);
  EXPECT_EQ(log_->DescribePartition("t", 0)->end_offset, 50);
}

TEST_F(LogTest, ManyThreadsLoseAndDoubleNothing) {
  Open();
  Create("t", {.partitions = 3, .segment_bytes = 100'000});
  constexpr int kThreads = 8;
  constexpr int kAppends = 150;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; i++) {
        const std::string value = std::to_string(t) + ":" + std::to_string(i);
        NewRecord record;
        record.value = value;
        const std::vector<NewRecord> records(3, record);
        const ProducerSequence sequence{t % 2 == 0 ? t : -1, 3 * i};
        EXPECT_TRUE(log_->AppendAndWait("t", t % 3, records, sequence).ok());
      }
    });
  }
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    int64_t at = 0;
    while (!stop) {
      const auto next = log_->Read("t", 0, at, INT64_MAX, 5000, [](auto) {});
      ASSERT_TRUE(next.ok()) << next.status().ToString();
      at = *next;
    }
  });
  for (auto& thread : threads) thread.join();
  stop = true;
  reader.join();
  size_t total = 0;
  for (int p = 0; p < 3; p++) {
    const auto values = Values("t", p);
    total += values.size();
    std::map<std::string, int> next;  // per thread: order within it, three of each side by side
    for (size_t i = 0; i < values.size(); i += 3) {
      EXPECT_TRUE(values[i] == values[i + 1] && values[i] == values[i + 2]);
      const auto colon = values[i].find(':');
      EXPECT_EQ(std::stoi(values[i].substr(colon + 1)), next[values[i].substr(0, colon)]++);
    }
  }
  EXPECT_EQ(total, 3u * kThreads * kAppends);
}

TEST_F(LogTest, TopicIsDeletedUnderReadersAndWriters) {
  Open(1);
  for (int round = 0; round < 20; round++) {
    Create("t", {.partitions = 2, .segment_bytes = 4096});
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; t++) {
      threads.emplace_back([&] {
        const std::string value(300, 'x');
        NewRecord record;
        record.value = value;
        while (!stop) {
          const auto offset = log_->AppendAndWait("t", 1, {&record, 1});
          if (!offset.ok()) {
            EXPECT_EQ(offset.status().code(), Code::kNotFound);
          }
        }
      });
      threads.emplace_back([&] {
        while (!stop) {
          const auto next = log_->Read("t", 1, 0, INT64_MAX, 1 << 20, [](auto) {});
          if (!next.ok()) {
            EXPECT_EQ(next.status().code(), Code::kNotFound);
          }
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    EXPECT_TRUE(log_->DeleteTopic("t").ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stop = true;
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(files_->List("/log/t-1").ok());
  }
}

TEST_F(LogTest, WaitersWakeOnCommitsTimeoutsAndRequest) {
  Open();
  Create("t");
  const uint64_t seen = log_->CommitCount();
  EXPECT_EQ(log_->WaitForCommit(seen, 1000), seen);
  std::thread writer([&] { Append("t", {"x"}); });
  EXPECT_GT(log_->WaitForCommit(seen, 60'000'000), seen);
  writer.join();
  std::atomic<bool> woken = false;
  std::thread waiter([&] {
    (void)log_->WaitForCommit(UINT64_MAX, 10'000'000);
    woken = true;
  });
  while (!woken) log_->WakeWaiters();
  waiter.join();
}

TEST_F(LogTest, ManyPartitionsOpenWithFewFiles) {
  Open();
  Create("t", {.partitions = 1000});
  for (int p = 0; p < 1000; p++) {
    NewRecord record;
    record.value = "v";
    log_->Append("t", p, {&record, 1}, {},
                 [](const AppendResult& r) { EXPECT_TRUE(r.status.ok()); });
  }
  Append("t", {"last"}, {}, 0, 999);
  EXPECT_LE(files_->open_files(), 300);
  Open();
  EXPECT_LE(files_->open_files(), 1);
  for (int p = 0; p < 1000; p += 99)
    EXPECT_EQ(log_->DescribePartition("t", p)->end_offset, p == 999 ? 2 : 1);
}

}  // namespace
}  // namespace millrace::log
