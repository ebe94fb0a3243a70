// Sessions and late rows: what a row joins depends on what its own split had closed when it came,
// never on where the epochs are cut.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kScript = R"(
CREATE TABLE clicks (id STRING, k STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
        'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE sessions (k STRING, s TIMESTAMP(3), e TIMESTAMP(3), c BIGINT) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'sessions');
INSERT INTO sessions SELECT k, window_start, window_end, COUNT(*) FROM TABLE(SESSION(TABLE clicks PARTITION BY k,
  DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY k, window_start, window_end;
)";

std::string Click(const std::string& id, const std::string& time, const std::string& k = "a") {
  return fmt::format(R"({{"id":"{}","k":"{}","ts":"2026-03-01 {}"}})", id, k, time);
}

TEST(SessionWindows, MergeAndJudgeLateRowsByTheirOwnSplit) {
  for (const char* epochs :
       {"", "SET 'millrace.epoch.bytes' = '1'; SET 'millrace.epoch.interval' = '0 ms';\n"}) {
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", std::string(epochs) + kScript);
    {
      auto runtime = Open(directory.path(), false);
      ASSERT_NE(runtime, nullptr);
      for (const std::string& click :
           {Click("first", "10:00:00"), Click("gap of exactly 10 s", "10:00:10"),
            // Moves the frontier to :26.001: the session of :00 to :20 is closed for what follows.
            Click("second", "10:00:31"),
            // Reaches the second session only: the first is closed.
            Click("joins the open one", "10:00:21"),
            // Its own window ended at :25, but the open session reaches back to it by now.
            Click("late by itself, joins", "10:00:15"), Click("late", "10:00:04.999"),
            Click("other key", "10:00:31", "b"),
            // Connects nothing: more than 10 s behind.
            Click("third", "10:00:41.001"),
            // Merges the second session and the third.
            Click("between", "10:00:36")}) {
        Append(*runtime, "clicks", 0, {click});
      }
    }
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    EXPECT_EQ(Rows(*runtime, "SELECT k, s::VARCHAR, e::VARCHAR, c FROM sessions"),
              (std::vector<std::string>{"a|2026-03-01 10:00:00|2026-03-01 10:00:20|2|",
                                        "a|2026-03-01 10:00:15|2026-03-01 10:00:51.001|5|",
                                        "b|2026-03-01 10:00:31|2026-03-01 10:00:41|1|"}))
        << epochs;
    EXPECT_EQ(Rows(*runtime,
                   "SELECT kind, json_extract_string(value, '$.id') FROM millrace.dead_letters"),
              std::vector<std::string>{"late|late|"})
        << epochs;
  }
}

}  // namespace
}  // namespace millrace::project
