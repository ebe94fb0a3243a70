// KeepFirst against a map from key to the time it came: NULLs, duplicates, weights, a time to live,
// and an operator that is restored from a checkpoint at any epoch.
#include "stream/keep_first.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "duck/functions.h"
#include "duck/planner.h"

namespace millrace::stream {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

class Collector : public Operator {
 public:
  Collector() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    EXPECT_EQ(batch.weights, nullptr);
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      rows.push_back(batch.rows->GetValue(0, row).ToString() + " " +
                     batch.rows->GetValue(1, row).ToString());
      EXPECT_EQ(batch.rows->GetValue(2, row), Value::BIGINT(1));
    }
    for (const LateCandidate& late : batch.late)
      late_rows.push_back(rows[rows.size() - batch.size() + late.row]);
  }
  OperatorDescription Describe() const override { return {}; }
  std::vector<std::string> rows;
  std::vector<std::string> late_rows;
};

class KeepFirstTest : public ::testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    auto planner = duck::Planner::Create();
    ASSERT_TRUE(planner.ok());
    planner_ = std::move(*planner);
    store_ = state::StateStore::InMemory();
  }

  std::unique_ptr<KeepFirst> Open(int64_t ttl_us, Collector& out) {
    KeepFirstPlan plan;
    plan.types = {LogicalType::VARCHAR, LogicalType::BIGINT};
    plan.names = {"k", "n"};
    plan.keys = {0};
    plan.shows_rank = true;
    plan.ttl_us = ttl_us;
    auto op = std::make_unique<KeepFirst>(1, std::move(plan));
    op->emitter().Add(&out, 0);
    OperatorContext context;
    context.client = &planner_->context();
    EXPECT_TRUE(op->Open(context, *store_).ok());
    return op;
  }

  std::unique_ptr<duck::Planner> planner_;
  std::unique_ptr<state::StateStore> store_;
};

TEST_P(KeepFirstTest, AgreesWithAMap) {
  const int64_t ttl_us = GetParam();
  for (uint64_t seed = 1; seed <= 20; seed++) {
    store_ = state::StateStore::InMemory();
    std::mt19937_64 random(seed);
    Collector out;
    auto op = Open(ttl_us, out);
    std::map<std::string, int64_t> seen;  // when it came
    std::vector<std::string> expected, expected_late;
    int64_t rows_in = 0;
    int64_t unchanged_before = 0;  // by operators that were replaced since
    int64_t clock_us = 1'000'000;
    int64_t number = 0;
    for (model::Epoch epoch = 1; epoch <= 60; epoch++) {
      clock_us += static_cast<int64_t>(random() % 3'000'000);
      duck::SetEpochClock(planner_->context(), clock_us);
      for (size_t batches = random() % 3; batches > 0; batches--) {
        duckdb::DataChunk chunk;
        chunk.Initialize(duckdb::Allocator::DefaultAllocator(),
                         {LogicalType::VARCHAR, LogicalType::BIGINT});
        Batch batch;
        std::vector<int32_t> weights;
        const size_t count = random() % 40;
        for (size_t i = 0; i < count; i++) {
          const bool null = random() % 17 == 0;
          const std::string key =
              null ? "NULL" : fmt::format("key{:0{}}", random() % 150, random() % 2 ? 1 : 40);
          chunk.SetValue(0, i, null ? Value(LogicalType::VARCHAR) : Value(key));
          chunk.SetValue(1, i, Value::BIGINT(++number));
          weights.push_back(random() % 9 == 0 ? 3 : 1);
          rows_in++;
          const bool late = random() % 11 == 0;
          if (late) batch.late.push_back({static_cast<uint32_t>(i), 0, 0, 5});
          if (!seen.try_emplace(key, clock_us).second) continue;
          expected.push_back(fmt::format("{} {}", key, number));
          if (late) expected_late.push_back(expected.back());
        }
        chunk.SetCardinality(count);
        batch.rows = &chunk;
        batch.weights = weights.data();
        op->Process(0, batch);
      }
      op->OnEpochEnd();
      if (ttl_us > 0) {
        std::erase_if(seen, [&](const auto& entry) { return entry.second <= clock_us - ttl_us; });
      }
      ASSERT_EQ(op->stats().state_rows, static_cast<int64_t>(seen.size()));
      if (random() % 4 != 0) continue;
      ASSERT_TRUE(
          store_->Checkpoint(epoch, [&](state::StateWriter& writer) { op->Snapshot(writer); })
              .ok());
      if (random() % 2 != 0) continue;
      unchanged_before += op->stats().rows_unchanged;
      op = Open(ttl_us, out);
      ASSERT_EQ(op->stats().state_rows, static_cast<int64_t>(seen.size()));
    }
    EXPECT_EQ(out.rows, expected) << "seed " << seed;
    EXPECT_EQ(out.late_rows, expected_late) << "seed " << seed;
    // Every row is accounted for.
    EXPECT_EQ(unchanged_before + op->stats().rows_unchanged,
              rows_in - static_cast<int64_t>(expected.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Ttl, KeepFirstTest, testing::Values(0, 5'000'000, 20'000'000));

}  // namespace
}  // namespace millrace::stream
