// Which changes of a query keep its state: decided by its structure, and when kept, rightly.
#include "project/change_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;
using Kind = JobChange::Kind;

std::string Script(const std::string& query, const std::string& columns,
                   const std::string& settings = "", const std::string& table = "") {
  const std::string events = R"(
CREATE TABLE events (k STRING, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)";
  const std::string with = R"() WITH ('connector' = 'kafka', 'topic' = 'events',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
)";
  return settings + events + table + with + "CREATE TABLE o (" + columns +
         ") WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'o');\n"
         "INSERT INTO o " +
         query + ";\n";
}

const char* kWindowColumns = "ws TIMESTAMP(3), k STRING, c BIGINT";
const char* kKeyedColumns = "k STRING, c BIGINT, PRIMARY KEY (k) NOT ENFORCED";
std::string Window(const std::string& select, const std::string& size = "10",
                   const std::string& where = "", const std::string& having = "") {
  return "SELECT " + select + " FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(ts), INTERVAL '" + size +
         "' SECOND)) " + where + " GROUP BY window_start, window_end, k " + having;
}

struct Change {
  const char* name;
  std::string before, after;
  Kind kind;
};

std::vector<Change> Changes() {
  const std::string window = Script(Window("window_start, k, COUNT(*)"), kWindowColumns);
  const std::string passing =
      Script("SELECT ts, UPPER(k), CAST(n + 1 AS BIGINT) FROM events WHERE n <> 2", kWindowColumns);
  const std::string keyed =
      Script("SELECT COALESCE(k, '?'), COUNT(*) FROM events GROUP BY k", kKeyedColumns);
  const std::string joined = Script(
      "SELECT a.ts, a.k, CAST(b.n AS BIGINT) FROM events a JOIN events b ON a.k = b.k AND b.ts "
      "BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND",
      kWindowColumns);
  auto windowed = [&](const std::string& select, const std::string& size = "10",
                      const std::string& where = "", const std::string& having = "") {
    return Script(Window(select, size, where, having), kWindowColumns);
  };
  return {
      {"nothing", window, window, Kind::kSame},
      {"a comment", window, "-- why\n" + window, Kind::kSame},
      {"names", window, windowed("window_start AS w, k AS key, COUNT(*) AS many"), Kind::kSame},
      {"a constant behind the state", windowed("window_start, k, COUNT(*) * 2"),
       windowed("window_start, k, COUNT(*) * 3"), Kind::kKeeps},
      {"a projection behind the state", window, windowed("window_start, UPPER(k), COUNT(*)"),
       Kind::kKeeps},
      {"a filter behind the state",
       windowed("window_start, k, COUNT(*)", "10", "", "HAVING COUNT(*) > 1"),
       windowed("window_start, k, COUNT(*)", "10", "", "HAVING COUNT(*) > 2"), Kind::kKeeps},
      {"the window", window, windowed("window_start, k, COUNT(*)", "20"), Kind::kBackfill},
      {"another aggregate", window, windowed("window_start, k, COUNT(n)"), Kind::kBackfill},
      {"DISTINCT", windowed("window_start, k, COUNT(n)"),
       windowed("window_start, k, COUNT(DISTINCT n)"), Kind::kBackfill},
      {"FILTER", windowed("window_start, k, COUNT(*) FILTER (WHERE n > 1)"),
       windowed("window_start, k, COUNT(*) FILTER (WHERE n > 2)"), Kind::kBackfill},
      {"a filter before the state", window,
       windowed("window_start, k, COUNT(*)", "10", "WHERE n > 3"), Kind::kBackfill},
      {"a constant before the state", windowed("window_start, k, COUNT(*)", "10", "WHERE n > 3"),
       windowed("window_start, k, COUNT(*)", "10", "WHERE n > 4"), Kind::kBackfill},
      {"shards", window,
       Script(Window("window_start, k, COUNT(*)"), kWindowColumns,
              "SET 'parallelism.default' = '3';\n"),
       Kind::kBackfill},
      {"shards without state", passing, "SET 'parallelism.default' = '3';\n" + passing,
       Kind::kSame},
      {"a filter of a job without state", passing,
       Script("SELECT ts, k, CAST(n + 1 AS BIGINT) FROM events WHERE n <> 3", kWindowColumns),
       Kind::kKeeps},
      {"more columns read without state", passing,
       Script("SELECT ts, UPPER(k), CAST(1 AS BIGINT) FROM events", kWindowColumns), Kind::kKeeps},
      {"state is new", passing, window, Kind::kBackfill},
      {"an updating result", keyed,
       Script("SELECT COALESCE(k, '!'), COUNT(*) FROM events GROUP BY k", kKeyedColumns),
       Kind::kBackfill},
      {"the columns of the table", window,
       Script(Window("window_start, k, COUNT(*)"), "ws TIMESTAMP(3), k STRING, many BIGINT"),
       Kind::kBackfill},
      {"the watermark", window,
       std::string(window).replace(window.find("INTERVAL '5'"), 12, "INTERVAL '6'"),
       Kind::kBackfill},
      {"a CHECK", window,
       Script(Window("window_start, k, COUNT(*)"), kWindowColumns, "",
              ", CHECK (n < 90) ON VIOLATION DROP"),
       Kind::kBackfill},
      {"the sides of a join", joined,
       Script("SELECT b.ts, a.k, CAST(b.n AS BIGINT) FROM events a JOIN events b ON a.k = b.k AND "
              "b.ts BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND",
              kWindowColumns),
       Kind::kBackfill},
      {"the key of a join", joined,
       Script("SELECT a.ts, a.k, CAST(b.n AS BIGINT) FROM events a JOIN events b ON a.n = b.n AND "
              "b.ts BETWEEN a.ts AND a.ts + INTERVAL '3' SECOND",
              kWindowColumns),
       Kind::kBackfill},
  };
}

