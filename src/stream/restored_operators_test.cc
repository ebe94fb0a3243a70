// An operator that comes from a checkpoint emits what the one that went on emits, in the same
// order: sinks that number their rows (topics) finish an epoch after a crash by writing it again.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <duckdb/function/aggregate/distributive_functions.hpp>

#include "duck/planner.h"
#include "stream/updating_over.h"
#include "stream/updating_window_aggregate.h"

namespace millrace::stream {
namespace {

using duckdb::LogicalType;

constexpr int64_t kSecond = 1'000'000;

// What an operator emits, as "weight: column column".
class Collector : public Operator {
 public:
  Collector() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      std::string text = fmt::format("{}:", batch.weights ? batch.weights[row] : 1);
      for (duckdb::idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
        text += " " + batch.rows->GetValue(c, row).ToString();
      }
      rows.push_back(text);
    }
  }
  OperatorDescription Describe() const override { return {}; }
  std::vector<std::string> rows;
};

struct Row {
  std::vector<duckdb::Value> values;
  int32_t weight = 1;
};

class RestoredOperators : public ::testing::Test {
 protected:
  void SetUp() override {
    auto planner = duck::Planner::Create();
    ASSERT_TRUE(planner.ok()) << planner.status().ToString();
    planner_ = std::move(*planner);
    store_ = state::StateStore::InMemory();
  }

  void Open(Operator& op, Collector& out) {
    op.emitter().Add(&out, 0);
    OperatorContext context;
    context.client = &planner_->context();
    ASSERT_TRUE(op.Open(context, *store_).ok());
  }

  void Epoch(Operator& op, const duckdb::vector<LogicalType>& types, const std::vector<Row>& rows,
             const Frontiers& frontiers) {
    duckdb::DataChunk chunk;
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    std::vector<int32_t> weights;
    for (const Row& row : rows) {
      for (size_t c = 0; c < types.size(); c++) chunk.SetValue(c, weights.size(), row.values[c]);
      weights.push_back(row.weight);
    }
    chunk.SetCardinality(weights.size());
    Batch batch;
    batch.rows = &chunk;
    batch.weights = weights.data();
    op.Process(0, batch);
    op.OnWatermark(frontiers);
    op.OnEpochEnd();
  }

  void Checkpoint(Operator& op) {
    ASSERT_TRUE(
        store_->Checkpoint(++epoch_, [&](state::StateWriter& writer) { op.Snapshot(writer); })
            .ok());
  }

  std::unique_ptr<duck::Planner> planner_;
  std::unique_ptr<state::StateStore> store_;
  model::Epoch epoch_ = 0;
};

TEST_F(RestoredOperators, WindowsShowTheirChangesInTheSameOrder) {
  const duckdb::vector<LogicalType> types = {LogicalType::TIMESTAMP, LogicalType::INTEGER};
  auto make = [&] {
    AggregatePlan plan;
    plan.group_types = types;
    plan.group_names = {"window_start", "k"};
    plan.calls.push_back({duckdb::make_uniq<duckdb::BoundAggregateExpression>(
                              duckdb::CountStarFun::GetFunction(),
                              duckdb::vector<duckdb::unique_ptr<duckdb::Expression>>(), nullptr,
                              nullptr, duckdb::AggregateType::NON_DISTINCT),
                          {}});
    ColumnFrontier frontier;
    frontier.terms.push_back({0, [](model::EventTime t) { return t; }});
    return std::make_unique<UpdatingWindowAggregate>(1, std::move(plan), 0, std::move(frontier),
                                                     WindowEmit{true, 10 * kSecond, 10 * kSecond});
  };
  auto row = [](int key) {
    return Row{
        {duckdb::Value::TIMESTAMP(duckdb::timestamp_t(5 * kSecond)), duckdb::Value::INTEGER(key)}};
  };
  Collector went_on;
  auto op = make();
  Open(*op, went_on);
  Epoch(*op, types, {row(1), row(2), row(3)}, {0, 1 * kSecond});
  Epoch(*op, types, {}, {0, 20 * kSecond});
  ASSERT_EQ(went_on.rows.size(), 3);
  Epoch(*op, types, {row(3), row(2), row(4), row(1)}, {0, 21 * kSecond});
  Checkpoint(*op);
  Collector restored;
  auto again = make();
  Open(*again, restored);
  went_on.rows.clear();
  for (auto* one : {op.get(), again.get()}) Epoch(*one, types, {row(2)}, {0, 40 * kSecond});
  EXPECT_EQ(went_on.rows.size(), 7);
  EXPECT_EQ(went_on.rows, restored.rows);
}

TEST_F(RestoredOperators, EqualRowsKeepTheirPlacesInOver) {
  const duckdb::vector<LogicalType> types = {LogicalType::INTEGER, LogicalType::INTEGER};
  auto make = [&] {
    UpdatingOverPlan plan;
    plan.types = types;
    plan.names = {"k", "v"};
    plan.keys = {0};
    plan.order_columns = {1};
    plan.order.emplace_back(duckdb::OrderType::ASCENDING, duckdb::OrderByNullType::NULLS_LAST);
    plan.input_retracts = true;
    UpdatingOverPlan::Call call;
    call.kind = UpdatingOverPlan::Kind::kRowNumber;
    call.type = LogicalType::BIGINT;
    plan.calls.push_back(call);
    return std::make_unique<UpdatingOver>(1, std::move(plan));
  };
  auto row = [](int32_t weight) {
    return Row{{duckdb::Value::INTEGER(1), duckdb::Value::INTEGER(5)}, weight};
  };
  Collector went_on;
  auto op = make();
  Open(*op, went_on);
  Epoch(*op, types, {row(1), row(1)}, {0, 0});
  Epoch(*op, types, {row(1)}, {0, 0});
  Epoch(*op, types, {row(-1)}, {0, 0});
  Epoch(*op, types, {row(2)}, {0, 0});
  Checkpoint(*op);
  Collector restored;
  auto again = make();
  Open(*again, restored);
  went_on.rows.clear();
  for (auto* one : {op.get(), again.get()}) {
    Epoch(*one, types, {row(-1)}, {0, 0});
    Epoch(*one, types, {row(1)}, {0, 0});
  }
  EXPECT_FALSE(went_on.rows.empty());
  EXPECT_EQ(went_on.rows, restored.rows);
}

}  // namespace
}  // namespace millrace::stream
