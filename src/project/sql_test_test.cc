// Unit tests of users' SQL: what they find, and what they say about faults in themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/project_fixture.h"
#include "project/sql_test.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;

constexpr const char* kScript = R"(
CREATE TABLE orders (id STRING NOT NULL, quantity INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, CHECK (quantity > 0)
) WITH ('connector' = 'filesystem', 'path' = '/nowhere', 'format' = 'csv',
        'scan.watermark.idle-timeout' = '3 s');
CREATE TABLE big_orders (id STRING, quantity INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'big',
  'properties.bootstrap.servers' = 'x', 'format' = 'json');
CREATE TABLE per_window (ws TIMESTAMP(3), c BIGINT, s INT) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'w');
CREATE TABLE totals (id STRING, s INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 't');
CREATE VIEW doubled AS SELECT id, quantity * 2 AS twice FROM orders;
INSERT INTO per_window SELECT window_start, COUNT(*), SUM(quantity) FROM TABLE(TUMBLE(TABLE
  big_orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
INSERT INTO big_orders SELECT id, quantity, ts FROM orders WHERE quantity > 9;
INSERT INTO totals SELECT id, SUM(quantity) FROM orders GROUP BY id;
)";

struct Ran {
  std::vector<std::string> reports;  // "" for a test that passed
  std::vector<Status> faults;
};

Ran RunTests(const std::string& yaml, SqlTestWay way = SqlTestWay::kAsWritten) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", kScript);
  Write(directory.path() + "/t.yml", yaml);
  Ran ran;
  auto project = Project::Load(directory.path(), "dev", ran.faults);
  auto tests = LoadSqlTests(directory.path() + "/t.yml", *project, ran.faults);
  if (!ran.faults.empty()) return ran;
  for (const SqlTest& test : tests) {
    TempDirectory scratch;
    auto outcome = RunSqlTest(test, *project, scratch.path(), way);
    ran.reports.push_back(outcome.ok() ? outcome->report : outcome.status().ToString());
  }
  return ran;
}

// Two jobs, one behind the other; a crash; a partition that lags; late rows; duplicates; NULLs.
constexpr const char* kRight = R"(
tests:
  - name: windows behind another job
    steps:
      - rows:
          orders:
            - {id: a, quantity: 10, ts: "2026-03-01 10:00:01", _times: 2}
            - {id: b, quantity: 3, ts: "2026-03-01 10:00:02"}
            - {id: c, quantity: ~, ts: "2026-03-01 10:00:02"}
      - crash
      - rows: {orders: [{id: d, quantity: 20, ts: "2026-03-01 10:00:16"}]}
      - rows: {orders: [{id: e, quantity: 30, ts: "2026-03-01 10:00:04"}]}
      - expect: {tables: {per_window: [{ws: "2026-03-01 10:00:00", c: 2, s: 20}]}}
      - watermark: {big_orders: "2026-03-01 10:00:19.999"}
    expect:
      tables:
        per_window:
          - {ws: "2026-03-01 10:00:00", c: 2, s: 20}
          - {ws: "2026-03-01 10:00:10", c: 1, s: 20}
      dead-letters: [{table: big_orders, kind: late}]
  - name: nothing
    steps: [end]
    expect: {tables: {per_window: [], totals: []}}
  - name: a view, and a table that is updated
    steps:
      - rows: {orders: [{id: a, quantity: 1}, {id: b, quantity: ~}, {id: a, quantity: -1}]}
      - rows: {orders: [{id: a, quantity: 5, ts: "2026-03-01 10:00:16"}]}
    expect:
      tables: {totals: [{id: a, s: 5}], doubled: [{id: a, twice: 10}]}
      dead-letters: [{kind: time}, {kind: time}, {kind: constraint},
                     {kind: time}, {kind: time}, {kind: constraint}]
)";

TEST(SqlTests, PassInEveryWay) {
  for (SqlTestWay way :
       {SqlTestWay::kAsWritten, SqlTestWay::kTinyEpochs, SqlTestWay::kCrashEveryStep}) {
    Ran ran = RunTests(kRight, way);
    for (const Status& fault : ran.faults) ADD_FAILURE() << fault.ToString();
    EXPECT_EQ(ran.reports, (std::vector<std::string>{"", "", ""})) << static_cast<int>(way);
  }
}

