// Histories on a real S3 server: what is read of them is what the log says, and while the server is
// away nothing is lost and nothing is answered without them.
#include <gtest/gtest.h>

#include <cstdlib>

#include "project/history/replay_fixture.h"
#include "tests/support/s3_server.h"

namespace millrace::project {
namespace {

class S3HistoryTest : public ReplayTest {
 protected:
  void SetUp() override {
    if (!test::S3Server::Available()) GTEST_SKIP() << "no versitygw";
    ReplayTest::SetUp();
    server_ = test::S3Server::Start();
    ASSERT_NE(server_, nullptr);
    setenv("MILLRACE_TEST_S3_SECRET", test::S3Server::kSecret, 1);
    Write(moved_.path() + "/millrace.yml",
          Settings(fmt::format(", parquet: {{keep: -1, at: \"s3://{}/history/\"}}",
                               test::S3Server::kBucket)) +
              fmt::format("batch:\n  storage:\n    \"s3://{}\": {{endpoint: \"{}\", region: "
                          "us-east-1, url-style: path, tls: false, key-id: {}, secret: "
                          "\"${{env:MILLRACE_TEST_S3_SECRET}}\"}}\n",
                          test::S3Server::kBucket, server_->Endpoint(), test::S3Server::kKeyId));
  }

  static int64_t ParquetBelow(const std::string& directory) {
    int64_t files = 0;
    if (!std::filesystem::exists(directory)) return 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
      files += entry.path().extension() == ".parquet" ? 1 : 0;
    }
    return files;
  }

  std::unique_ptr<test::S3Server> server_;
};

constexpr const char* kQueries[] = {
    "SELECT id, n, name, twice, place_in_log, part, sent, head FROM readings",
    "SELECT count(*) FROM readings",
    "SELECT name, sum(n) FROM readings WHERE part = 1 GROUP BY 1",
};

TEST_F(S3HistoryTest, IsWhatTheWholeLogSays) {
  SendAll(1, 600);
  EXPECT_GT(ParquetBelow(server_->BucketDirectory() + "/history/readings"), kPartitions);
  EXPECT_EQ(ParquetBelow(moved_.path()), 0);
  WriteScripts(SettingsOf(Way::kShards) + kWindows + kCopies);
  const auto whole = RunToEnd(whole_.path());
  const auto moved = RunToEnd(moved_.path());  // may read no other files, as a server
  ASSERT_TRUE(whole && moved);
  for (const char* sql : kResults) EXPECT_EQ(Rows(*moved, sql), Rows(*whole, sql)) << sql;
  for (const char* sql : kQueries) EXPECT_EQ(Rows(*moved, sql), Rows(*whole, sql)) << sql;
  const std::string others = std::string("FROM glob('s3://") + test::S3Server::kBucket + "/**')";
  EXPECT_FALSE(moved->warehouse().Query(others).ok());
}

TEST_F(S3HistoryTest, OfAServerThatIsAwayNothingIsLost) {
  const auto records = SomeRecords(5, 600);
  {
    const auto runtime = Open(moved_.path(), false);
    ASSERT_NE(runtime, nullptr);
    Send(runtime->log(), records);
    server_->Kill();
    const Status kept = runtime->history().Pass(NowMs());
    ASSERT_FALSE(kept.ok());
    EXPECT_NE(kept.message().find("s3://"), std::string::npos) << kept.ToString();
    auto config = runtime->log().Describe("readings")->config;
    config.retention_bytes = 0;
    ASSERT_TRUE(runtime->log().AlterTopic("readings", config).ok());
    for (int p = 0; p < kPartitions; p++) {
      ASSERT_TRUE(runtime->log().DeleteRecords("readings", p, kDeleted).ok());
      EXPECT_EQ(LogStart(*runtime, p), kDeleted) << "waits for the files";
    }
    ASSERT_TRUE(server_->Restart());
    MoveToFiles(*runtime, 0, kDeleted + 1);
    EXPECT_GT(LogStart(*runtime, 0), 100);
  }
  const std::string count = "SELECT count(*) > 300, min(place_in_log) FROM readings";
  server_->Kill();
  const auto runtime = Open(moved_.path(), true);  // starts without it
  ASSERT_NE(runtime, nullptr);
  const auto refused = runtime->warehouse().Query(count);
  ASSERT_FALSE(refused.ok()) << "an answer without the files";
  EXPECT_NE(refused.status().message().find("s3://"), std::string::npos)
      << refused.status().ToString();
  ASSERT_TRUE(server_->Restart());
  const Status kept = runtime->history().Pass(NowMs());
  EXPECT_TRUE(kept.ok()) << kept.ToString();
  EXPECT_EQ(Rows(*runtime, count), std::vector<std::string>{"true|3|"});
}

TEST_F(S3HistoryTest, AJobWaitsForAServerThatGoesAway) {
  SendAll(7, 400);
  WriteScripts("SET 'millrace.epoch.bytes' = '500';\n" + std::string(kWindows) + kCopies);
  const auto whole = RunToEnd(whole_.path());
  const auto moved = Open(moved_.path(), true);
  ASSERT_TRUE(whole && moved);
  moved->Start();
  while (moved->JobStatuses()[0].rows_in < 20) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  server_->Kill();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  ASSERT_TRUE(server_->Restart());
  std::atomic<bool> stop{false};
  const Status ended = moved->WaitForJobs(nullptr, stop);
  ASSERT_TRUE(ended.ok()) << ended.ToString();
  for (const char* sql : kResults) EXPECT_EQ(Rows(*moved, sql), Rows(*whole, sql)) << sql;
}

}  // namespace
}  // namespace millrace::project
