// Windows of processing time: they close when the clock passes them, also without input, and those
// that are open when a bounded input ends are dropped, as in Flink.
#include <gtest/gtest.h>

#include <thread>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

std::string Script(const std::string& source_options, const std::string& size) {
  return fmt::format(R"(
CREATE TABLE clicks (id STRING) WITH ('connector' = 'kafka', 'topic' = 'clicks', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset'{});
CREATE VIEW timed AS SELECT *, PROCTIME() AS at FROM clicks;
CREATE TABLE counts (ws TIMESTAMP(3), we TIMESTAMP(3), c BIGINT) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'counts');
INSERT INTO counts SELECT window_start, window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE timed, DESCRIPTOR(at),
  INTERVAL {})) GROUP BY window_start, window_end;
)",
                     source_options, size);
}

void AppendClicks(const std::string& directory) {
  auto runtime = Open(directory, false);
  ASSERT_NE(runtime, nullptr);
  Append(*runtime, "clicks", 0, {R"({"id":"a"})", R"({"id":"b"})", R"({"id":"c"})"});
}

TEST(ProcessingTime, WindowsCloseWithoutInput) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script("", "'1' SECOND"));
  AppendClicks(directory.path());
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  std::vector<std::string> all = {"3|"};
  while (Rows(*runtime, "SELECT sum(c) FROM counts") != all) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM counts WHERE we - ws <> INTERVAL '1' SECOND"),
            std::vector<std::string>{"0|"});
  runtime->Stop();
}

TEST(ProcessingTime, OpenWindowsAreDroppedWhereTheInputEnds) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        Script(", 'scan.bounded.mode' = 'latest-offset'", "'365' DAY"));
  AppendClicks(directory.path());
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT rows_in, rows_out FROM millrace.jobs"),
            std::vector<std::string>{"3|0|"});
}

}  // namespace
}  // namespace millrace::project
