// Queries that read some fields of ROW columns: the decoder leaves the others out, and each result
// must still be what DuckDB computes as a batch over the whole rows. Straight, in tiny epochs and
// stopped and started again; NULL and absent rows and fields, duplicates, several partitions, rows
// out of order, and, with seed 0, nothing at all.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE events (
  kind INT,
  a ROW<id INT, name STRING, at TIMESTAMP(3), place ROW<city STRING, zip INT>, tags ARRAY<STRING>>,
  b ROW<id INT, price DECIMAL(10, 2), at TIMESTAMP(3)>,
  ts AS CASE kind WHEN 0 THEN a.at ELSE b.at END,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE VIEW as_a AS SELECT a.id, a.name, a.place, ts FROM events WHERE kind = 0;
CREATE VIEW as_b AS SELECT b.id, b.price, ts FROM events WHERE kind = 1;
)";

struct Case {
  const char* name;
  const char* columns;  // of the sink
  const char* query;    // Flink SQL
  const char* batch;    // for DuckDB, over the topic as a table without the computed column
};

const Case kCases[] = {
    {"one_field", "id INT", "SELECT a.id FROM events WHERE kind = 0",
     "SELECT a.id FROM events WHERE kind = 0"},
    {"two_rows", "name STRING, price DECIMAL(10, 2)", "SELECT a.name, b.price FROM events",
     "SELECT a.name, b.price FROM events"},
    {"nested", "city STRING, name STRING", "SELECT e.a.place.city, a.name FROM events AS e",
     "SELECT a.place.city, a.name FROM events"},
    {"whole_and_part", "zip INT, id INT, tag STRING",
     "SELECT CASE WHEN a IS NULL THEN -1 ELSE a.place.zip END, a.id, a.tags[1] FROM events",
     "SELECT CASE WHEN a IS NULL THEN -1 ELSE a.place.zip END, a.id, a.tags[1] FROM events"},
    {"is_null", "kind INT, c INT",
     "SELECT kind, b.id FROM events WHERE b IS NULL OR a.place IS NULL",
     "SELECT kind, b.id FROM events WHERE b IS NULL OR a.place IS NULL"},
    {"only_filtered", "kind INT", "SELECT kind FROM events WHERE a.place.zip > 2",
     "SELECT kind FROM events WHERE a.place.zip > 2"},
    {"row_of_view", "city STRING, c BIGINT",
     "SELECT v.place.city, COUNT(*) FROM TABLE(TUMBLE(TABLE as_a, DESCRIPTOR(ts), INTERVAL '10' "
     "SECOND)) AS v GROUP BY window_start, window_end, v.place.city",
     "SELECT a.place.city, count(*) FROM events WHERE kind = 0 GROUP BY "
     "mr_window_start(a.at, 10000000, 0), a.place.city"},
    // Two scans of one table want different fields of the same column.
    {"self_join", "name STRING, price DECIMAL(10, 2)",
     "SELECT x.name, y.price FROM as_a AS x JOIN as_b AS y ON x.id = y.id AND y.ts BETWEEN x.ts "
     "AND x.ts + INTERVAL '6' SECOND",
     "SELECT x.a.name, y.b.price FROM events AS x JOIN events AS y ON x.kind = 0 AND y.kind = 1 "
     "AND "
     "x.a.id = y.b.id AND y.b.at BETWEEN x.a.at AND x.a.at + INTERVAL '6' SECOND"},
};

std::string Event(int64_t ms, std::mt19937& random) {
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  auto maybe = [&](const std::string& field) { return pick(5) == 0 ? std::string() : field; };
  const std::string at = fmt::format(R"("at":"2026-03-01 10:{:02}:{:02}.{:03}")", ms / 60'000,
                                     ms / 1000 % 60, ms % 1000);
  if (pick(2) == 0) {
    const std::string other = pick(3) == 0 ? R"("b":null,)" : "";
    const std::string place =
        pick(4) == 0 ? R"("place":null,)"
                     : fmt::format(R"("place":{{"zip":{},"city":"c{}"}},)", pick(5), pick(3));
    return fmt::format(R"({{"kind":0,{}"a":{{{}{}{}{}{}}}}})", other,
                       maybe(fmt::format(R"("id":{},)", pick(6))),
                       maybe(fmt::format(R"("name":"name \"{}\" that is long",)", pick(9))),
                       maybe(place), maybe(R"("tags":["t",null],)"), at);
  }
  return fmt::format(R"({{"kind":1,"b":{{{}{}{}}}}})",
                     maybe(fmt::format(R"("price":{}.{},)", pick(99), pick(10))),
                     maybe(fmt::format(R"("id":{},)", pick(6))), at);
}

class RowFields : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(RowFields, EveryQueryEqualsItsBatch) {
  auto [seed, way] = GetParam();
  std::mt19937 random(static_cast<unsigned>(seed) * 7919u + 5);
  TempDirectory directory;
  std::string script = kTables;
  script += SettingsOf(way);
  for (const Case& c : kCases) {
    script += fmt::format(
        "CREATE TABLE out_{0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{0}');\nINSERT INTO out_{0} {2};\n",
        c.name, c.columns, c.query);
  }
  Write(directory.path() + "/sql/all.sql", script);
  Write(directory.path() + "/millrace.yml", "topics:\n  events: {partitions: 2}\n");
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    for (int partition = 0; partition < 2 && seed > 0; partition++) {
      std::vector<std::string> events;
      for (int i = 0; i < (way == Way::kTinyEpochs ? 60 : 300); i++) {
        events.push_back(Event(5000 + i * 300 - static_cast<int>(random() % 4000), random));
        if (random() % 10 == 0) events.push_back(events.back());
      }
      Append(*runtime, "events", partition, events);
    }
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  for (const Case& c : kCases) {
    auto streamed = Rows(*runtime, fmt::format("SELECT * FROM out_{}", c.name));
    auto batch = Rows(*runtime, c.batch);
    EXPECT_EQ(streamed, batch) << c.name;
    EXPECT_EQ(batch.empty(), seed == 0) << c.name << ": the case tests nothing";
  }
  EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM millrace.dead_letters"),
            std::vector<std::string>{"0|"});
}

INSTANTIATE_TEST_SUITE_P(Seeds, RowFields,
                         ::testing::Combine(::testing::Range(0, 3),
                                            ::testing::ValuesIn(kEveryWay)));

// A late row's dead letter holds all of the record, also the fields that the query does not read.
TEST(RowFieldsLate, KeepTheWholeRecord) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        std::string(kTables) +
            "CREATE TABLE counts (c BIGINT) WITH ('connector' = 'jdbc', 'url' = "
            "'jdbc:postgresql://x/y', 'table-name' = 'counts');\n"
            "INSERT INTO counts SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE as_b, DESCRIPTOR(ts), "
            "INTERVAL '10' SECOND)) GROUP BY window_start, window_end;");
  const std::string late = R"({"kind":1,"b":{"id":7,"price":1.50,"at":"2026-03-01 10:00:03"}})";
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "events", 0,
           {R"({"kind":1,"b":{"id":1,"at":"2026-03-01 10:00:01"}})",
            R"({"kind":0,"a":{"id":1,"at":"2026-03-01 10:00:20"}})", late});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT c FROM counts"), std::vector<std::string>{"1|"});
  EXPECT_EQ(Rows(*runtime, "SELECT kind, value FROM millrace.dead_letters"),
            std::vector<std::string>{"late|" + late + "|"});
}

}  // namespace
}  // namespace millrace::project
