// `millrace verify`: equal after every way of running, and a sink that was touched is found out.
#include "project/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;

struct Query {
  const char* name;
  const char* columns;
  const char* query;
  bool late_rows_understood;
};
const Query kQueries[] = {
    {"tumble", "ws TIMESTAMP(3), k STRING, c BIGINT, a DOUBLE",
     "SELECT window_start, k, COUNT(*), AVG(CAST(n AS DOUBLE)) FROM TABLE(TUMBLE(TABLE wanted, "
     "DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k",
     true},
    {"hop", "ws TIMESTAMP(3), c BIGINT",
     "SELECT window_start, COUNT(*) FROM TABLE(HOP(TABLE events, DESCRIPTOR(ts), INTERVAL '5' "
     "SECOND, INTERVAL '20' SECOND)) GROUP BY window_start, window_end",
     false},
    {"updating", "k STRING, c BIGINT, s INT, PRIMARY KEY (k) NOT ENFORCED",
     "SELECT COALESCE(k, '?'), COUNT(*), SUM(n / 2) FROM events GROUP BY COALESCE(k, '?')", true},
    {"passing", "k STRING, n INT", "SELECT UPPER(k), n + 1 FROM events WHERE n <> 2", true},
    {"joined", "ts TIMESTAMP(3), k STRING, n INT",
     "SELECT a.ts, a.k, b.n FROM events a JOIN events b ON a.k = b.k AND b.ts BETWEEN a.ts AND "
     "a.ts + INTERVAL '3' SECOND",
     false},
};

