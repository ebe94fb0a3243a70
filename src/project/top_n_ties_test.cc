// Ties: Top-N gives the better rank to the row that came first; deduplication that keeps the last
// row by event time keeps the one that came last.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kScript = R"(
CREATE TABLE bids (id STRING, k STRING, price INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'bids', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
        'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE best (k STRING, id STRING, rn BIGINT, PRIMARY KEY (k, rn) NOT ENFORCED) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'best');
CREATE TABLE newest (k STRING, id STRING, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'newest');
CREATE TABLE oldest (k STRING, id STRING, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'oldest');
INSERT INTO best SELECT k, id, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY price DESC) AS rn FROM bids)
  WHERE rn <= 2;
INSERT INTO newest SELECT k, id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS rn FROM bids)
  WHERE rn = 1;
INSERT INTO oldest SELECT k, id FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts) AS rn FROM bids)
  WHERE rn = 1;
)";

TEST(TopNTies, AreBrokenByArrival) {
  for (const char* epochs :
       {"", "SET 'millrace.epoch.bytes' = '1'; SET 'millrace.epoch.interval' = '0 ms';\n"}) {
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", std::string(epochs) + kScript);
    {
      auto runtime = Open(directory.path(), false);
      ASSERT_NE(runtime, nullptr);
      auto bid = [](const char* id, int price, const char* second) {
        return fmt::format(R"({{"id":"{}","k":"a","price":{},"ts":"2026-03-01 10:00:{}"}})", id,
                           price, second);
      };
      for (const std::string& value : {bid("one", 5, "01"), bid("two", 7, "01"),
                                       bid("three", 7, "03"), bid("four", 7, "03")}) {
        Append(*runtime, "bids", 0, {value});
      }
    }
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    EXPECT_EQ(Rows(*runtime, "SELECT * FROM best"),
              (std::vector<std::string>{"a|three|2|", "a|two|1|"}));
    EXPECT_EQ(Rows(*runtime, "SELECT * FROM newest"), std::vector<std::string>{"a|four|"});
    EXPECT_EQ(Rows(*runtime, "SELECT * FROM oldest"), std::vector<std::string>{"a|one|"});
  }
}

}  // namespace
}  // namespace millrace::project
