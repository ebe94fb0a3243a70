// Fetch over the port: what arrives are the log's bytes, from the page cache or copied.
#include <filesystem>
#include <random>

#include "kafka/server_fixture.h"
#include "log/record_batch.h"

namespace millrace::kafka {
namespace {

// Over files in memory, and over real ones, which the system can send by itself.
class FetchTest : public ServerTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    if (GetParam()) {
      log_.reset();
      log::LogOptions options;
      options.directory = directory_;
      options.fsync = false;
      auto log = log::Log::Open(options);
      ASSERT_TRUE(log.ok()) << log.status().ToString();
      log_ = *std::move(log);
    }
    Start();
  }
  void TearDown() override {
    server_.reset();
    log_.reset();
    std::filesystem::remove_all(directory_);
  }
  void Fill(const std::string& topic, int partitions, int64_t bytes) {
    ASSERT_TRUE(
        log_->CreateTopic(topic, {.partitions = partitions, .segment_bytes = 1 << 20}).ok());
    std::mt19937_64 random(3);
    while (bytes > 0) {
      const std::string value(random() % 30'000, static_cast<char>(random()));
      std::vector<log::NewRecord> records(1 + random() % 20);
      for (auto& record : records) record.value = value;
      const auto partition = static_cast<int>(random() % static_cast<uint64_t>(partitions));
      ASSERT_TRUE(log_->AppendAndWait(topic, partition, records).ok());
      bytes -= std::ssize(value) * std::ssize(records);
    }
  }
  std::string Stored(const std::string& topic, int partition) {
    const auto range = log_->FindBatches(topic, partition, 0, INT64_MAX, INT64_MAX, true);
    EXPECT_TRUE(range.ok());
    std::string bytes;
    for (const auto& slice : range->slices) {
      std::string part(static_cast<size_t>(slice.bytes), '\0');
      EXPECT_TRUE(slice.file->ReadAt(slice.position, part.data(), part.size()).ok());
      bytes += part;
    }
    return bytes;
  }
  static FetchRequest Request(const std::string& topic, std::vector<int64_t> offsets,
                              int32_t max_bytes) {
    FetchRequest request;
    request.max_bytes = max_bytes;
    auto& to = request.topics.emplace_back();
    to.name = topic;
    for (size_t i = 0; i < offsets.size(); i++) {
      auto& partition = to.partitions.emplace_back();
      partition.index = static_cast<int32_t>(i);
      partition.fetch_offset = offsets[i];
      partition.max_bytes = max_bytes;
    }
    return request;
  }

  const std::string directory_ = testing::TempDir() + "fetch_test_" + std::to_string(::getpid());
};

TEST_P(FetchTest, EveryByteArrivesInAnyPieces) {
  Fill("t", 3, 20 << 20);
  TestClient client = Connect();
  std::mt19937_64 random(5);
  for (const int version : {4, 11, 12}) {
    std::vector<int64_t> offsets(3, 0);
    std::vector<std::string> got(3);
    while (true) {
      const auto max_bytes = static_cast<int32_t>(1 << (10 + random() % 14));
      const auto answer = client.Ask<FetchResponse>(1, version, Request("t", offsets, max_bytes));
      ASSERT_TRUE(answer && answer->topics.size() == 1);
      size_t bytes = 0;
      for (const auto& partition : answer->topics[0].partitions) {
        ASSERT_EQ(partition.error_code, kNone);
        std::string_view left = partition.records.bytes;
        bytes += left.size();
        const auto index = static_cast<size_t>(partition.index);
        got[index] += left;
        for (; !left.empty(); left.remove_prefix(log::ParseBatchHeader(left)->size_bytes)) {
          ASSERT_EQ(log::ParseBatchHeader(left)->base_offset, offsets[index]);
          offsets[index] = log::ParseBatchHeader(left)->end_offset();
        }
      }
      if (bytes == 0) break;
    }
    for (int i = 0; i < 3; i++) EXPECT_TRUE(got[static_cast<size_t>(i)] == Stored("t", i)) << i;
  }
}

TEST_P(FetchTest, WhatIsDeletedMeanwhileIsSentToTheEnd) {
  Fill("t", 1, 40 << 20);
  const std::string stored = Stored("t", 0);
  TestClient client = Connect();
  client.Send(1, 12, Request("t", {0}, 50 << 20));
  // More than sockets hold: the server is in the middle of it.
  TestClient another = Connect();
  ASSERT_TRUE(another.Ask<ApiVersionsResponse>(18, 3, ApiVersionsRequest()));
  ASSERT_TRUE(log_->DeleteTopic("t").ok());
  const auto answer = client.Receive<FetchResponse>(1, 12);
  ASSERT_TRUE(answer && answer->topics.size() == 1);
  const auto& partition = answer->topics[0].partitions[0];
  EXPECT_TRUE(stored.starts_with(partition.records.bytes));
  EXPECT_EQ(partition.records.bytes.empty(), partition.error_code != kNone);
}

TEST_P(FetchTest, AClientThatGoesAwayHarmsNobody) {
  Fill("t", 1, 40 << 20);
  for (int i = 0; i < 5; i++) {
    TestClient client = Connect();
    client.Send(1, 12, Request("t", {0}, 50 << 20));
  }
  TestClient client = Connect();
  const auto answer = client.Ask<FetchResponse>(1, 12, Request("t", {0}, 1000));
  ASSERT_TRUE(answer && answer->topics.size() == 1);
  EXPECT_FALSE(answer->topics[0].partitions[0].records.bytes.empty());
}

INSTANTIATE_TEST_SUITE_P(Files, FetchTest, testing::Bool(),
                         [](const auto& test) { return test.param ? "Real" : "InMemory"; });

}  // namespace
}  // namespace millrace::kafka
