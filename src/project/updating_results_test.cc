// Results that are shown before they are final, and corrected: after each epoch they equal the
// batch over what was read so far (DESIGN: rule 3), whatever came late, early or before a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/project_fixture.h"
#include "project/sql_test.h"
#include "project/verify.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;

constexpr const char* kTables = R"(
CREATE TABLE events (k STRING, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
)";

std::string Sink(const std::string& name, const std::string& columns,
                 const std::string& options = "") {
  return fmt::format(
      "CREATE TABLE {0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
      "'table-name' = '{0}'{2});\n",
      name, columns, options);
}

constexpr const char* kPerWindow =
    "INSERT INTO w SELECT window_start, COALESCE(k, '?'), COUNT(*), SUM(n) FROM TABLE(TUMBLE(TABLE "
    "events, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, "
    "COALESCE(k, '?');\n";
constexpr const char* kWindowColumns =
    "ws TIMESTAMP(3), k STRING, c BIGINT, s BIGINT, PRIMARY KEY (ws, k) NOT ENFORCED";
constexpr const char* kBatch =
    "SELECT mr_window_start(ts, 10000000, 0), COALESCE(k, '?'), count(*), sum(n) FROM events "
    "GROUP BY ALL";

int64_t RowsIn(Runtime& runtime) {
  int64_t rows = 0;
  for (const auto& job : runtime.JobStatuses()) rows = job.rows_in;
  return rows;
}

class EarlyResults : public ::testing::TestWithParam<Way> {};

// Rounds of rows, many of them late; after each the job is stopped and its table compared.
TEST_P(EarlyResults, EqualTheBatchAfterEveryRound) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        kTables + SettingsOf(GetParam()) +
            "SET 'millrace.late-rows' = 'update'; SET 'millrace.allowed-lateness' = '1 h';\n" +
            Sink("w", kWindowColumns, ", 'emit' = 'update'") + kPerWindow);
  Write(directory.path() + "/millrace.yml", "topics:\n  events: {partitions: 3}\n");
  std::mt19937 random(5);
  int64_t appended = 0;
  int64_t now_ms = 0;
  for (int round = 0; round < 5; round++) {
    auto runtime = Open(directory.path(), true);
    ASSERT_NE(runtime, nullptr);
    for (int p = 0; p < 3 && round > 0; p++) {
      std::vector<std::string> values;
      for (int i = 0; i < 40; i++) {
        now_ms += static_cast<int64_t>(random() % 500);
        const auto late = static_cast<int64_t>(random() % (random() % 5 == 0 ? 60'000 : 4'000));
        const int64_t at = std::max<int64_t>(0, now_ms - late);
        values.push_back(
            fmt::format(R"({{"k":{},"n":{},"ts":"2026-03-01 10:{:02}:{:02}.{:03}"}})",
                        random() % 5 == 0 ? "null" : fmt::format("\"k{}\"", random() % 3),
                        random() % 5 == 0 ? "null" : std::to_string(random() % 9), at / 60'000,
                        at / 1000 % 60, at % 1000));
        if (i % 9 == 0) values.push_back(values.back());
      }
      appended += static_cast<int64_t>(values.size());
      Append(*runtime, "events", p, values);
    }
    runtime->Start();
    while (RowsIn(*runtime) < appended) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    runtime->Stop();
    const auto shown = Rows(*runtime, "SELECT * FROM w");
    EXPECT_EQ(shown, Rows(*runtime, kBatch)) << "round " << round;
    EXPECT_EQ(shown.empty(), round == 0);
  }
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto report = VerifyJob(*runtime, "w", 20);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->equal()) << report->ToText();
}

INSTANTIATE_TEST_SUITE_P(Ways, EarlyResults,
                         ::testing::Values(Way::kStraight, Way::kTinyEpochs, Way::kShards));

