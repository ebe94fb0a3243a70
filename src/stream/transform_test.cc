// A Transform that puts equal rows together before it unnests them gives every row as often as one
// that does not. Rows, lists and parts of lists repeat; lists hold NULLs beside zeros.
#include "stream/transform.h"

#include <gtest/gtest.h>

#include <duckdb/planner/expression/bound_comparison_expression.hpp>
#include <duckdb/planner/expression/bound_constant_expression.hpp>
#include <duckdb/planner/expression/bound_reference_expression.hpp>
#include <map>
#include <random>

#include "duck/planner.h"

namespace millrace::stream {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

// How often each row came, weights counted.
class Counts : public Operator {
 public:
  Counts() : Operator(99) {}
  void Process(int, const Batch& batch) override {
    for (duckdb::idx_t row = 0; row < batch.size(); row++) {
      std::string text;
      for (duckdb::idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
        text += batch.rows->GetValue(c, row).ToString() + " ";
      }
      rows[text] += batch.weights ? batch.weights[row] : 1;
      came++;
    }
  }
  OperatorDescription Describe() const override { return {}; }
  std::map<std::string, int64_t> rows;
  int64_t came = 0;
};

enum class Shape { kOneList, kTwoAtOnce, kOneAfterTheOther, kProjectionBetween, kFilterBehind };
constexpr Shape kShapes[] = {Shape::kOneList, Shape::kTwoAtOnce, Shape::kOneAfterTheOther,
                             Shape::kProjectionBetween, Shape::kFilterBehind};

// Input: k, list a, list b.
duckdb::vector<LogicalType> InputTypes() {
  return {LogicalType::INTEGER, LogicalType::LIST(LogicalType::INTEGER),
          LogicalType::LIST(LogicalType::INTEGER)};
}

duckdb::unique_ptr<duckdb::Expression> Ref(const LogicalType& type, duckdb::idx_t column) {
  return duckdb::make_uniq<duckdb::BoundReferenceExpression>(type, column);
}

Expressions Columns(const duckdb::vector<LogicalType>& types,
                    const std::vector<duckdb::idx_t>& columns) {
  Expressions references;
  for (duckdb::idx_t c : columns) references.push_back(Ref(types[c], c));
  return references;
}

void AddSteps(Transform& transform, Shape shape) {
  switch (shape) {
    case Shape::kOneList:
    case Shape::kFilterBehind:
      transform.AddUnnest(Columns(transform.output_types(), {1}));
      break;
    case Shape::kTwoAtOnce:
      transform.AddUnnest(Columns(transform.output_types(), {1, 2}));
      break;
    case Shape::kOneAfterTheOther:
      transform.AddUnnest(Columns(transform.output_types(), {1}));
      transform.AddUnnest(Columns(transform.output_types(), {2}));
      break;
    case Shape::kProjectionBetween:
      transform.AddUnnest(Columns(transform.output_types(), {1}));
      transform.AddProjection(Columns(transform.output_types(), {0, 2, 3}));
      transform.AddUnnest(Columns(transform.output_types(), {1}));
      break;
  }
  if (shape == Shape::kFilterBehind) {
    Expressions conditions;
    conditions.push_back(duckdb::make_uniq<duckdb::BoundComparisonExpression>(
        duckdb::ExpressionType::COMPARE_EQUAL, Ref(LogicalType::INTEGER, 3),
        duckdb::make_uniq<duckdb::BoundConstantExpression>(Value::INTEGER(0))));
    transform.AddFilter(std::move(conditions));
  }
  std::vector<duckdb::idx_t> kept = {0};
  for (duckdb::idx_t c = 2; c < transform.output_types().size(); c++) {
    if (transform.output_types()[c].id() == duckdb::LogicalTypeId::INTEGER) kept.push_back(c);
  }
  transform.AddProjection(Columns(transform.output_types(), kept));
}

Value RandomList(std::mt19937& random) {
  if (random() % 6 == 0) return Value(LogicalType::LIST(LogicalType::INTEGER));
  duckdb::vector<Value> values;
  for (auto left = random() % 4; left > 0; left--) {
    const auto value = static_cast<int32_t>(random() % 3);
    values.push_back(value == 2 ? Value(LogicalType::INTEGER) : Value::INTEGER(value));
  }
  return Value::LIST(LogicalType::INTEGER, std::move(values));
}

class MergedTransform : public ::testing::TestWithParam<std::tuple<int, Shape>> {};

TEST_P(MergedTransform, GivesEveryRowAsOften) {
  const auto [seed, shape] = GetParam();
  auto planner = duck::Planner::Create();
  ASSERT_TRUE(planner.ok()) << planner.status().ToString();
  auto store = state::StateStore::InMemory();
  OperatorContext context;
  context.client = &(*planner)->context();
  Transform merging(1, InputTypes());
  Transform plain(2, InputTypes());
  Counts merged;
  Counts expected;
  merging.emitter().Add(&merged, 0);
  plain.emitter().Add(&expected, 0);
  merging.MergeEqualRows();
  for (Transform* transform : {&merging, &plain}) {
    AddSteps(*transform, shape);
    ASSERT_TRUE(transform->Open(context, *store).ok());
  }
  std::mt19937 random(static_cast<unsigned>(seed));
  for (int chunks = 0; chunks < 20; chunks++) {
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(), InputTypes());
    duckdb::idx_t count = 0;
    while (count < 200 && seed > 0) {
      const Value key = random() % 4 == 0 ? Value(LogicalType::INTEGER) : Value::INTEGER(7);
      const Value a = RandomList(random);
      const Value b = RandomList(random);
      do {
        rows.SetValue(0, count, key);
        rows.SetValue(1, count, a);
        rows.SetValue(2, count, b);
        count++;
      } while (count < 200 && random() % 3 != 0);
    }
    rows.SetCardinality(count);
    Batch batch;
    batch.rows = &rows;
    merging.Process(0, batch);
    plain.Process(0, batch);
  }
  EXPECT_EQ(merged.rows, expected.rows);
  EXPECT_EQ(merging.stats().rows_filtered, plain.stats().rows_filtered);
  EXPECT_EQ(merged.came<expected.came, seed> 0) << "whether any were merged";
}

INSTANTIATE_TEST_SUITE_P(Shapes, MergedTransform,
                         ::testing::Combine(::testing::Range(0, 4), ::testing::ValuesIn(kShapes)));

}  // namespace
}  // namespace millrace::stream
