// What a partition makes of torn tails, damaged indexes, failed syncs and a full disk.
#include "log/log_fixture.h"

namespace millrace::log {
namespace {

using RecoveryTest = LogFixture;
using Strings = std::vector<std::string>;

TEST_F(RecoveryTest, TailTornAtEveryByteOfTheLastBatch) {
  Open();
  Create("t");
  Append("t", {"first", "second"}, {3, 0});
  log_.reset();
  const std::string state = files_->Content("/log/t-0/partition.state");
  Open();
  const size_t whole = files_->Content(SegmentPath(0)).size();
  Append("t", {"third", "fourth"}, {3, 2});
  log_.reset();
  const std::string all = files_->Content(SegmentPath(0));
  for (const bool with_state : {true, false}) {
    for (size_t size = whole; size < all.size(); size++) {
      files_->SetContent(SegmentPath(0), all.substr(0, size));
      files_->SetContent("/log/t-0/partition.state", with_state ? state : "");
      Open();
      ASSERT_EQ(Values("t"), (Strings{"first", "second"})) << size;
      ASSERT_EQ(files_->Content(SegmentPath(0)).size(), whole);
      ASSERT_EQ(*log_->NextSequence("t", 0, 3), 2);
      ASSERT_EQ(Append("t", {"third"}, {3, 2}), 2);
      ASSERT_EQ(Values("t"), (Strings{"first", "second", "third"}));
      log_.reset();
    }
  }
  // A wrong byte anywhere in the last batch is a torn write as well; zeros behind it are cut.
  for (size_t at = whole; at < all.size(); at++) {
    std::string bad = all + std::string(at % 3 * 100, '\0');
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    files_->SetContent(SegmentPath(0), bad);
    files_->SetContent("/log/t-0/partition.state", state);
    Open();
    // Bytes 12 to 15 (leader epoch) are not covered by Kafka's checksum.
    const bool covered = at - whole < 12 || at - whole > 15;
    ASSERT_EQ(Values("t").size(), covered ? 2u : 4u) << at - whole;
    log_.reset();
  }
}

TEST_F(RecoveryTest, IndexesMissingShortOrGarbage) {
  Open();
  Create("t", {.segment_bytes = 40'000});
  for (int i = 0; i < 300; i++)
    Append("t", {std::to_string(i) + std::string(400, 'x')}, {}, 100 + i);
  const auto good = Values("t");
  log_.reset();
  int64_t second = 1;  // base offset of the second segment
  while (files_->Content(SegmentPath(second)).empty()) ASSERT_LT(second++, 150);
  const std::string index = files_->Content(SegmentPath(second, ".index"));
  const std::string times = files_->Content(SegmentPath(second, ".timeindex"));
  ASSERT_GE(index.size(), 64u);
  ASSERT_EQ(index.size() / 8, times.size() / 12);
  std::string shifted = index;  // in order, but not this segment's positions
  for (size_t i = 15; i < shifted.size(); i += 8) shifted[i] = static_cast<char>(shifted[i] + 1);
  for (const std::string& bad : {std::string(), index.substr(0, 19), std::string(800, '\xff'),
                                 std::string(100, '\0'), shifted, index + index}) {
    for (const bool both : {false, true}) {
      files_->SetContent(SegmentPath(second, ".index"), bad);
      files_->SetContent(SegmentPath(second, ".timeindex"), both ? bad : times);
      Open();
      for (const int64_t at : {second, second + 1, int64_t{100}, int64_t{150}, int64_t{299}}) {
        int64_t seen = -1;
        ASSERT_TRUE(log_->Read("t", 0, at, at + 1, 1, [&](auto r) { seen = r[0].offset; }).ok());
        ASSERT_EQ(seen, at);
      }
      ASSERT_EQ(Values("t"), good);
      ASSERT_EQ(*log_->OffsetForTime("t", 0, 220), 120);
      log_.reset();
    }
  }
  ASSERT_TRUE(files_->Remove(SegmentPath(second, ".index")).ok());
  ASSERT_TRUE(files_->Remove(SegmentPath(0, ".timeindex")).ok());
  Open();
  EXPECT_EQ(Values("t"), good);
}

TEST_F(RecoveryTest, DamageInTheMiddleIsReportedNotHandedOut) {
  Open();
  Create("t", {.segment_bytes = 4096});
  for (int i = 0; i < 30; i++) Append("t", {std::string(600, 'x')});
  log_.reset();
  std::string bytes = files_->Content(SegmentPath(0));
  bytes[1500] = static_cast<char>(bytes[1500] ^ 1);
  files_->SetContent(SegmentPath(0), bytes);
  Open();
  int64_t at = 0;
  Status status;
  while (at < 30) {
    const auto next = log_->Read("t", 0, at, 30, 1 << 20, [](auto) {});
    status = next.status();
    if (!next.ok()) break;
    at = *next;
  }
  EXPECT_EQ(at, 2);
  EXPECT_EQ(status.code(), Code::kCorruption);
  EXPECT_NE(status.message().find("00000000000000000000.log\" is damaged at byte"),
            std::string::npos);
  EXPECT_TRUE(log_->Read("t", 0, 12, 30, 1 << 20, [](auto) {}).ok()) << "other segments";
}

TEST_F(RecoveryTest, FullDiskFailsAppendsAndTheLogGoesOn) {
  Open();
  Create("t", {.segment_bytes = 8192});
  Append("t", {std::string(3000, 'a')}, {1, 0});
  files_->SetCapacity(files_->used_bytes() + 2000);
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(Append("t", {std::string(3000, 'b')}, {1, 1}), -2);
    EXPECT_EQ(error_.code(), Code::kResourceExhausted);
    EXPECT_EQ(error_.retry(), Retry::kBackoff);
    EXPECT_EQ(Values("t").size(), 1u) << "readers see nothing of it";
  }
  EXPECT_EQ(Append("t", {"small"}), 1) << "what fits still goes";
  EXPECT_EQ(Append("t", {std::string(20'000, 'b')}), -2) << "needs a new segment";
  files_->SetCapacity(-1);
  EXPECT_EQ(Append("t", {std::string(3000, 'b')}, {1, 1}), 2);
  EXPECT_EQ(Append("t", {std::string(9000, 'c')}, {1, 2}), 3);
  const auto values = Values("t");
  Open();
  EXPECT_EQ(Values("t"), values);
  EXPECT_EQ(*log_->NextSequence("t", 0, 1), 3);
}

TEST_F(RecoveryTest, FailedSyncsAndFailedCutsAreSurvived) {
  Open();
  Create("t", {.segment_bytes = 4096});
  Append("t", {"a"}, {1, 0});
  files_->FailSyncs(1);
  EXPECT_EQ(Append("t", {"b"}, {1, 1}), -2);
  EXPECT_EQ(Append("t", {"b"}, {1, 1}), 1);
  // The write fails, then the cut, then the cut before the next commit.
  for (int n = 1; n <= 3; n++) files_->FailOperation(n, Status(Code::kIo, "planned"));
  EXPECT_EQ(Append("t", {"c"}), -2);
  EXPECT_EQ(Append("t", {"c"}), -2);
  EXPECT_EQ(Append("t", {"c"}), 2);
  // Every operation of a commit that rolls fails once.
  int64_t offset = 3;
  for (int n = 1; n <= 12; n++) {
    files_->FailOperation(n, Status(Code::kIo, "planned"));
    int tries = 0;
    while (Append("t", {std::string(3000, 'r')}, {2, offset - 3}) != offset) ASSERT_LT(++tries, 5);
    offset++;
  }
  EXPECT_EQ(std::ssize(Values("t")), offset);
  Open();
  EXPECT_EQ(std::ssize(Values("t")), offset);
}

TEST_F(RecoveryTest, LostPartitionAndBrokenSettingsAreErrors) {
  Open();
  Create("t");
  log_.reset();
  LogOptions options;
  options.directory = "/log";
  options.files = files_.get();
  ASSERT_TRUE(files_->Remove("/log/t-0").ok());
  EXPECT_EQ(Log::Open(options).status().code(), Code::kCorruption);
  files_->SetContent("/log/t.topic.json", "{\"partitions\": ");
  const Status status = Log::Open(options).status();
  EXPECT_EQ(status.code(), Code::kCorruption);
  EXPECT_NE(status.message().find("/log/t.topic.json"), std::string::npos);
}

TEST_F(RecoveryTest, DeletionIsFinishedAtTheNextOpen) {
  Open();
  Create("t", {.partitions = 3});
  Append("t", {"x"}, {}, 0, 1);
  files_->FailOperation(3, Status(Code::kIo, "planned"));
  EXPECT_FALSE(log_->DeleteTopic("t").ok());
  EXPECT_FALSE(log_->Describe("t").ok()) << "it is gone all the same";
  Open();
  EXPECT_EQ(log_->Topics().size(), 0u);
  for (int p = 0; p < 3; p++) EXPECT_FALSE(files_->List("/log/t-" + std::to_string(p)).ok());
}

}  // namespace
}  // namespace millrace::log