// What each step shows, as a user's test writes it.
void RunSteps(const std::string& script, const std::string& yaml) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", script);
  Write(directory.path() + "/t.yml", yaml);
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "dev", faults);
  auto tests = LoadSqlTests(directory.path() + "/t.yml", *project, faults);
  for (const Status& fault : faults) ADD_FAILURE() << fault.ToString();
  ASSERT_FALSE(tests.empty());
  for (SqlTestWay way :
       {SqlTestWay::kAsWritten, SqlTestWay::kTinyEpochs, SqlTestWay::kCrashEveryStep}) {
    for (const SqlTest& test : tests) {
      TempDirectory scratch;
      auto outcome = RunSqlTest(test, *project, scratch.path(), way);
      ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
      EXPECT_TRUE(outcome->passed) << test.name << "\n" << outcome->report;
    }
  }
}

TEST(LateRowsThatUpdate, CorrectTheWindowWithARetraction) {
  RunSteps(kTables + std::string("SET 'millrace.allowed-lateness' = '30 s';\n") +
               Sink("w", kWindowColumns) + kPerWindow,
           R"(
tests:
  - name: a closed window is corrected, until it is too late
    steps:
      - rows: {events: [{k: a, n: 1, ts: "2026-03-01 10:00:01"}]}
      - expect: {tables: {w: []}}
      - rows: {events: [{k: b, n: 2, ts: "2026-03-01 10:00:16"}]}
      - expect: {tables: {w: [{ws: "2026-03-01 10:00:00", k: a, c: 1, s: 1}]}}
      - rows: {events: [{k: a, n: 5, ts: "2026-03-01 10:00:03"}, {k: c, n: 7, ts: "2026-03-01 10:00:04"}]}
      - expect:
          tables:
            w:
              - {ws: "2026-03-01 10:00:00", k: a, c: 2, s: 6}
              - {ws: "2026-03-01 10:00:00", k: c, c: 1, s: 7}
          changelog:
            w:
              - {op: "+", ws: "2026-03-01 10:00:00", k: a, c: 1, s: 1}
              - {op: "-", ws: "2026-03-01 10:00:00", k: a, c: 1, s: 1}
              - {op: "+", ws: "2026-03-01 10:00:00", k: a, c: 2, s: 6}
              - {op: "+", ws: "2026-03-01 10:00:00", k: c, c: 1, s: 7}
      - rows: {events: [{k: b, n: 2, ts: "2026-03-01 10:00:46"}]}
      - rows: {events: [{k: a, n: 9, ts: "2026-03-01 10:00:05"}]}
      - end
    expect:
      tables:
        w:
          - {ws: "2026-03-01 10:00:00", k: a, c: 2, s: 6}
          - {ws: "2026-03-01 10:00:00", k: c, c: 1, s: 7}
          - {ws: "2026-03-01 10:00:10", k: b, c: 1, s: 2}
          - {ws: "2026-03-01 10:00:40", k: b, c: 1, s: 2}
      dead-letters: [{table: events, kind: late}]
)");
}

TEST(EarlyResultsWithADelay, AreShownWhenItHasPassed) {
  RunSteps(kTables +
               std::string("SET 'table.exec.emit.early-fire.enabled' = 'true';\n"
                           "SET 'table.exec.emit.early-fire.delay' = '10 s';\n") +
               Sink("w", kWindowColumns) + kPerWindow,
           R"(
tests:
  - name: every ten seconds, and when the window is closed
    steps:
      - rows: {events: [{k: a, n: 1, ts: "2026-03-01 10:00:01"}]}
      - expect: {tables: {w: []}}
      - wait: 11 s
      - expect: {tables: {w: [{ws: "2026-03-01 10:00:00", k: a, c: 1, s: 1}]}}
      - rows: {events: [{k: a, n: 2, ts: "2026-03-01 10:00:02"}]}
      - expect: {tables: {w: [{ws: "2026-03-01 10:00:00", k: a, c: 1, s: 1}]}}
      - rows: {events: [{k: b, n: 4, ts: "2026-03-01 10:00:16"}]}
      - expect: {tables: {w: [{ws: "2026-03-01 10:00:00", k: a, c: 2, s: 3}]}}
)");
}

Status CompileOf(const std::string& script, std::string* explain = nullptr) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", kTables + script);
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  if (!faults.empty()) return faults[0];
  auto compiled = project->Compile(project->jobs()[0]);
  if (compiled.ok() && explain) *explain = (*compiled)->Explain();
  return compiled.status();
}

