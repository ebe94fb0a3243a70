// Traces against what the project did: for random records of a generated input, the trace says that
// a record is in a sink's row just when the job counted it, and what refused it where it is not.
#include "project/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "project/project_fixture.h"
#include "project/trace_windows.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kScript = R"(
CREATE TABLE events (id BIGINT, k STRING, n INT, twice AS n * 2, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND, CONSTRAINT small CHECK (n < 90),
  CONSTRAINT even_id CHECK (id >= 0) ON VIOLATION WARN)
WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE names (k STRING, name STRING) WITH ('connector' = 'kafka', 'topic' = 'names',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
CREATE VIEW positive AS SELECT id, k, n, twice, ts FROM events WHERE n > 0;
CREATE TABLE passed (id BIGINT, k STRING, twice INT, at TIMESTAMP(3)) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'stored_passed');
INSERT INTO passed SELECT id, UPPER(k), twice, ts FROM positive;
CREATE TABLE counted (ws TIMESTAMP(3), k STRING, c BIGINT, s BIGINT) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'stored_counted');
INSERT INTO counted SELECT window_start, k, COUNT(*), SUM(id) FROM TABLE(TUMBLE(TABLE positive,
  DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k;
CREATE TABLE named (id BIGINT, name STRING) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'stored_named');
INSERT INTO named SELECT e.id, m.name FROM events e JOIN names m ON e.k = m.k;
)";

