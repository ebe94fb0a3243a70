// What the oracle over whole queries (project/lookup_join_test.cc) cannot see of a LookupJoin: how
// often it asks.
#include "stream/lookup_join.h"

#include <gtest/gtest.h>

#include "duck/functions.h"
#include "duck/planner.h"
#include "stream/asker.h"
#include "stream/lookup_answer.h"

namespace millrace::stream {
namespace {

using duckdb::LogicalType;

// Answers the n-th question of its life with n.
class Counter : public Asker {
 public:
  Status Ask(uint32_t, const EncodedKeys& requests, std::vector<std::string>& responses) override {
    responses.clear();
    for (size_t i = 0; i < requests.size(); i++) {
      duckdb::DataChunk row;
      row.Initialize(duckdb::Allocator::DefaultAllocator(), {LogicalType::INTEGER});
      row.SetValue(0, 0, duckdb::Value::INTEGER(++asked));
      row.SetCardinality(1);
      RowCodec codec({LogicalType::INTEGER});
      codec.Bind(row, {0});
      responses.push_back(LookupAnswer::Nothing());
      LookupAnswer::AddRow(responses.back(), codec.Encode(0));
    }
    return Status::Ok();
  }
  int asked = 0;
};

class Collector : public Operator {
 public:
  Collector() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      rows.push_back(batch.rows->GetValue(0, row).ToString() + " " +
                     batch.rows->GetValue(1, row).ToString());
    }
  }
  OperatorDescription Describe() const override { return {}; }
  std::vector<std::string> rows;
};

// Rows reach it with the input, and once more when operators above end their epoch. The journal
// holds one answer to a key and an epoch, so a second one would be lost in a replay.
TEST(LookupJoin, AsksForAKeyOnceAnEpoch) {
  auto planner = duck::Planner::Create();
  ASSERT_TRUE(planner.ok()) << planner.status().ToString();
  duck::SetEpochClock((*planner)->context(), 1'000'000);
  LookupJoinPlan plan;
  plan.table = "t";
  plan.input_types = {LogicalType::INTEGER, LogicalType::INTEGER};
  plan.kept = 1;
  plan.keys = {1};
  plan.answer_types = {LogicalType::INTEGER};
  LookupJoin join(1, std::move(plan));
  Collector out;
  join.emitter().Add(&out, 0);
  Counter asker;
  OperatorContext context;
  context.client = &(*planner)->context();
  context.asker = &asker;
  auto store = state::StateStore::InMemory();
  ASSERT_TRUE(join.Open(context, *store).ok());

  auto row = [&](int value, int key) {
    duckdb::DataChunk chunk;
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(),
                     {LogicalType::INTEGER, LogicalType::INTEGER});
    chunk.SetValue(0, 0, duckdb::Value::INTEGER(value));
    chunk.SetValue(1, 0, duckdb::Value::INTEGER(key));
    chunk.SetCardinality(1);
    Batch batch;
    batch.rows = &chunk;
    join.Process(0, batch);
  };
  row(10, 7);
  join.OnWatermark({0});
  row(11, 7);
  row(12, 8);
  join.OnEpochEnd();
  EXPECT_EQ(out.rows, (std::vector<std::string>{"10 1", "11 1", "12 2"}));
  row(13, 7);  // the next epoch: without a cache it is asked for again
  join.OnEpochEnd();
  EXPECT_EQ(out.rows.back(), "13 3");
}

}  // namespace
}  // namespace millrace::stream