TEST(UpdatingResults, AreExplainedOrRefused) {
  const std::string update = "SET 'millrace.late-rows' = 'update';\n";
  std::string explain;
  EXPECT_TRUE(CompileOf(update + "SET 'millrace.allowed-lateness' = '1 h';\n" +
                            Sink("w", kWindowColumns) + kPerWindow,
                        &explain)
                  .ok());
  EXPECT_THAT(explain, HasSubstr("windows closed for less than 1 h 0 min"));
  EXPECT_THAT(explain, HasSubstr("rows late by more than 1 h 0 min: dead letters"));
  EXPECT_THAT(CompileOf(update + Sink("w", kWindowColumns) + kPerWindow).ToString(),
              HasSubstr("nothing says how long"));
  EXPECT_THAT(CompileOf(update + "SET 'millrace.allowed-lateness' = '1 h';\n" +
                        Sink("w", "ws TIMESTAMP(3), k STRING, c BIGINT, s BIGINT") + kPerWindow)
                  .ToString(),
              HasSubstr("needs a key"));
  EXPECT_THAT(
      CompileOf("SET 'millrace.emit' = 'sometimes';\n" + Sink("w", kWindowColumns) + kPerWindow)
          .ToString(),
      HasSubstr("\"final\""));
  EXPECT_THAT(
      CompileOf(Sink("o", "n INT") + "INSERT INTO o SELECT n FROM events ORDER BY n;").ToString(),
      HasSubstr("a stream has no last one"));
}

// DuckDB's answer is another one where values are NULL, so there is nothing to compare with.
TEST(NotInOfSeveralColumns, IsNotVerified) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        kTables + Sink("o", "n INT, PRIMARY KEY (n) NOT ENFORCED") +
            "INSERT INTO o SELECT n FROM events WHERE (k, n) NOT IN (SELECT k, n FROM events WHERE "
            "n > 3);\n");
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto report = VerifyJob(*runtime, "o", 20);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.status().message(), HasSubstr("follows SQL where values are NULL"));
}

// The sink gets the rows in the order of time, whatever the order of arrival.
TEST(TimeSort, KeepsTheOrderOfEventTime) {
  for (Way way : kEveryWay) {
    TempDirectory directory;
    std::string tables = kTables;
    tables.replace(tables.find("'earliest-offset'"), 17,
                   "'earliest-offset', 'scan.bounded.mode' = 'latest-offset'");
    Write(directory.path() + "/sql/a.sql",
          tables + SettingsOf(way) + Sink("o", "ts TIMESTAMP(3), n INT") +
              "INSERT INTO o SELECT ts, n FROM events ORDER BY ts, n DESC;\n");
    Write(directory.path() + "/millrace.yml", "topics:\n  events: {partitions: 2}\n");
    std::mt19937 random(11);
    {
      auto runtime = Open(directory.path(), false);
      ASSERT_NE(runtime, nullptr);
      for (int p = 0; p < 2; p++) {
        std::vector<std::string> values;
        for (int i = 0; i < 60; i++) {
          const int second = std::max(0, i / 2 - static_cast<int>(random() % 4));
          values.push_back(fmt::format(R"({{"k":null,"n":{},"ts":"2026-03-01 10:00:{:02}"}})",
                                       random() % 50, second));
        }
        Append(*runtime, "events", p, values);
      }
    }
    RestartOnTheWay(way, directory.path(), random);
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    auto written = runtime->warehouse().Query("SELECT ts, n FROM o ORDER BY rowid");
    auto sorted = runtime->warehouse().Query("SELECT ts, n FROM events ORDER BY ts, n DESC");
    ASSERT_TRUE(written.ok() && sorted.ok());
    ASSERT_EQ(written->row_count(), 120u);
    for (size_t r = 0; r < 120; r++) {
      EXPECT_EQ(written->Get(r, 0).ToString(), sorted->Get(r, 0).ToString()) << r;
      EXPECT_EQ(written->Get(r, 1).ToString(), sorted->Get(r, 1).ToString()) << r;
    }
  }
}

}  // namespace
}  // namespace millrace::project
