// Jobs in a time zone whose clocks change, over points in time around both changes: each query must
// equal what DuckDB computes from local times as a batch, in every way of running, and its own
// verify. In autumn local times come twice: nothing may be called late for that.
#include <gtest/gtest.h>

#include <set>

#include "project/project_fixture.h"
#include "project/verify.h"

namespace millrace::project {
namespace {

struct Case {
  const char* name;
  const char* columns;
  const char* query;
  const char* batch;  // over events(local, pit, k)
};

const Case kCases[] = {
    {"hours", "ws TIMESTAMP(3), we TIMESTAMP(3), k STRING, c BIGINT",
     "SELECT window_start, window_end, k, COUNT(*) FROM TABLE(TUMBLE(TABLE events, "
     "DESCRIPTOR(pit), "
     "INTERVAL '1' HOUR)) GROUP BY window_start, window_end, k",
     "SELECT mr_window_start(local, 3600000000, 0), mr_window_end(local, 3600000000, 0), k, "
     "count(*) FROM events GROUP BY ALL"},
    {"days", "ws TIMESTAMP(3), c BIGINT",
     "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE events, DESCRIPTOR(pit), INTERVAL '1' "
     "DAY)) GROUP BY window_start, window_end",
     "SELECT mr_window_start(local, 86400000000, 0), count(*) FROM events GROUP BY ALL"},
    {"hops", "ws TIMESTAMP(3), c BIGINT",
     "SELECT window_start, COUNT(*) FROM TABLE(HOP(TABLE events, DESCRIPTOR(pit), INTERVAL '30' "
     "MINUTE, INTERVAL '90' MINUTE)) GROUP BY window_start, window_end",
     "SELECT w, count(*) FROM (SELECT unnest(mr_hop_starts(local, 1800000000, 5400000000, 0)) AS w "
     "FROM events) GROUP BY ALL"},
    {"steps", "we TIMESTAMP(3), c BIGINT",
     "SELECT window_end, COUNT(*) FROM TABLE(CUMULATE(TABLE events, DESCRIPTOR(pit), INTERVAL '1' "
     "HOUR, INTERVAL '1' DAY)) GROUP BY window_start, window_end",
     "SELECT w, count(*) FROM (SELECT unnest(mr_cumulate_ends(local, 3600000000, 86400000000, 0)) "
     "AS w FROM events) GROUP BY ALL"},
    // Windows of a local time that a view has made of the point in time.
    {"of_local", "ws TIMESTAMP(3), c BIGINT",
     "SELECT window_start, COUNT(*) FROM TABLE(TUMBLE(TABLE locals, DESCRIPTOR(local), INTERVAL "
     "'20' MINUTE)) GROUP BY window_start, window_end",
     "SELECT mr_window_start(local, 1200000000, 0), count(*) FROM events GROUP BY ALL"},
    {"texts", "t STRING, h BIGINT, d STRING, s STRING, a TIMESTAMP_LTZ(3)",
     "SELECT CAST(CAST(pit AS TIMESTAMP(0)) AS STRING), EXTRACT(HOUR FROM pit), DATE_FORMAT(pit, "
     "'yyyy-MM-dd HH:mm'), FROM_UNIXTIME(ms / 1000), pit FROM events",
     "SELECT CAST(local AS VARCHAR), extract(hour FROM local), strftime(local, '%Y-%m-%d %H:%M'), "
     "strftime(local, '%Y-%m-%d %H:%M:%S'), pit FROM events"},
    // A day later is 24 hours later, also where the local day has 23 or 25.
    {"joined", "a TIMESTAMP_LTZ(3), b TIMESTAMP_LTZ(3)",
     "SELECT x.pit, y.pit FROM events x JOIN events y ON x.k = y.k AND y.pit BETWEEN x.pit + "
     "INTERVAL "
     "'1' DAY AND x.pit + INTERVAL '25' HOUR",
     "SELECT x.pit, y.pit FROM events x JOIN events y ON x.k = y.k AND epoch_ms(y.pit) - "
     "epoch_ms(x.pit) BETWEEN 86400000 AND 90000000"},
};

constexpr const char* kBatchEvents =
    "WITH events AS (SELECT k, make_timestamptz(ms * 1000) AS pit, timezone('Europe/Berlin', "
    "make_timestamptz(ms * 1000)) AS local FROM events_topic) ";

std::string Script(Way way) {
  std::string script = R"(
SET 'table.local-time-zone' = 'Europe/Berlin';
CREATE TABLE events_topic (k STRING, ms BIGINT) WITH ('connector' = 'kafka', 'topic' = 'events',
  'properties.bootstrap.servers' = 'x', 'format' = 'json');
CREATE TABLE events (k STRING, ms BIGINT, pit AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR pit AS pit - INTERVAL '5' MINUTE) WITH ('connector' = 'kafka', 'topic' = 'events',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
CREATE VIEW locals AS SELECT k, CAST(pit AS TIMESTAMP(3)) AS local FROM events;
)";
  script += SettingsOf(way);
  for (const Case& c : kCases) {
    script += fmt::format(
        "CREATE TABLE out_{0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{0}');\nINSERT INTO out_{0} {2};\n",
        c.name, c.columns, c.query);
  }
  return script;
}

// Two days around each change, minutes apart, up to 4 minutes out of order; with NULLs and
// duplicates. `late`: some come hours later than they should.
void Produce(Runtime& runtime, unsigned seed, bool late) {
  std::mt19937 random(seed);
  for (int p = 0; p < 3; p++) {
    std::vector<std::string> values;
    for (int64_t change : {1'711'846'800'000, 1'729'990'800'000}) {
      for (int64_t ms = change - 86'400'000; ms < change + 86'400'000;
           ms += 60'000 * static_cast<int64_t>(1 + random() % 30)) {
        int64_t at = ms - static_cast<int64_t>(random() % 240'000);
        if (late && random() % 12 == 0) at -= 3 * 3'600'000;
        const std::string k = random() % 7 == 0 ? "null" : fmt::format("\"k{}\"", random() % 3);
        values.push_back(fmt::format(R"({{"k":{},"ms":{}}})", k, at));
        if (random() % 20 == 0) values.push_back(values.back());
      }
    }
    Append(runtime, "events", p, values);
  }
}

void Prepare(const std::string& directory, Way way, unsigned seed, bool late) {
  Write(directory + "/sql/a.sql", Script(way));
  Write(directory + "/millrace.yml", "topics:\n  events: {partitions: 3}\n");
  auto runtime = Open(directory, false);
  ASSERT_NE(runtime, nullptr);
  if (seed > 0) Produce(*runtime, seed, late);
}

class TimeZones : public ::testing::TestWithParam<std::tuple<unsigned, Way>> {};

TEST_P(TimeZones, EveryQueryEqualsItsBatchAndIsVerified) {
  auto [seed, way] = GetParam();
  std::mt19937 random(seed);
  TempDirectory directory;
  Prepare(directory.path(), way, seed, false);
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  for (const Case& c : kCases) {
    auto streamed = Rows(*runtime, fmt::format("SELECT * FROM out_{}", c.name));
    auto batch = Rows(*runtime, std::string(kBatchEvents) + c.batch);
    EXPECT_EQ(streamed, batch) << c.name;
    EXPECT_EQ(batch.empty(), seed == 0) << c.name << ": the case tests nothing";
  }
  EXPECT_EQ(Rows(*runtime, "SELECT kind FROM millrace.dead_letters"), std::vector<std::string>{});
  runtime.reset();
  runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  for (const Case& c : kCases) {
    auto report = VerifyJob(*runtime, fmt::format("out_{}", c.name), 20);
    ASSERT_TRUE(report.ok()) << c.name << report.status().ToString();
    EXPECT_TRUE(report->equal()) << c.name << report->ToText();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimeZones,
                         ::testing::Combine(::testing::Values(0u, 1u, 2u),
                                            ::testing::ValuesIn(kEveryWay)));

// What is late is judged in local time, by job and verify alike.
TEST(TimeZone, LateRowsAreTheSameInVerify) {
  for (Way way : {Way::kStraight, Way::kTinyEpochs}) {
    TempDirectory directory;
    Prepare(directory.path(), way, 5, true);
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    EXPECT_NE(Rows(*runtime,
                   "SELECT count(*) FROM millrace.dead_letters WHERE job = 'out_hours' "
                   "AND kind = 'late'"),
              std::vector<std::string>{"0|"});
    runtime.reset();
    runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    for (const char* job : {"out_hours", "out_days"}) {
      auto report = VerifyJob(*runtime, job, 20);
      ASSERT_TRUE(report.ok()) << job << report.status().ToString();
      EXPECT_TRUE(report->equal()) << job << report->ToText();
    }
  }
}

TEST(TimeZone, AnUnknownOneIsRefusedWithItsNeighbours) {
  TempDirectory directory;
  std::string script = Script(Way::kStraight);
  script.replace(script.find("Europe/Berlin"), 13, "Europe/Berln");
  Write(directory.path() + "/sql/a.sql", script);
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  ASSERT_TRUE(faults.empty());
  auto compiled = project->Compile(project->jobs().front());
  ASSERT_FALSE(compiled.ok());
  EXPECT_NE(compiled.status().ToString().find("Europe/Berlin"), std::string::npos)
      << compiled.status().ToString();
}

// RESET ends a SET for the statements after it; a name given to the next job stays.
TEST(TimeZone, EndsWithItsReset) {
  const std::string tables =
      "CREATE TABLE made (ts TIMESTAMP_LTZ(3)) WITH ('connector' = 'datagen');\n"
      "CREATE TABLE out (t STRING) WITH ('connector' = 'blackhole');\n";
  const std::string insert = "INSERT INTO out SELECT CAST(ts AS STRING) FROM made;\n";
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        tables +
            "SET 'table.local-time-zone' = 'europe/berlin';\nSET 'parallelism.default' = '2';\n" +
            insert + "SET 'pipeline.name' = 'named';\nRESET 'table.local-time-zone';\n" + insert +
            "SET 'table.local-time-zone' = 'GMT+03:00';\n" + insert + "RESET;\n" + insert);
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  ASSERT_TRUE(faults.empty()) << faults[0].ToString();
  struct Expected {
    const char* name;
    const char* zone;
    int64_t shards;
  };
  const Expected expected[] = {
      {"out", "Europe/Berlin", 2}, {"named", "", 2}, {"out_2", "Etc/GMT-3", 2}, {"out_3", "", 1}};
  ASSERT_EQ(project->jobs().size(), std::size(expected));
  std::set<std::string> fingerprints;
  for (size_t i = 0; i < std::size(expected); i++) {
    auto compiled = project->Compile(project->jobs()[i]);
    ASSERT_TRUE(compiled.ok()) << compiled.status().ToString();
    const std::string explained = (*compiled)->Explain();
    EXPECT_EQ((*compiled)->name, expected[i].name);
    EXPECT_EQ((*compiled)->settings.shards, expected[i].shards);
    EXPECT_EQ(explained.find("time zone:") == std::string::npos, *expected[i].zone == '\0')
        << explained;
    EXPECT_NE(explained.find(expected[i].zone), std::string::npos) << explained;
    fingerprints.insert((*compiled)->fingerprint);
  }
  EXPECT_EQ(fingerprints.size(), std::size(expected));
}

}  // namespace
}  // namespace millrace::project