// Fills topic `events` with times that rise, and runs what is there to the end of it.
void RunOver(const std::string& directory, int from, int to) {
  auto runtime = Open(directory, true);
  ASSERT_NE(runtime, nullptr);
  std::vector<std::string> values;
  for (int i = from; i < to; i++) {
    values.push_back(fmt::format(R"({{"k":"k{}","n":{},"ts":"2026-03-01 10:{:02}:{:02}"}})", i % 3,
                                 i % 5, i / 60, i % 60));
  }
  Append(*runtime, "events", 0, values);
  runtime->Start();
  while (runtime->JobStatuses()[0].sources.empty() ||
         runtime->JobStatuses()[0].sources[0].splits[0].to < to) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  runtime->Stop();
}

TEST(ChangePlan, DecidesByWhatTheStateIsMadeOf) {
  for (const Change& change : Changes()) {
    SCOPED_TRACE(change.name);
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", change.before);
    RunOver(directory.path(), 0, 20);
    Write(directory.path() + "/sql/a.sql", change.after);
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    auto plan = PlanChanges(*runtime, runtime->project(), "");
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    EXPECT_EQ((*plan)[0].kind, change.kind) << ChangesText(*plan);
    EXPECT_EQ((*plan)[0].reasons.empty(), change.kind == Kind::kSame);
    EXPECT_EQ((*plan)[0].records, 20);
    EXPECT_THAT(ChangesJson(*plan), HasSubstr("\"records\":20"));
  }
}

TEST(ChangePlan, KeptStateGoesOnWithTheNewQuery) {
  TempDirectory directory;
  const std::string path = directory.path() + "/sql/a.sql";
  Write(path, Script(Window("window_start, k, COUNT(*) * 10"), kWindowColumns));
  RunOver(directory.path(), 0, 25);  // the window of 10:00:10 is open, with ten rows
  Write(path, Script(Window("window_start, k, COUNT(*) * 100"), kWindowColumns));
  RunOver(directory.path(), 25, 60);
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  const auto rows = Rows(*runtime, "SELECT ws, sum(c) FROM o GROUP BY ws ORDER BY ws");
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[0], "2026-03-01 10:00:00|100|");
  EXPECT_EQ(rows[1], "2026-03-01 10:00:10|1000|");
  EXPECT_EQ(rows[4], "2026-03-01 10:00:40|1000|");
}

// The old query goes on, and says so; nothing of it is lost.
TEST(ChangePlan, WhatDoesNotFitWaitsForACommand) {
  TempDirectory directory;
  const std::string path = directory.path() + "/sql/a.sql";
  Write(path, Script(Window("window_start, k, COUNT(*)"), kWindowColumns));
  RunOver(directory.path(), 0, 25);
  Write(path, Script(Window("window_start, k, COUNT(*)", "20"), kWindowColumns));
  {
    auto runtime = Open(directory.path(), true);
    ASSERT_NE(runtime, nullptr);
    ASSERT_EQ(runtime->notes().size(), 1u);
    EXPECT_THAT(runtime->notes()[0], HasSubstr("millrace reprocess o"));
  }
  RunOver(directory.path(), 25, 60);
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT DISTINCT ws FROM o").size(), 5u);
  // Back to the old text: it is as if nothing had been.
  Write(path, Script(Window("window_start, k, COUNT(*)"), kWindowColumns));
  runtime.reset();
  runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  EXPECT_TRUE(runtime->notes().empty());
}

}  // namespace
}  // namespace millrace::project