TEST(SqlTests, SilentPartitionsFallIdle) {
  Ran ran = RunTests(R"(
tests:
  - name: idle
    steps:
      - rows:
          orders: [{id: a, quantity: 1, ts: "2026-03-01 10:00:01", _partition: 1}]
          big_orders:
            - {id: a, quantity: 10, ts: "2026-03-01 10:00:01"}
            - {id: a, quantity: 10, ts: "2026-03-01 10:00:20", _partition: 1}
      - expect: {tables: {per_window: []}}
      - rows: {big_orders: [{id: a, quantity: 10, ts: "2026-03-01 10:00:15"}]}
    expect: {tables: {per_window: [{ws: "2026-03-01 10:00:00", c: 1}]}}
)");
  for (const Status& fault : ran.faults) ADD_FAILURE() << fault.ToString();
  EXPECT_EQ(ran.reports, (std::vector<std::string>{""}));
}

TEST(SqlTests, ShowWhatDiffers) {
  Ran ran = RunTests(R"(
tests:
  - name: wrong value
    steps: [{rows: {orders: [{id: a, quantity: 1, ts: "2026-03-01 10:00:01"}]}}]
    expect: {tables: {totals: [{id: a, s: 2}, {id: z, s: 9}]}}
  - name: wrong change
    steps:
      - rows: {orders: [{id: a, quantity: 1, ts: "2026-03-01 10:00:01"}]}
      - rows: {orders: [{id: a, quantity: 1, ts: "2026-03-01 10:00:01"}]}
    expect: {changelog: {totals: [{op: "+I", s: 1}, {op: "+U", s: 2}]}}
  - name: right changes
    steps:
      - rows: {orders: [{id: a, quantity: 1, ts: "2026-03-01 10:00:01"}]}
      - rows: {orders: [{id: a, quantity: 1, ts: "2026-03-01 10:00:01"}]}
    expect: {ordered: true, changelog: {totals: [{op: +, s: 1}, {op: -, s: 1}, {op: +, s: 2}]}}
  - name: a late row that should not be
    steps:
      - rows:
          big_orders:
            - {id: a, quantity: 10, ts: "2026-03-01 10:00:16"}
            - {id: a, quantity: 10, ts: "2026-03-01 10:00:01"}
    expect: {tables: {per_window: []}, dead-letters: []}
)");
  for (const Status& fault : ran.faults) ADD_FAILURE() << fault.ToString();
  ASSERT_EQ(ran.reports.size(), 4u);
  EXPECT_THAT(ran.reports[0], HasSubstr("t.yml:5: table \"totals\"\n  columns   id | s\n"
                                        "  expected  a | 2\n  got       a | 1    <- s\n"
                                        "  missing   z | 9\n"));
  EXPECT_THAT(ran.reports[1], HasSubstr("extra     - | 1"));
  EXPECT_EQ(ran.reports[2], "");
  EXPECT_THAT(ran.reports[3], HasSubstr("dead letters"));
}

TEST(SqlTests, FaultsNameFileAndLine) {
  struct Fault {
    const char* yaml;
    const char* place;
    const char* message;
  };
  const Fault faults[] = {
      {"test: []", "t.yml:1", "tests"},
      {"tests:\n  - name: a\n    steps: [crush]\n    expect: {tables: {totals: []}}", "t.yml:3",
       "crash"},
      {"tests:\n  - name: a\n    steps: [{rows: {order: []}}]\n    expect: {tables: {totals: []}}",
       "t.yml:3", "did you mean \"orders\""},
      {"tests:\n  - name: a\n    steps: [{rows: {orders: [{quantty: 1}]}}]\n    expect: {tables: "
       "{totals: []}}",
       "t.yml:3", "quantity"},
      {"tests:\n  - name: a\n    expect: {tables: {totals: [{idd: 1}]}}", "t.yml:3", "\"id\""},
      {"tests:\n  - name: a\n    expect: {changelog: {totals: [{id: 1}]}}", "t.yml:3", "op"},
      {"tests:\n  - name: a\n    steps: []", "t.yml:2", "expects nothing"},
      {"tests:\n  - name: a\n    steps: [{watermark: {orders: soon}}]\n    expect: {tables: "
       "{totals: []}}",
       "t.yml:3", "expected a time"},
      {"tests: [", "t.yml:", "YAML"},
  };
  for (const Fault& fault : faults) {
    Ran ran = RunTests(fault.yaml);
    ASSERT_FALSE(ran.faults.empty()) << fault.yaml;
    EXPECT_THAT(ran.faults[0].ToString(), HasSubstr(fault.place)) << fault.yaml;
    EXPECT_THAT(ran.faults[0].ToString(), HasSubstr(fault.message)) << fault.yaml;
  }
}

}  // namespace
}  // namespace millrace::project
