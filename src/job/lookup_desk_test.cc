// The desk with a table that the test plays: keys that come late, versions, failures over shards.
#include "job/lookup_desk.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "stream/lookup_answer.h"
#include "stream/row_codec.h"

namespace millrace::job {
namespace {

using duckdb::LogicalType;

// Answers key k with 10 * k, once it has been asked often enough.
struct Played {
  std::atomic<int> asked{0};
  std::atomic<int> failures_left{0};
  std::atomic<int> misses_left{0};
  std::string version;
};

class PlayedLookup : public connectors::Lookup {
 public:
  explicit PlayedLookup(Played& played) : played_(played) {}
  Status Open() override { return Status::Ok(); }
  size_t keys_max() const override { return 2; }
  Status Ask(duckdb::DataChunk& keys, connectors::LookupOutput& out) override {
    EXPECT_LE(keys.size(), keys_max());
    played_.asked++;
    if (played_.failures_left-- > 0) {
      return Status(Code::kUnavailable, "not now").WithRetry(Retry::kBackoff);
    }
    if (!played_.version.empty()) out.OnVersion(played_.version);
    if (played_.misses_left-- > 0) return Status::Ok();
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), {LogicalType::INTEGER});
    std::vector<uint32_t> row_keys;
    for (uint32_t i = 0; i < keys.size(); i++) {
      const int key = keys.GetValue(0, i).GetValue<int>();
      rows.SetValue(0, i, duckdb::Value::INTEGER(10 * key));
      row_keys.push_back(i);
    }
    rows.SetCardinality(keys.size());
    out.OnRows(rows, row_keys);
    return Status::Ok();
  }

 private:
  Played& played_;
};

class LookupDeskTest : public testing::Test {
 protected:
  LookupDeskTest()
      : directory_((std::filesystem::temp_directory_path() /
                    fmt::format("millrace-desk-{}", env::Clock::System()->WallMicros()))
                       .string()) {
    entry_.new_lookup =
        [this](const connectors::TableContext&,
               const connectors::LookupQuery&) -> Result<std::unique_ptr<connectors::Lookup>> {
      return std::unique_ptr<connectors::Lookup>(new PlayedLookup(played_));
    };
    table_.name = "t";
    LookupTable& lookup = compiled_.lookups["t"];
    lookup.table = &table_;
    lookup.columns.columns = {{"k", LogicalType::INTEGER}, {"v", LogicalType::INTEGER}};
    lookup.base_column = {0, 1};
    lookup.binding.connector = &entry_;
    compiled_.name = "j";
  }
  ~LookupDeskTest() override { std::filesystem::remove_all(directory_); }

  LookupTable& lookup() { return compiled_.lookups["t"]; }
  // A desk for operators 1 to `shards`, which asks in epoch 1.
  std::unique_ptr<LookupDesk> OpenDesk(uint32_t shards = 1) {
    auto journal = state::AnswerJournal::Open(env::FileSystem::Real(), directory_);
    EXPECT_TRUE(journal.ok()) << journal.status().ToString();
    journal_ = std::move(*journal);
    LookupDesk::Events events;
    events.stopping = [this] { return stopping_.load(); };
    events.failing = [](const Status&) {};
    events.answering = [] {};
    auto desk =
        std::make_unique<LookupDesk>(*env::Clock::System(), journal_.get(), std::move(events));
    for (uint32_t asker = 1; asker <= shards; asker++) {
      stream::JobPlan plan;
      plan.lookups = {{asker, "t", {0}, {1}}};
      EXPECT_TRUE(desk->Add(compiled_, plan, {}).ok());
    }
    EXPECT_TRUE(desk->BeginEpoch(1, false).ok());
    return desk;
  }
  // The answers to keys 1 to `count`.
  static std::vector<std::string> Ask(LookupDesk& desk, int count, uint32_t asker = 1) {
    duckdb::DataChunk keys;
    keys.Initialize(duckdb::Allocator::DefaultAllocator(), {LogicalType::INTEGER});
    for (int k = 1; k <= count; k++) {
      keys.SetValue(0, static_cast<duckdb::idx_t>(k - 1), duckdb::Value::INTEGER(k));
    }
    keys.SetCardinality(static_cast<duckdb::idx_t>(count));
    stream::RowCodec codec({LogicalType::INTEGER});
    codec.Bind(keys, {0});
    stream::EncodedKeys requests;
    for (uint32_t row = 0; row < keys.size(); row++) requests.Add(codec.Encode(row));
    std::vector<std::string> responses;
    if (!desk.Ask(asker, requests, responses).ok()) responses.clear();
    return responses;
  }

  Played played_;
  connectors::ConnectorEntry entry_;
  sql::Table table_;
  CompiledJob compiled_;
  std::string directory_;
  std::unique_ptr<state::AnswerJournal> journal_;
  std::atomic<bool> stopping_{false};
};

