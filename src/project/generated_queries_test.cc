// Generated queries against the oracle: window functions as a stream, run several ways, must give
// what DuckDB computes as a batch over the same input. See stream_oracle_test.cc for the ways.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>
#include <set>
#include <thread>

#include "project/project_fixture.h"
#include "project/query_generator.h"
#include "sql/rewriter.h"

namespace millrace::project {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE t (
  id BIGINT, k STRING, g INT, n INT, price DECIMAL(10, 2), event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE late_t WITH ('topic' = 'late_t') LIKE t;
CREATE TABLE unique_t WITH ('topic' = 'unique_t') LIKE t;
)";

std::string Replace(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

// Rows with NULLs, ties, and duplicates in all but their id; up to 4 s out of order; in topic
// "late_t" some of them up to 20 s; in topic "unique_t" no two of the same time.
void Produce(log::Log& log, const std::string& topic, int partitions, int events,
             std::mt19937& random) {
  const bool with_late = topic == "late_t";
  const bool unique = topic == "unique_t";
  std::set<int64_t> times;
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  int64_t id = 0;
  for (int p = 0; p < partitions; p++) {
    int64_t time_ms = 1'700'000'000'000;
    std::vector<std::string> values;
    for (int i = 0; i < events; i++) {
      time_ms += pick(700);
      int64_t at = time_ms - pick(4000) - (with_late && pick(20) == 0 ? pick(16000) : 0);
      at -= pick(2) ? at % 1000 : 0;  // ties in time
      while (unique && !times.insert(at).second) at++;
      std::time_t seconds = static_cast<std::time_t>(at / 1000);
      std::tm parts{};
      gmtime_r(&seconds, &parts);
      std::string time = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
                                     parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                     parts.tm_hour, parts.tm_min, parts.tm_sec, at % 1000);
      int k = pick(6);
      std::string rest = fmt::format(
          R"("k":{},"g":{},"n":{},"price":{}.{},"event_time":"{}")",
          k == 5 ? "null" : fmt::format("\"{}\"", std::string(static_cast<size_t>(k) * 4, 'a')),
          pick(3), pick(8) == 7 ? "null" : std::to_string(pick(7)), pick(5), pick(3) + 10, time);
      for (int copies = pick(10) == 0 && !unique ? 2 : 1; copies > 0; copies--) {
        values.push_back(fmt::format("{{\"id\":{},{}}}", ++id, rest));
      }
    }
    std::vector<log::NewRecord> records(values.size());
    for (size_t i = 0; i < values.size(); i++) records[i].value = values[i];
    // In batches, which are what the smallest epoch reads.
    for (size_t i = 0; i < records.size(); i += 7) {
      auto written =
          log.AppendAndWait(topic, p, {&records[i], std::min<size_t>(7, records.size() - i)});
      ASSERT_TRUE(written.ok()) << written.status().ToString();
    }
  }
}

std::string BatchText(const GeneratedQuery& query, const std::string& job) {
  std::string table = query.table;
  if (query.refuses_late) {
    table = fmt::format(
        "(SELECT * FROM {} WHERE id NOT IN (SELECT CAST(json_extract_string(value, '$.id') AS "
        "BIGINT) "
        "FROM millrace.dead_letters WHERE job = '{}'))",
        query.table, job);
  }
  if (!query.batch.empty()) return Replace(query.batch, "{t}", table);
  sql::Fragment fragment;
  // In FROM a table in brackets stands for itself; a window wants the word TABLE before either.
  fragment.text = Replace(query.text, "{t}", table);
  auto rewritten = sql::RewriteQuery(fragment);
  if (!rewritten.ok()) ADD_FAILURE() << fragment.text << "\n" << rewritten.status().ToString();
  return rewritten.ok() ? rewritten->text : "";
}

// What the SETs of one query must not leave to the next.
constexpr const char* kNoSettings =
    "SET 'millrace.late-rows' = 'dead-letter';\nSET 'millrace.allowed-lateness' = '0 s';\n"
    "SET 'millrace.emit' = 'final';\nSET 'table.exec.emit.early-fire.delay' = '0 s';\n"
    "SET 'table.exec.emit.late-fire.enabled' = 'false';\n";

void ExpectEqualToTheirBatch(const std::vector<GeneratedQuery>& queries, int seed, Way way) {
  TempDirectory directory;
  std::string script = kTables;
  script += SettingsOf(way);
  auto sink = [&](size_t i) { return fmt::format("out_{}", i); };
  for (size_t i = 0; i < queries.size(); i++) {
    script += fmt::format(
        "{}{}CREATE TABLE {} ({}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = '{}');\nINSERT INTO {} {};\n",
        kNoSettings, queries[i].settings, sink(i), queries[i].columns, sink(i), sink(i),
        Replace(queries[i].text, "{t}", queries[i].table));
  }
  Write(directory.path() + "/sql/all.sql", script);
  int partitions = 1 + seed % 3;
  Write(directory.path() + "/millrace.yml",
        fmt::format("topics:\n  t: {{partitions: {0}}}\n  late_t: {{partitions: {0}}}\n"
                    "  unique_t: {{partitions: {0}}}\n",
                    partitions));
  std::mt19937 random(static_cast<unsigned>(seed) * 7919u + 1);
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    int events = seed == 0 ? 0 : way == Way::kTinyEpochs ? 60 : 200;
    for (const char* topic : {"t", "late_t", "unique_t"}) {
      Produce(runtime->log(), topic, partitions, events, random);
    }
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  size_t with_rows = 0;
  for (size_t i = 0; i < queries.size(); i++) {
    auto streamed = Rows(*runtime, "SELECT * FROM " + sink(i));
    with_rows += !streamed.empty();
    EXPECT_EQ(streamed, Rows(*runtime, BatchText(queries[i], sink(i))))
        << queries[i].name << ": " << queries[i].settings << queries[i].text;
  }
  EXPECT_GE(with_rows * 10, seed > 0 ? queries.size() * 8 : 0) << "too many queries test nothing";
}

class GeneratedQueries : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(GeneratedQueries, EqualTheirBatch) {
  auto [seed, way] = GetParam();
  QueryGenerator generator(static_cast<unsigned>(seed) * 31u + 7);
  std::vector<GeneratedQuery> queries;
  for (int i = 0; i < 3; i++) {
    queries.push_back(generator.TopN());
    queries.push_back(generator.TopNOfUpdates());
    queries.push_back(generator.SumOfTopN());
    queries.push_back(generator.Limit());
    queries.push_back(generator.WindowTopN());
    queries.push_back(generator.Over());
    queries.push_back(generator.Over());
    queries.push_back(generator.Session());
    queries.push_back(generator.Session());
    queries.push_back(generator.GroupWindow());
    queries.push_back(generator.GroupingSets());
    queries.push_back(generator.Aggregates());
    queries.push_back(generator.Aggregates());
  }
  ExpectEqualToTheirBatch(queries, seed, way);
}

TEST_P(GeneratedQueries, EqualTheirBatchWhenTheyUpdate) {
  auto [seed, way] = GetParam();
  QueryGenerator generator(static_cast<unsigned>(seed) * 37u + 11);
  std::vector<GeneratedQuery> queries;
  for (int i = 0; i < 4; i++) {
    queries.push_back(generator.UpdatingWindows());
    queries.push_back(generator.UpdatingWindows());
    queries.push_back(generator.UpdatingOver());
    queries.push_back(generator.UpdatingOver());
  }
  queries.push_back(generator.TimeSort());
  queries.push_back(generator.NotInSeveral());
  queries.push_back(generator.TotalOfUpdates());
  ExpectEqualToTheirBatch(queries, seed, way);
}

INSTANTIATE_TEST_SUITE_P(Seeds, GeneratedQueries,
                         ::testing::Combine(::testing::Range(0, 6),
                                            ::testing::ValuesIn(kEveryWay)));

}  // namespace
}  // namespace millrace::project
