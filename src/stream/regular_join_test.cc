// What the oracle over whole queries cannot see of a RegularJoin: its state. (The results of joins
// are tested in project/join_oracle_test.cc.)
#include "stream/regular_join.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "duck/functions.h"
#include "duck/planner.h"

namespace millrace::stream {
namespace {

constexpr int64_t kSecond = 1'000'000;

// Collects what a join emits as "weight: column, column".
class Collector : public Operator {
 public:
  Collector() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      std::string text = batch.weights && batch.weights[row] < 0 ? "-" : "+";
      for (duckdb::idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
        text += " " + batch.rows->GetValue(c, row).ToString();
      }
      rows.push_back(text);
    }
  }
  OperatorDescription Describe() const override { return {}; }
  std::vector<std::string> rows;
};

class RegularJoinState : public ::testing::Test {
 protected:
  void SetUp() override {
    auto planner = duck::Planner::Create();
    ASSERT_TRUE(planner.ok()) << planner.status().ToString();
    planner_ = std::move(*planner);
    store_ = state::StateStore::InMemory();
  }

  // A join of (key, value) with (key, value) on the keys.
  void Make(JoinKind kind, bool retracts, int64_t ttl_us) {
    RegularJoinPlan plan;
    plan.kind = kind;
    plan.ttl_us = ttl_us;
    plan.nulls_match = {false};
    for (auto& side : plan.sides) {
      side.types = {duckdb::LogicalType::INTEGER, duckdb::LogicalType::INTEGER};
      side.keys = {0};
      side.payload = {1};
      side.retracts = retracts;
    }
    join_ = std::make_unique<RegularJoin>(1, std::move(plan));
    join_->emitter().Add(&out_, 0);
    OperatorContext context;
    context.client = &planner_->context();
    ASSERT_TRUE(join_->Open(context, *store_).ok());
  }

  void Row(int port, int key, int value, int32_t weight = 1) {
    duckdb::DataChunk chunk;
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(),
                     {duckdb::LogicalType::INTEGER, duckdb::LogicalType::INTEGER});
    chunk.SetValue(0, 0, duckdb::Value::INTEGER(key));
    chunk.SetValue(1, 0, duckdb::Value::INTEGER(value));
    chunk.SetCardinality(1);
    Batch batch;
    batch.rows = &chunk;
    batch.weights = &weight;
    join_->Process(port, batch);
  }

  // Ends an epoch with this clock and returns what it emitted, sorted.
  std::vector<std::string> EndEpoch() {
    join_->OnEpochEnd();
    std::vector<std::string> rows = std::move(out_.rows);
    out_.rows.clear();
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  void SetClock(int64_t us) { duck::SetEpochClock(planner_->context(), us); }

  void Checkpoint() {
    epoch_++;
    ASSERT_TRUE(
        store_->Checkpoint(epoch_, [&](state::StateWriter& w) { join_->Snapshot(w); }).ok());
  }
  size_t StoredEntries() const {
    size_t entries = 0;
    store_->Scan(1, "", [&](std::string_view, std::string_view) { entries++; });
    return entries;
  }

  using Rows = std::vector<std::string>;
  std::unique_ptr<duck::Planner> planner_;
  std::unique_ptr<state::StateStore> store_;
  std::unique_ptr<RegularJoin> join_;
  Collector out_;
  model::Epoch epoch_ = 0;
};

TEST_F(RegularJoinState, IsEmptyOnceEverythingIsRetracted) {
  Make(JoinKind::kFull, true, 0);
  for (int i = 0; i < 100; i++) {
    Row(0, i % 7, i);
    Row(1, i % 5, i);
    Row(1, i % 5, i);
  }
  EndEpoch();
  Checkpoint();
  EXPECT_EQ(join_->stats().state_rows, 200);
  EXPECT_EQ(StoredEntries(), 200u);
  for (int i = 0; i < 100; i++) {
    Row(0, i % 7, i, -1);
    Row(1, i % 5, i, -2);
  }
  EndEpoch();
  Checkpoint();
  EXPECT_EQ(join_->stats().state_rows, 0);
  EXPECT_EQ(StoredEntries(), 0u);
}

TEST_F(RegularJoinState, ARowThatFindsItsPartnerInTheSameEpochIsNeverAlone) {
  Make(JoinKind::kLeft, false, 0);
  Row(0, 1, 10);
  Row(1, 1, 20);
  EXPECT_EQ(EndEpoch(), (Rows{"+ 10 20"}));
  Row(0, 2, 11);
  EXPECT_EQ(EndEpoch(), (Rows{"+ 11 NULL"}));
  Row(1, 2, 21);
  EXPECT_EQ(EndEpoch(), (Rows{"+ 11 21", "- 11 NULL"}));
}

TEST_F(RegularJoinState, OldRowsFindNoPartnersAndTakeNothingBack) {
  for (bool restored : {false, true}) {
    store_ = state::StateStore::InMemory();
    Make(JoinKind::kLeft, false, 10 * kSecond);
    SetClock(100 * kSecond);
    Row(0, 1, 10);
    Row(1, 1, 20);
    EndEpoch();
    SetClock(105 * kSecond);
    Row(0, 2, 11);
    Row(0, 3, 12);
    EXPECT_EQ(EndEpoch(), (Rows{"+ 11 NULL", "+ 12 NULL"}));
    if (restored) {
      Checkpoint();
      Make(JoinKind::kLeft, false, 10 * kSecond);
    }
    SetClock(111 * kSecond);  // 10 and 20 are 11 s old
    Row(0, 3, 12);            // written again
    EXPECT_EQ(EndEpoch(), (Rows{"+ 12 NULL"}));
    EXPECT_EQ(join_->stats().state_rows, 2);
    SetClock(116 * kSecond);  // now 11 is, but 12 is not
    Row(0, 1, 13);
    Row(1, 3, 22);
    EXPECT_EQ(EndEpoch(), (Rows{"+ 12 22", "+ 12 22", "+ 13 NULL", "- 12 NULL", "- 12 NULL"}));
    Row(1, 2, 23);
    EXPECT_EQ(EndEpoch(), (Rows{})) << "its partner is gone";
    Checkpoint();
    EXPECT_EQ(StoredEntries(), static_cast<size_t>(join_->stats().state_rows));
  }
}

TEST_F(RegularJoinState, ACheckpointHoldsOnlyWhatChanged) {
  class Counter : public state::StateWriter {
   public:
    void Put(uint32_t, std::string_view, std::string_view) override { writes++; }
    void Delete(uint32_t, std::string_view) override { writes++; }
    void DeletePrefix(uint32_t, std::string_view) override { writes++; }
    int writes = 0;
  };
  for (bool retracts : {false, true}) {
    store_ = state::StateStore::InMemory();
    Make(JoinKind::kInner, retracts, 0);
    for (int i = 0; i < 1000; i++) Row(0, i, i);
    EndEpoch();
    Counter first;
    join_->Snapshot(first);
    EXPECT_EQ(first.writes, retracts ? 1000 : 4);
    Counter none;
    join_->Snapshot(none);
    EXPECT_EQ(none.writes, 0);
    Row(0, 1, 2000);
    Row(1, 1, 3000);
    EndEpoch();
    Counter second;
    join_->Snapshot(second);
    EXPECT_EQ(second.writes, 2);
  }
}

}  // namespace
}  // namespace millrace::stream