TEST_F(LookupDeskTest, VersionsAreKeptAndReplayed) {
  played_.version = "m1";
  std::vector<std::string> answers;
  {
    auto desk = OpenDesk();
    answers = Ask(*desk, 5);
    ASSERT_EQ(answers.size(), 5u);
    EXPECT_EQ(played_.asked, 3);  // two keys at once
    for (const std::string& answer : answers) {
      EXPECT_EQ(stream::LookupAnswer::Read(answer).version, "m1");
      EXPECT_EQ(stream::LookupAnswer::Read(answer).count, 1u);
    }
    const LookupStatus status = desk->Statuses().at(0);
    EXPECT_EQ(status.name, "t");
    EXPECT_EQ(status.requests, 3);
    EXPECT_EQ(status.keys, 5);
    EXPECT_EQ(status.missing, 0);
    EXPECT_EQ(status.version, "m1");
    EXPECT_EQ(status.circuit, "closed");
    ASSERT_TRUE(desk->Sync().ok());
  }
  played_.version = "m2";
  auto desk = OpenDesk();
  EXPECT_EQ(Ask(*desk, 5), answers);
  EXPECT_EQ(played_.asked, 3);
  const auto journaled = journal_->AnswersOf(1);
  ASSERT_TRUE(journaled.ok()) << journaled.status().ToString();
  ASSERT_EQ(journaled->size(), 5u);
  EXPECT_EQ(stream::LookupAnswer::Read((*journaled)[4].response).version, "m1");
}

TEST_F(LookupDeskTest, KeysThatAreMissingAreAskedForAgain) {
  lookup().retry_missing_us = 60'000'000;
  played_.misses_left = 3;
  auto desk = OpenDesk();
  const auto answers = Ask(*desk, 4);
  ASSERT_EQ(answers.size(), 4u);
  for (const std::string& answer : answers) {
    EXPECT_EQ(stream::LookupAnswer::Read(answer).count, 1u);
  }
  // Both halves are missing, then the first one, then none is.
  EXPECT_EQ(played_.asked, 2 + 2 + 1);
  EXPECT_EQ(desk->Statuses().at(0).keys, 4 + 4 + 2);
  EXPECT_EQ(desk->Statuses().at(0).missing, 4 + 2);
}

TEST_F(LookupDeskTest, ButNotForEver) {
  played_.misses_left = 1'000'000;
  for (const int64_t retry_us : {0, 120'000}) {
    lookup().retry_missing_us = retry_us;
    const int before = played_.asked;
    auto desk = OpenDesk();
    const auto answers = Ask(*desk, 1);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(stream::LookupAnswer::Read(answers[0]).count, 0u);
    EXPECT_EQ(played_.asked - before > 1, retry_us > 0);
  }
  // Told to stop, it does not call missing what might still come.
  lookup().retry_missing_us = 3'600'000'000;
  auto desk = OpenDesk();
  const int before = played_.asked;
  std::thread stopper([&] {
    while (played_.asked == before) std::this_thread::yield();
    stopping_ = true;
  });
  EXPECT_TRUE(Ask(*desk, 1).empty());
  stopper.join();
  EXPECT_EQ(desk->failure().code(), Code::kUnavailable);
}

TEST_F(LookupDeskTest, ShardsShareTheCircuit) {
  lookup().circuit_failures = 2;
  lookup().circuit_pause_us = 3'600'000'000;
  played_.failures_left = 1'000'000;
  constexpr uint32_t kShards = 3;
  auto desk = OpenDesk(kShards);
  std::vector<std::thread> shards;
  for (uint32_t asker = 1; asker <= kShards; asker++) {
    shards.emplace_back([&, asker] { EXPECT_TRUE(Ask(*desk, 1, asker).empty()); });
  }
  while (desk->Statuses().at(0).circuit != "open") std::this_thread::yield();
  stopping_ = true;
  for (std::thread& shard : shards) shard.join();
  const LookupStatus status = desk->Statuses().at(0);
  EXPECT_GE(status.errors, 2);
  EXPECT_LE(status.errors, kShards + 1);  // those on their way when it opened
  EXPECT_EQ(status.errors, played_.asked);
  EXPECT_EQ(desk->failure().message(), "not now");
}

TEST_F(LookupDeskTest, TheCircuitCloses) {
  lookup().circuit_failures = 1;
  lookup().circuit_pause_us = 20'000;
  played_.failures_left = 3;
  auto desk = OpenDesk();
  EXPECT_EQ(Ask(*desk, 1).size(), 1u);
  EXPECT_EQ(played_.asked, 4);
  EXPECT_EQ(desk->Statuses().at(0).errors, 3);
  EXPECT_EQ(desk->Statuses().at(0).circuit, "closed");
}

}  // namespace
}  // namespace millrace::job
