// Retention by size and by time, and readers that meet it.
#include <thread>

#include "log/log_fixture.h"

namespace millrace::log {
namespace {

class RetentionTest : public LogFixture {
 protected:
  // Waits until the upkeep thread has moved the start to `start`.
  void ExpectStart(int64_t start) {
    for (int i = 0; i < 5000; i++) {
      if (log_->DescribePartition("t", 0)->start_offset >= start) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
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
  EXPECT_GT(log_->DescribePartition("t", 0)->start_offset, 1000);
}

}  // namespace
}  // namespace millrace::log