class TraceTest : public testing::Test {
 protected:
  void SetUp() override {
    Write(directory_.path() + "/sql/a.sql", kScript);
    Write(directory_.path() + "/millrace.yml",
          "name: shop\ntopics:\n  events: {partitions: 2}\n  names: {partitions: 1}\n");
  }
  void Produce(int count) {
    auto runtime = Open(directory_.path(), false);
    ASSERT_NE(runtime, nullptr);
    std::mt19937 random(7);
    auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    for (int p = 0; p < 2; p++) {
      int64_t ms = 0;
      std::vector<std::string> values;
      for (int i = 0; i < count; i++) {
        ms += pick(900);
        const int64_t at = std::max<int64_t>(0, ms - (pick(8) == 0 ? 25'000 : pick(1500)));
        if (pick(10) == 0) {
          values.push_back("{\"id\": 7, \"k\": \"cut");
        } else {
          const std::string n = pick(8) == 0 ? "null" : std::to_string(pick(100) - 10);
          const std::string k = pick(6) == 0 ? "null" : fmt::format("\"k{}\"", pick(3));
          values.push_back(
              fmt::format(R"({{"id":{},"k":{},"n":{},"ts":"2026-03-01 10:{:02}:{:02}.{:03}"}})",
                          p * 1000 + i, k, n, at / 60'000, at / 1000 % 60, at % 1000));
        }
      }
      if (count > 0) values.push_back(values.back());  // a duplicate
      Append(*runtime, "events", p, values);
    }
    Append(*runtime, "names", 0, {R"({"k":"k1","name":"one"})"});
  }
  static TraceRecord RecordAt(Runtime& runtime, int partition, int64_t offset) {
    TraceRecord record{"events", partition, offset, 0, {}, {}};
    auto read = runtime.log().Read("events", partition, offset, offset + 1, 1 << 20,
                                   [&](std::span<const model::Record> some) {
                                     for (const model::Record& r : some) {
                                       record.timestamp_ms = r.timestamp_ms;
                                       if (r.has_key) record.key = std::string(r.key);
                                       if (r.has_value) record.value = std::string(r.value);
                                     }
                                   });
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    return record;
  }
  static Result<Trace> TraceIn(Runtime& runtime, const TraceRecord& record,
                               const FindCommit& commits = nullptr) {
    TraceAccess access;
    access.ask = [&](const std::string& sql) -> Result<std::string> {
      MR_ASSIGN_OR_RETURN(duck::QueryResult result, runtime.warehouse().Query(sql));
      return result.ToJson();
    };
    access.commits = commits;
    return TraceOf(runtime.project(), record, access);
  }
  static const TraceJob& JobOf(const Trace& trace, const std::string& name) {
    for (const TraceJob& job : trace.tables.at(0).jobs) {
      if (job.job == name) return job;
    }
    static const TraceJob none;
    ADD_FAILURE() << "no job " << name;
    return none;
  }
  static bool IsLate(const TraceJob& job) {
    return std::any_of(job.letters.begin(), job.letters.end(),
                       [](const TraceRefusal& r) { return r.kind == "late"; });
  }
  TempDirectory directory_;
};

TEST_F(TraceTest, AJobShowsItsOwnViewsAndNotThoseOfTheJobBeforeIt) {
  Write(directory_.path() + "/sql/b.sql", R"(
CREATE TABLE relayed (id BIGINT, k STRING) WITH ('connector' = 'kafka', 'topic' = 'relayed',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
INSERT INTO relayed SELECT id, k FROM positive;
CREATE VIEW of_k AS SELECT id, k FROM relayed WHERE k IS NOT NULL;
CREATE VIEW of_k1 AS SELECT id FROM of_k WHERE k = 'k1';
CREATE TABLE last (id BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y',
  'table-name' = 'stored_last');
INSERT INTO last SELECT id FROM of_k1;
)");
  auto runtime = Open(directory_.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto trace = TraceIn(*runtime, {"relayed", 0, 0, 0, {}, R"({"id":1,"k":"k1"})"});
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  std::vector<std::string> names;
  for (const TraceStage& stage : JobOf(*trace, "last").stages) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"view of_k", "view of_k1", "job last"}));
}

TEST_F(TraceTest, AgreesWithSinksAndDeadLetters) {
  Produce(120);
  auto runtime = RunToEnd(directory_.path());
  ASSERT_NE(runtime, nullptr);
  runtime->Stop();
  std::mt19937 random(3);
  int kept = 0, refused = 0, late = 0, filtered = 0;
  for (int i = 0; i < 30; i++) {
    const int partition = static_cast<int>(random() % 2);
    const auto offset = static_cast<int64_t>(random() % 121);
    const TraceRecord record = RecordAt(*runtime, partition, offset);
    auto trace = TraceIn(*runtime, record);
    ASSERT_TRUE(trace.ok()) << trace.status().ToString();
    SCOPED_TRACE(trace->ToText());
    ASSERT_EQ(trace->tables.size(), 1u);
    const TraceTable& table = trace->tables[0];
    const TraceJob& passed = JobOf(*trace, "passed");
    const TraceJob& counted = JobOf(*trace, "counted");
    const std::string place = fmt::format(
        "topic = 'events' AND \"partition\" = {} AND \"offset\" = {}", partition, offset);
    const bool bad =
        !Rows(*runtime, "SELECT 1 FROM millrace.dead_letters WHERE job = 'passed' AND " + place)
             .empty();
    if (bad) {
      refused++;
      EXPECT_THAT(table.decoded.made.rows, IsEmpty());
      ASSERT_EQ(table.decoded.refused.size(), 1u);
      ASSERT_EQ(passed.letters.size(), 1u);
      EXPECT_EQ(table.decoded.refused[0].kind, passed.letters[0].kind);
      EXPECT_EQ(table.decoded.refused[0].reason, passed.letters[0].reason);
      EXPECT_THAT(passed.in_sink.rows, IsEmpty());
      continue;
    }
    ASSERT_EQ(table.decoded.made.rows.size(), 1u);
    ASSERT_EQ(table.checks.size(), 2u);
    EXPECT_NE(table.checks[0].verdict, CellText("false"));
    const std::string id = table.decoded.made.rows[0][0].value();
    // The sinks, asked by what the test knows of the record.
    auto in_passed = Rows(*runtime, "SELECT * FROM stored_passed WHERE id = " + id);
    EXPECT_EQ(passed.in_sink.rows.size(), in_passed.size());
    if (passed.stages.back().made.rows.empty()) {
      filtered++;
      EXPECT_THAT(in_passed, IsEmpty());
      EXPECT_THAT(counted.stages.back().made.rows, IsEmpty());
      continue;
    }
    EXPECT_FALSE(in_passed.empty());
    EXPECT_EQ(passed.stages[0].name, "view positive");
    ASSERT_EQ(counted.stages.back().made.rows.size(), 1u);
    const bool is_late =
        !Rows(*runtime,
              "SELECT 1 FROM millrace.dead_letters WHERE kind = 'late' AND job = 'counted' AND " +
                  place)
             .empty();
    EXPECT_EQ(IsLate(counted), is_late);
    (is_late ? late : kept)++;
    if (is_late) continue;
    // Its window, as its time says.
    auto& made = counted.stages.back().made.rows[0];
    auto windows = Rows(
        *runtime, fmt::format("SELECT c FROM stored_counted WHERE ws = time_bucket(INTERVAL '10 "
                              "seconds', TIMESTAMP '{}') AND k IS NOT DISTINCT FROM {}",
                              *table.time, made[1] ? "'" + *made[1] + "'" : "NULL"));
    ASSERT_EQ(windows.size(), 1u);
    ASSERT_EQ(counted.in_sink.rows.size(), 1u);
    EXPECT_EQ(counted.in_sink.rows[0][2].value() + "|", windows[0]);
    const TraceRows& fell_into = counted.stages.back().windows;
    EXPECT_EQ(fell_into.columns, (std::vector<std::string>{"window_start", "window_end"}));
    ASSERT_EQ(fell_into.rows.size(), 1u);
    EXPECT_EQ(fell_into.rows[0][0], made[0]);
    EXPECT_EQ(counted.found_by, "ws, k");
    EXPECT_THAT(JobOf(*trace, "named").note, HasSubstr("joins what cannot be read from here"));
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(refused, 0);
  EXPECT_GT(late, 0);
  EXPECT_GT(filtered, 0);
}

TEST(WindowCallsTest, AreThoseOfTheTextEachOnce) {
  const std::string hop =
      "HOP(TABLE `a b`, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '2' MINUTE)";
  EXPECT_THAT(WindowCallsOf("SELECT * FROM TABLE(" + hop + ") JOIN TABLE ( " + hop +
                            ") /* TABLE(TUMBLE(x)) */ WHERE a = 'TABLE(HOP(' AND b IN (SELECT "
                            "TUMBLE FROM TABLE(tumble(TABLE t, DESCRIPTOR(ts), f(g()))))"),
              testing::ElementsAre(hop, "tumble(TABLE t, DESCRIPTOR(ts), f(g()))"));
  EXPECT_THAT(WindowCallsOf(""), IsEmpty());
  EXPECT_THAT(WindowCallsOf("SELECT * FROM TABLE(TUMBLE(TABLE t"), IsEmpty());
}

TEST_F(TraceTest, Texts) {
  Produce(30);
  auto runtime = RunToEnd(directory_.path());
  ASSERT_NE(runtime, nullptr);
  runtime->Stop();
  TraceRecord record{"events",  1,
                     0,         1'772'359'200'000,
                     "the-key", R"({"id":1,"k":"k1","n":5,"ts":"2026-03-01 10:00:00"})"};
  auto trace = TraceIn(*runtime, record, [](const std::string& job, const TraceRecord&) {
    return job == "passed" ? std::optional<TraceCommit>({17, 1'772'359'200'500}) : std::nullopt;
  });
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  const std::string text = trace->ToText();
  EXPECT_THAT(text, HasSubstr("record events partition 1 offset 0, written 2026-03-01T10:00:00"));
  EXPECT_THAT(text, HasSubstr("the-key (7 bytes)"));
  EXPECT_THAT(text, HasSubstr("CHECK small (n < 90): holds"));
  EXPECT_THAT(text, HasSubstr("twice=10"));
  EXPECT_THAT(text, HasSubstr("read in epoch 17, committed at 2026-03-01T10:00:00.500Z"));
  EXPECT_THAT(text, HasSubstr("commit: epoch and time not recorded"));
  EXPECT_THAT(trace->ToJson(), HasSubstr(R"("commit":{"epoch":17,"time_ms":1772359200500})"));
  EXPECT_THAT(trace->ToYaml(),
              HasSubstr("    topic: \"events\"\n    partition: 1\n    offset: 0\n"));
  record.topic = "nowhere";
  EXPECT_EQ(TraceIn(*runtime, record).status().code(), Code::kNotFound);
  // Bytes that are no text, and none at all.
  record.topic = "events";
  record.value = "\xff\xfe";
  auto bytes = TraceIn(*runtime, record);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  EXPECT_THAT(bytes->ToJson(), HasSubstr("\"value_base64\":\"//4=\""));
  EXPECT_THAT(bytes->tables[0].decoded.refused, testing::SizeIs(1));
}

}  // namespace
}  // namespace millrace::project
