// A condition of a join that fails on a pair: the pair is a dead letter, and its row is not shown
// without partner as well.
#include "stream/join_conditions.h"

#include <gtest/gtest.h>

#include "duck/functions.h"
#include "duck/planner.h"
#include "stream/asker.h"
#include "stream/interval_join.h"
#include "stream/lookup_answer.h"
#include "stream/lookup_join.h"

namespace millrace::stream {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

class Collector : public Operator {
 public:
  Collector() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      std::string text;
      for (duckdb::idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
        text += (c > 0 ? " " : "") + batch.rows->GetValue(c, row).ToString();
      }
      rows.push_back(text);
    }
  }
  OperatorDescription Describe() const override { return {}; }
  std::vector<std::string> rows;
};

struct Letters : public DeadLetterSink {
  void Add(model::DeadLetter letter) override { all.push_back(std::move(letter)); }
  std::vector<model::DeadLetter> all;
};

// Answers every key with 1.
class One : public Asker {
 public:
  Status Ask(uint32_t, const EncodedKeys& requests, std::vector<std::string>& responses) override {
    duckdb::DataChunk row;
    row.Initialize(duckdb::Allocator::DefaultAllocator(), {LogicalType::INTEGER});
    row.SetValue(0, 0, Value::INTEGER(1));
    row.SetCardinality(1);
    RowCodec codec({LogicalType::INTEGER});
    codec.Bind(row, {0});
    responses.assign(requests.size(), LookupAnswer::Nothing());
    for (std::string& response : responses) LookupAnswer::AddRow(response, codec.Encode(0));
    return Status::Ok();
  }
};

class JoinConditionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto planner = duck::Planner::Create();
    ASSERT_TRUE(planner.ok()) << planner.status().ToString();
    planner_ = std::move(*planner);
    store_ = state::StateStore::InMemory();
    context_.client = &planner_->context();
    context_.dead_letters = &letters_;
  }

  // Over columns c0, c1, …
  Expressions Bind(const duckdb::vector<LogicalType>& types, const std::string& text) {
    model::Schema schema;
    for (const LogicalType& type : types) {
      schema.columns.push_back({"c" + std::to_string(schema.size()), type, true});
    }
    auto bound = planner_->BindExpressions(schema, {text});
    EXPECT_TRUE(bound.ok()) << bound.status().ToString();
    Expressions conditions;
    if (bound.ok()) conditions.push_back(std::move((*bound)[0]));
    return conditions;
  }

  void Feed(Operator& op, int port, const duckdb::vector<Value>& values) {
    duckdb::DataChunk chunk;
    duckdb::vector<LogicalType> types;
    for (const Value& value : values) types.push_back(value.type());
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
    for (size_t c = 0; c < values.size(); c++) chunk.SetValue(c, 0, values[c]);
    chunk.SetCardinality(1);
    Batch batch;
    batch.rows = &chunk;
    op.Process(port, batch);
  }

  std::unique_ptr<duck::Planner> planner_;
  std::unique_ptr<state::StateStore> store_;
  Letters letters_;
  OperatorContext context_;
};