std::string Script(Way way, bool bounded) {
  std::string script = R"(
CREATE TABLE events (k STRING, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
  CHECK (n < 90) ON VIOLATION DROP) WITH ('connector' = 'kafka', 'topic' = 'events',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset')";
  script += bounded ? ", 'scan.bounded.mode' = 'latest-offset');\n" : ");\n";
  script += "CREATE VIEW wanted AS SELECT * FROM events WHERE n IS NOT NULL;\n" + SettingsOf(way);
  for (const Query& q : kQueries) {
    script += fmt::format(
        "CREATE TABLE out_{0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{0}');\nINSERT INTO out_{0} {2};\n",
        q.name, q.columns, q.query);
  }
  return script;
}

// Three partitions, up to 4 s out of order (with `late` sometimes more), NULLs, duplicates, rows
// that do not decode and rows that a CHECK drops.
void Produce(Runtime& runtime, unsigned seed, bool late) {
  std::mt19937 random(seed);
  for (int p = 0; p < 3; p++) {
    std::vector<std::string> values;
    int64_t ms = 0;
    for (int i = 0; i < 120; i++) {
      ms += random() % 900;
      int64_t at = std::max<int64_t>(0, ms - static_cast<int64_t>(random() % 4000));
      if (late && i % 10 == 9) at = std::max<int64_t>(0, at - 12'000);
      std::string n = random() % 9 == 0 ? "null" : std::to_string(random() % 92);
      std::string k = random() % 7 == 0 ? "null" : fmt::format("\"k{}\"", random() % 3);
      values.push_back(fmt::format(R"({{"k":{},"n":{},"ts":"2026-03-01 10:{:02}:{:02}.{:03}"}})", k,
                                   n, at / 60'000, at / 1000 % 60, at % 1000));
      if (i % 20 == 0) values.push_back(values.back());
      if (i % 30 == 0) values.push_back("{\"k\": \"cut");
    }
    Append(runtime, "events", p, values);
  }
}

void Prepare(const std::string& directory, Way way, bool bounded, bool late, bool empty = false) {
  Write(directory + "/sql/a.sql", Script(way, bounded));
  Write(directory + "/millrace.yml", "topics:\n  events: {partitions: 3}\n");
  auto runtime = Open(directory, false);
  ASSERT_NE(runtime, nullptr);
  if (!empty) Produce(*runtime, 7, late);
}

class Verify : public ::testing::TestWithParam<Way> {};

TEST_P(Verify, IsEqualAndFindsWhatWasTouched) {
  const Way way = GetParam();
  std::mt19937 random(3);
  TempDirectory directory;
  Prepare(directory.path(), way, true, false);
  RestartOnTheWay(way, directory.path(), random);
  ASSERT_NE(RunToEnd(directory.path()), nullptr);
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  for (const Query& q : kQueries) {
    const std::string sink = fmt::format("out_{}", q.name);
    auto report = VerifyJob(*runtime, sink, 20);
    ASSERT_TRUE(report.ok()) << q.name << report.status().ToString();
    EXPECT_TRUE(report->equal()) << report->ToText();
    EXPECT_GT(report->rows_expected, 0) << q.name;
    EXPECT_EQ(report->checksum_expected, report->checksum_found);
    EXPECT_GT(report->inputs[0].refused, 0);

    // One row is changed by hand, and one is taken away.
    auto touch = [&](const std::string& sql) {
      Status done = runtime->warehouse().InTransaction(
          [&](duckdb::Connection& c) { return duck::Warehouse::Execute(c, sql); });
      ASSERT_TRUE(done.ok()) << done.ToString();
    };
    const std::string last =
        std::string(q.name) == "passing" || std::string(q.name) == "joined" ? "n" : "c";
    touch(fmt::format("UPDATE {0} SET {1} = 4711 WHERE rowid = (SELECT min(rowid) FROM {0})", sink,
                      last));
    report = VerifyJob(*runtime, sink, 20);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->differences, 2) << report->ToText();
    EXPECT_NE(report->checksum_expected, report->checksum_found);
    EXPECT_THAT(report->ToText(), HasSubstr("4711")) << q.name;
    touch(fmt::format("DELETE FROM {} WHERE {} = 4711", sink, last));
    report = VerifyJob(*runtime, sink, 20);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->differences, 1) << report->ToText();
    EXPECT_THAT(report->ToJson(), HasSubstr("\"equal\":false"));
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Verify, ::testing::ValuesIn(kEveryWay));

TEST(VerifyInTheMiddle, ComparesWhatIsFinal) {
  for (bool late : {false, true}) {
    TempDirectory directory;
    Prepare(directory.path(), Way::kStraight, false, late);
    {
      auto runtime = Open(directory.path(), true);
      ASSERT_NE(runtime, nullptr);
      runtime->Start();
      auto read_all = [&] {
        for (const auto& job : runtime->JobStatuses()) {
          if (job.rows_in < 3 * (120 + 6 + 4) || job.lag_rows > 0) return false;
        }
        return true;
      };
      while (!read_all()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      runtime->Stop();
    }
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    for (const Query& q : kQueries) {
      auto report = VerifyJob(*runtime, fmt::format("out_{}", q.name), 20);
      if (late && !q.late_rows_understood) {
        ASSERT_FALSE(report.ok()) << q.name;
        EXPECT_THAT(report.status().message(), HasSubstr("came late")) << q.name;
        continue;
      }
      ASSERT_TRUE(report.ok()) << q.name << report.status().ToString();
      EXPECT_TRUE(report->equal()) << late << report->ToText();
      EXPECT_GT(report->rows_expected, 0) << report->ToText();
      if (std::string(q.name) == "tumble") {
        EXPECT_FALSE(report->final_before.empty());
        EXPECT_EQ(report->inputs[0].late > 0, late);
      }
    }
  }
}

TEST(VerifyNothing, IsEqual) {
  TempDirectory directory;
  Prepare(directory.path(), Way::kStraight, true, false, true);
  ASSERT_NE(RunToEnd(directory.path()), nullptr);
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto report = VerifyJob(*runtime, "out_tumble", 20);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->equal()) << report->ToText();
}

TEST(VerifyRefuses, WhatHasNoEqualAsABatch) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT window_start, k, COUNT(*) FROM TABLE(SESSION(TABLE events PARTITION BY k, "
       "DESCRIPTOR(ts), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, k",
       "sessions"},
      {"SELECT ts, k, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY ts DESC) AS rn "
       "FROM events) WHERE rn = 1",
       "order in which rows came"},
      {"SELECT CAST(CURRENT_TIMESTAMP AS TIMESTAMP(3)), k, 1 FROM events", "the time at which"},
  };
  for (const auto& [query, reason] : cases) {
    TempDirectory directory;
    std::string script = Script(Way::kStraight, true);
    script = script.substr(0, script.find("CREATE TABLE out_"));
    script +=
        "CREATE TABLE o (a TIMESTAMP(3), k STRING, c BIGINT, PRIMARY KEY (k) NOT ENFORCED) "
        "WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'o');\n"
        "INSERT INTO o " +
        std::string(query) + ";";
    Write(directory.path() + "/sql/a.sql", script);
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    auto report = VerifyJob(*runtime, "o", 20);
    ASSERT_FALSE(report.ok()) << query;
    EXPECT_THAT(report.status().message(), HasSubstr(reason)) << report.status().ToString();
  }
}

}  // namespace
}  // namespace millrace::project
