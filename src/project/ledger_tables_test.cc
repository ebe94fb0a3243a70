// The ledger in SQL: entries by stage, which epoch read an offset, gaps.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

TEST(LedgerTables, TellOfStagesAndOffsets) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "name: shop\ntopics:\n  orders: {partitions: 2}\n");
  Write(
      directory.path() + "/sql/a.sql",
      R"(CREATE TABLE orders (id STRING, quantity INT) WITH ('connector' = 'kafka', 'topic' = 'orders',
  'properties.bootstrap.servers' = 'x', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE plain (id STRING) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y',
  'table-name' = 'plain');
INSERT INTO plain SELECT id FROM orders WHERE quantity > 1;
)");
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    EXPECT_TRUE(Rows(*runtime, "FROM millrace.ledger").empty());
    Append(*runtime, "orders", 0, {R"({"id":"a","quantity":1})", "{broken", R"({"id":"b"})"});
    Append(*runtime, "orders", 1, {R"({"id":"c","quantity":3})", R"({"id":"c","quantity":3})"});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime,
                 "SELECT job, stage, sum(rows_in), sum(rows_failed), sum(rows_taken), "
                 "sum(abs(rows_missing)) FROM millrace.ledger WHERE name IN ('source', 'sink') "
                 "GROUP BY ALL"),
            (std::vector<std::string>{"plain|orders|5|1|4|0|", "plain|sink|2|0|2|0|"}));
  // Each offset was read in one epoch, which was committed.
  EXPECT_EQ(Rows(*runtime,
                 "SELECT split, min(from_offset), max(to_offset), sum(to_offset - from_offset), "
                 "bool_and(committed_at IS NOT NULL) FROM millrace.ledger_offsets WHERE topic = "
                 "'orders' GROUP BY ALL"),
            (std::vector<std::string>{"0|0|3|3|true|", "1|0|2|2|true|"}));
  EXPECT_TRUE(Rows(*runtime, "FROM millrace.ledger_gaps").empty());
  EXPECT_EQ(Rows(*runtime, "SELECT rows_in, rows_out FROM millrace.stages WHERE stage = 'sink'"),
            std::vector<std::string>{"2|2|"});
}

}  // namespace
}  // namespace millrace::project