TEST_F(JoinConditionsTest, EachPairIsForItself) {
  const Expressions conditions =
      Bind({LogicalType::VARCHAR, LogicalType::INTEGER}, "CAST(c0 AS INTEGER) > c1");
  JoinConditions join(conditions, context_, "join");
  using Outcome = JoinConditions::Outcome;
  for (bool with_fault : {false, true}) {
    duckdb::DataChunk pairs;
    pairs.Initialize(duckdb::Allocator::DefaultAllocator(),
                     {LogicalType::VARCHAR, LogicalType::INTEGER});
    const std::vector<std::pair<Value, Value>> rows = {
        {Value("5"), Value::INTEGER(3)},
        {Value("5"), Value::INTEGER(7)},
        {Value(LogicalType::VARCHAR), Value::INTEGER(7)},
        {Value(with_fault ? "five" : "6"), Value::INTEGER(7)},
        {Value("9"), Value::INTEGER(8)}};
    for (size_t row = 0; row < rows.size(); row++) {
      pairs.SetValue(0, row, rows[row].first);
      pairs.SetValue(1, row, rows[row].second);
    }
    pairs.SetCardinality(rows.size());
    int64_t failed = 0;
    EXPECT_EQ(
        join.Check(pairs, failed),
        (std::vector<Outcome>{Outcome::kTrue, Outcome::kFalse, Outcome::kFalse,
                              with_fault ? Outcome::kFailed : Outcome::kFalse, Outcome::kTrue}));
    EXPECT_EQ(failed, with_fault ? 1 : 0);
    EXPECT_EQ(letters_.all.size(), with_fault ? 1u : 0u);
  }
  duckdb::DataChunk none;
  none.Initialize(duckdb::Allocator::DefaultAllocator(),
                  {LogicalType::VARCHAR, LogicalType::INTEGER});
  int64_t failed = 0;
  EXPECT_TRUE(join.Check(none, failed).empty());
}

TEST_F(JoinConditionsTest, OfAnIntervalJoinThatKeepsItsLeftRows) {
  const duckdb::vector<LogicalType> types = {LogicalType::INTEGER, LogicalType::VARCHAR,
                                             LogicalType::TIMESTAMP};
  IntervalJoinPlan plan;
  for (auto& side : plan.sides) {
    side.types = types;
    side.keys = {0};
    side.time = 2;
    side.frontier.terms.push_back(
        {&side == plan.sides ? 0 : 1, [](model::EventTime t) { return t; }});
  }
  plan.sides[0].keeps_unmatched = true;
  plan.upper_us = 10'000'000;
  duckdb::vector<LogicalType> both = types;
  both.insert(both.end(), types.begin(), types.end());
  plan.residual = Bind(both, "CAST(c1 || c4 AS INTEGER) > 20");
  IntervalJoin join(1, std::move(plan));
  Collector out;
  join.emitter().Add(&out, 0);
  ASSERT_TRUE(join.Open(context_, *store_).ok());
  const Value at = Value::TIMESTAMP(duckdb::timestamp_t(5'000'000));
  for (const char* text : {"1", "2", "x"}) {
    Feed(join, 0, {Value::INTEGER(7), Value(text), at});
  }
  Feed(join, 1, {Value::INTEGER(7), Value("5"), at});
  join.OnEpochEnd();
  join.OnWatermark({model::kTimeMax, model::kTimeMax, 0});
  const std::string time = at.ToString();
  EXPECT_EQ(out.rows, (std::vector<std::string>{"7 2 " + time + " 7 5 " + time,
                                                "7 1 " + time + " NULL NULL NULL"}));
  ASSERT_EQ(letters_.all.size(), 1u);
  EXPECT_EQ(join.stats().rows_failed, 1);
}

TEST_F(JoinConditionsTest, OfALookupJoinThatKeepsItsRows) {
  duck::SetEpochClock(planner_->context(), 1'000'000);
  LookupJoinPlan plan;
  plan.table = "t";
  plan.left = true;
  plan.input_types = {LogicalType::VARCHAR, LogicalType::INTEGER};
  plan.kept = 1;
  plan.keys = {1};
  plan.answer_types = {LogicalType::INTEGER};
  plan.residual = Bind({LogicalType::VARCHAR, LogicalType::INTEGER}, "CAST(c0 AS INTEGER) > c1");
  LookupJoin join(1, std::move(plan));
  Collector out;
  join.emitter().Add(&out, 0);
  One asker;
  context_.asker = &asker;
  ASSERT_TRUE(join.Open(context_, *store_).ok());
  for (const char* text : {"0", "x", "2"}) Feed(join, 0, {Value(text), Value::INTEGER(7)});
  join.OnEpochEnd();
  EXPECT_EQ(out.rows, (std::vector<std::string>{"0 NULL", "2 1"}));
  EXPECT_EQ(letters_.all.size(), 1u);
  EXPECT_EQ(join.stats().rows_failed, 1);
}

}  // namespace
}  // namespace millrace::stream
