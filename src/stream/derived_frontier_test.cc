// How frontiers of points in time become frontiers of local times, where the clocks change: never
// above a value that may still come, and no more than it must be below.
#include "stream/derived_frontier.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <duckdb/execution/expression_executor.hpp>

#include "sql/functions.h"

namespace millrace::stream {
namespace {

constexpr int64_t kMinute = 60'000'000;

class DerivedFrontier : public testing::Test {
 protected:
  // The expression over columns p (a point in time) and ts (a TIMESTAMP), in this time zone.
  void Bind(const std::string& zone, const std::string& text) {
    auto planner = sql::NewFlinkPlanner();
    ASSERT_TRUE(planner.ok()) << planner.status().ToString();
    planner_ = std::move(*planner);
    Status used = sql::UseTimeZone(planner_->connection(), zone);
    ASSERT_TRUE(used.ok()) << used.ToString();
    model::Schema schema;
    schema.columns = {{"p", duckdb::LogicalType::TIMESTAMP_TZ, true},
                      {"ts", duckdb::LogicalType::TIMESTAMP, true}};
    auto bound = planner_->BindExpressions(schema, {text});
    ASSERT_TRUE(bound.ok()) << bound.status().ToString();
    expression_ = std::move((*bound)[0]);
    columns_.clear();
    for (const model::Column& column : schema.columns) {
      StreamColumn made;
      made.type = column.type;
      made.name = column.name;
      made.frontier.terms.push_back({0, [](model::EventTime t) { return t; }});
      columns_.push_back(made);
    }
  }

  int64_t Value(int64_t time) {
    duckdb::DataChunk row;
    row.Initialize(duckdb::Allocator::DefaultAllocator(),
                   {duckdb::LogicalType::TIMESTAMP_TZ, duckdb::LogicalType::TIMESTAMP});
    const duckdb::timestamp_t ts(time);
    row.SetValue(0, 0, duckdb::Value::TIMESTAMPTZ(duckdb::timestamp_tz_t(ts)));
    row.SetValue(1, 0, duckdb::Value::TIMESTAMP(ts));
    row.SetCardinality(1);
    duckdb::ExpressionExecutor executor(planner_->context(), *expression_);
    duckdb::Vector result(expression_->return_type);
    executor.ExecuteExpression(row, result);
    return result.GetValue(0).GetValueUnsafe<int64_t>();
  }

  // Around a change of the clocks: the frontier is the lowest value still to come, to the minute.
  void ExpectTight(const std::string& zone, const std::string& text, int64_t change_s) {
    SCOPED_TRACE(zone + " " + text);
    ASSERT_NO_FATAL_FAILURE(Bind(zone, text));
    StreamColumn derived = Derive(*expression_, columns_, planner_->context());
    ASSERT_TRUE(derived.frontier.known());
    const int64_t begin = change_s * 1'000'000 - 5 * 60 * kMinute;
    std::vector<int64_t> values;
    for (int64_t i = 0; i < 10 * 60; i++) values.push_back(Value(begin + i * kMinute));
    int64_t lowest = values.back();
    for (size_t i = values.size(); i-- > 0;) {
      lowest = std::min(lowest, values[i]);
      const int64_t frontier = derived.frontier.At({begin + static_cast<int64_t>(i) * kMinute, 0});
      ASSERT_LE(frontier, lowest) << i;
      ASSERT_GT(frontier, lowest - kMinute) << i;
    }
  }

  std::unique_ptr<duck::Planner> planner_;
  duckdb::unique_ptr<duckdb::Expression> expression_;
  std::vector<StreamColumn> columns_;
};

constexpr int64_t kSpring = 1'711'846'800;        // 2024-03-31 01:00 UTC
constexpr int64_t kAutumn = 1'729'990'800;        // 2024-10-27 01:00 UTC
constexpr int64_t kSpringLocal = kSpring + 3600;  // as a TIMESTAMP

TEST_F(DerivedFrontier, OfLocalTimesIsTheLowestStillToCome) {
  for (const char* text : {"CAST(p AS TIMESTAMP)", "mr_window_start(p, 60000000, 0)",
                           "CAST(p AS TIMESTAMP) + INTERVAL '1' HOUR", "p + INTERVAL '1' DAY"}) {
    for (int64_t change : {kSpring, kAutumn}) ExpectTight("Europe/Berlin", text, change);
    ExpectTight("UTC", text, kAutumn);
  }
}

TEST_F(DerivedFrontier, OfLocalTimesAsPointsInTimeToo) {
  for (int64_t change : {kSpringLocal, kAutumn + 7200, kAutumn + 3600}) {
    ExpectTight("Europe/Berlin", "CAST(mr_instant(ts) AS TIMESTAMPTZ)", change);
    ExpectTight("UTC", "CAST(mr_instant(ts) AS TIMESTAMPTZ)", change);
  }
}

TEST_F(DerivedFrontier, WindowsAreThoseOfTheLocalTime) {
  ASSERT_NO_FATAL_FAILURE(Bind("Europe/Berlin", "mr_window_start(p, 86400000000, 0)"));
  // 2024-07-01 22:30 UTC is 2 July there; the window begins at its midnight, a TIMESTAMP.
  EXPECT_EQ(Value(1'719'873'000'000'000), 1'719'878'400'000'000);
  ASSERT_NO_FATAL_FAILURE(Bind("UTC", "mr_window_start(p, 86400000000, 0)"));
  EXPECT_EQ(Value(1'719'873'000'000'000), 1'719'792'000'000'000);
}

TEST_F(DerivedFrontier, RoundingOfPointsInTimeHasNoneWhereClocksGoBack) {
  ASSERT_NO_FATAL_FAILURE(Bind("Europe/Berlin", "date_trunc('day', p)"));
  EXPECT_FALSE(Derive(*expression_, columns_, planner_->context()).frontier.known());
  ASSERT_NO_FATAL_FAILURE(Bind("UTC", "date_trunc('day', p)"));
  EXPECT_TRUE(Derive(*expression_, columns_, planner_->context()).frontier.known());
}

TEST_F(DerivedFrontier, ALocalTimeIsNoConstantDistanceFromAPointInTime) {
  ASSERT_NO_FATAL_FAILURE(Bind("Europe/Berlin", "CAST(p AS TIMESTAMP) + INTERVAL '1' HOUR"));
  EXPECT_FALSE(AsShiftedColumn(*expression_, planner_->context()));
  ASSERT_NO_FATAL_FAILURE(Bind("UTC", "CAST(p AS TIMESTAMP) + INTERVAL '1' HOUR"));
  auto shifted = AsShiftedColumn(*expression_, planner_->context());
  ASSERT_TRUE(shifted);
  EXPECT_EQ(shifted->shift_us, 60 * kMinute);
}

}  // namespace
}  // namespace millrace::stream
