// Against DuckDB's date_trunc, over times of any sign.
#include "dbt/batches.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "duck/warehouse.h"

namespace millrace::dbt {
namespace {

TEST(Batches, StartWhereDuckDbTruncates) {
  auto opened = duck::Warehouse::Open(":memory:");
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  duck::Warehouse& database = **opened;
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int64_t> times(-4'000'000'000'000'000, 4'000'000'000'000'000);
  for (int i = 0; i < 200; i++) {
    const int64_t time_us = times(random);
    for (BatchSize size :
         {BatchSize::kHour, BatchSize::kDay, BatchSize::kMonth, BatchSize::kYear}) {
      const int64_t steps = i % 27 - 13;
      auto expected = database.Query(
          fmt::format("SELECT epoch_us(date_trunc('{0}', make_timestamp({1})) + {2} * interval 1 "
                      "{0}), strftime(make_timestamp({1}), '%Y-%m-%d %H:%M:%S')",
                      BatchSizeName(size), time_us, steps));
      ASSERT_TRUE(expected.ok()) << expected.status().ToString();
      EXPECT_EQ(StartOfBatch(time_us, size, steps), expected->Get(0, 0).GetValue<int64_t>())
          << BatchSizeName(size) << " of " << time_us;
      EXPECT_EQ(TimeText(time_us), expected->Get(0, 1).ToString());
    }
  }
}

TEST(Batches, CoverTheTimeWithoutGaps) {
  EXPECT_TRUE(BatchesBetween(5, 5, BatchSize::kDay).size() == 1);  // the piece that 5 lies in
  EXPECT_TRUE(BatchesBetween(0, 0, BatchSize::kDay).empty());
  auto from = ParseTime("2023-12-31 23:30:00", "from");
  auto to = ParseTime("2024-03-01", "to");
  ASSERT_TRUE(from.ok() && to.ok());
  const std::vector<Batch> months = BatchesBetween(*from, *to, BatchSize::kMonth);
  ASSERT_EQ(months.size(), 3u);
  EXPECT_EQ(TimeText(months[0].from_us), "2023-12-01 00:00:00");
  for (size_t i = 1; i < months.size(); i++) EXPECT_EQ(months[i].from_us, months[i - 1].to_us);
  EXPECT_EQ(months.back().to_us, *to);
}

TEST(Batches, TimesAreReadAsTheyAreWritten) {
  for (const char* text : {"2024-01-31 10:20:30", "2024-01-31T10:20:30Z"}) {
    auto time = ParseTime(text, "time");
    ASSERT_TRUE(time.ok()) << time.status().ToString();
    EXPECT_EQ(TimeText(*time), "2024-01-31 10:20:30");
  }
  for (const char* text : {"", "today", "2024-02-30", "2024-01-31 10", "2024-01-31 10:20:30 PST"}) {
    EXPECT_FALSE(ParseTime(text, "time").ok()) << text;
  }
}

}  // namespace
}  // namespace millrace::dbt
