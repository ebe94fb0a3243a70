// Retention by size and by time, and readers that meet it.
#include <thread>

#include "log/log_fixture.h"

namespace millrace::log {
namespace {

class RetentionTest : public LogFixture {
 protected:
  // Waits until the upkeep thread has moved the start to `start` or beyond.
  void WaitForStart(int64_t start) {
    for (int i = 0; i < 60'000; i++) {
      if (log_->DescribePartition("t", 0)->start_offset >= start) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  void ExpectStart(int64_t start) {
    WaitForStart(start);
    EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, start);
  }
};

TEST_F(RetentionTest, BySizeKeepsAtLeastThatMuch) {
  Open(1);
  Create("t", {.segment_bytes = 4096});
  for (int i = 0; i < 100; i++) Append("t", {std::string(900, 'x')});  // four per segment
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 0);
  ASSERT_TRUE(log_->AlterTopic("t", {.retention_bytes = 10'000, .segment_bytes = 4096}).ok());
  ExpectStart(88);
  EXPECT_GE(log_->DescribePartition("t", 0)->size_bytes, 10'000);
  EXPECT_EQ(Values("t").size(), 12u);
  Open(1);
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 88);
  EXPECT_EQ(Append("t", {"go on"}), 100);
}

TEST_F(RetentionTest, ByTimeRollsTheNewestSegmentAndKeepsOffsets) {
  Open(1);
  clock_.SetMillis(1'000'000);
  Create("t", {.retention_ms = 1000, .segment_bytes = 4096});
  for (int i = 0; i < 10; i++) Append("t", {std::string(900, 'x')}, {5, i});
  clock_.SetMillis(1'000'900);
  Append("t", {std::string(900, 'y')});
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 0);
  clock_.SetMillis(1'001'500);
  ExpectStart(8);
  clock_.SetMillis(1'002'500);
  ExpectStart(11);
  const auto info = log_->DescribePartition("t", 0);
  EXPECT_EQ(info->end_offset, 11);
  EXPECT_EQ(info->size_bytes, 0);
  EXPECT_EQ(info->newest_timestamp_ms, -1);
  Open(1);
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 11);
  EXPECT_EQ(*log_->NextSequence("t", 0, 5), 10) << "sequences outlive their records";
  EXPECT_EQ(Append("t", {"z"}), 11);
}

TEST_F(RetentionTest, LeavesWhatIsHeld) {
  Open();  // no upkeep: DeleteRecords applies the retention, too
  Create("t", {.retention_bytes = 0, .segment_bytes = 4096});
  for (int i = 0; i < 20; i++) Append("t", {std::string(900, 'x')});  // four per segment
  ASSERT_TRUE(log_->HoldRetention("t", 0, 9).ok());
  ASSERT_EQ(*log_->DeleteRecords("t", 0, 1), 1);
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 8) << "9 is in the segment of 8 to 11";
  EXPECT_EQ(log_->DescribePartition("t", 0)->deleted_before, 1);
  ASSERT_EQ(*log_->DeleteRecords("t", 0, 13), 13);
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 13) << "deleted is deleted";
  ASSERT_TRUE(log_->HoldRetention("t", 0, INT64_MAX).ok());
  ASSERT_EQ(*log_->DeleteRecords("t", 0, 14), 14);
  EXPECT_EQ(log_->DescribePartition("t", 0)->start_offset, 16);
}

TEST_F(RetentionTest, ClosedSegments) {
  const auto closed = [&] {
    std::vector<std::pair<int64_t, int64_t>> ranges;
    const auto found = log_->ClosedSegments("t", 0);
    for (const auto& range : *found) {
      ranges.emplace_back(range.from, range.to);
    }
    return ranges;
  };
  using Ranges = std::vector<std::pair<int64_t, int64_t>>;
  Open();
  Create("t", {.segment_bytes = 4096});
  EXPECT_EQ(closed(), Ranges());
  for (int i = 0; i < 10; i++) Append("t", {std::string(900, 'x')});  // four per segment
  EXPECT_EQ(closed(), (Ranges{{0, 4}, {4, 8}}));
  ASSERT_EQ(*log_->DeleteRecords("t", 0, 5), 5);
  EXPECT_EQ(closed(), (Ranges{{5, 8}}));
  Open();
  EXPECT_EQ(closed(), (Ranges{{5, 8}}));
}

TEST_F(RetentionTest, ATopicKnowsWhenItWasCreated) {
  Open();
  Create("t");
  const int64_t created_us = log_->Describe("t")->created_us;
  EXPECT_EQ(created_us, clock_.WallMicros());
  clock_.SetMillis(clock_.WallMicros() / 1000 + 5);
  ASSERT_TRUE(log_->AlterTopic("t", {.partitions = 2}).ok());
  Open();
  EXPECT_EQ(log_->Describe("t")->created_us, created_us);
  ASSERT_TRUE(log_->DeleteTopic("t").ok());
  Create("t");
  EXPECT_NE(log_->Describe("t")->created_us, created_us);
}

TEST_F(RetentionTest, ReadBeforeTheStartSaysSo) {
  Open(1);
  Create("t", {.retention_bytes = 5000, .segment_bytes = 4096});
  for (int i = 0; i < 40; i++) Append("t", {std::string(900, 'x')});
  ExpectStart(32);
  const Status status = log_->Read("t", 0, 3, 40, 1000, [](auto) {}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "offset 3 is no longer in partition \"t-0\", which starts at offset 32");
  EXPECT_FALSE(log_->OffsetAfterBytes("t", 0, 3, 1).ok());
}

TEST_F(RetentionTest, RacingReadersSeeRecordsOrAClearError) {
  Open(1);
  Create("t", {.retention_bytes = 20'000, .segment_bytes = 4096});
  std::atomic<bool> stop = false;
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; t++) {
    readers.emplace_back([&] {
      while (!stop) {
        const int64_t start = log_->DescribePartition("t", 0)->start_offset;
        int64_t expected = start;
        const auto next = log_->Read("t", 0, start, INT64_MAX, 1 << 20, [&](auto records) {
          for (const auto& r : records) {
            ASSERT_EQ(r.offset, expected++);
            ASSERT_EQ(r.value.substr(0, r.value.find(' ')), std::to_string(r.offset));
          }
        });
        if (!next.ok()) {
          ASSERT_EQ(next.status().code(), Code::kInvalidArgument);
        }
        ASSERT_TRUE(log_->OffsetForTime("t", 0, 5).ok());
      }
    });
  }
  for (int i = 0; i < 1500; i++) Append("t", {std::to_string(i) + " " + std::string(500, 'x')});
  stop = true;
  for (auto& reader : readers) reader.join();
  WaitForStart(1001);
  EXPECT_GT(log_->DescribePartition("t", 0)->start_offset, 1000);
}

}  // namespace
}  // namespace millrace::log
