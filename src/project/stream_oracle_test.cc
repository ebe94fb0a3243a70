// Streams against the oracle: each query runs as a stream over generated topics, several ways, and
// its result must equal what DuckDB computes as a batch over the same topics.
//
// Ways: straight; in tiny epochs; stopped and started again several times. The input has NULLs,
// duplicates, rows out of order (never late: those have their own test), several partitions, and,
// with seed 0, nothing at all.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>
#include <thread>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE views (
  user_id STRING, url STRING, n INT, price DECIMAL(10, 2), event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'views', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE carts (
  user_id STRING, item STRING, event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'carts', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
)";

struct Case {
  const char* name;
  const char* columns;  // of the sink
  const char* query;    // Flink SQL
  const char* batch;    // the same for DuckDB, over the topics as tables
};

const Case kCases[] = {
    {"tumble", "ws TIMESTAMP(3), we TIMESTAMP(3), url STRING, c BIGINT, u BIGINT",
     "SELECT window_start, window_end, url, COUNT(*), COUNT(DISTINCT user_id) FROM "
     "TABLE(TUMBLE(TABLE views, "
     "DESCRIPTOR(event_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, url",
     "SELECT mr_window_start(event_time, 10000000, 0), mr_window_end(event_time, 10000000, 0), "
     "url, count(*), "
     "count(DISTINCT user_id) FROM views GROUP BY ALL"},
    {"hop", "ws TIMESTAMP(3), s BIGINT, lo INT, hi DECIMAL(10, 2), av DOUBLE",
     "SELECT window_start, SUM(n), MIN(n), MAX(price), AVG(CAST(n AS DOUBLE)) FROM TABLE(HOP(TABLE "
     "views, "
     "DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '15' SECOND)) GROUP BY window_start, "
     "window_end",
     "SELECT w, sum(n), min(n), max(price), avg(n::DOUBLE) FROM (SELECT *, "
     "unnest(mr_hop_starts(event_time, "
     "5000000, 15000000, 0)) AS w FROM views) GROUP BY w"},
    {"unnested_hop", "ws TIMESTAMP(3), part STRING, c BIGINT",
     "SELECT window_start, part, COUNT(*) FROM TABLE(HOP(TABLE url_parts, DESCRIPTOR(event_time), "
     "INTERVAL '5' SECOND, INTERVAL '15' SECOND)) GROUP BY window_start, window_end, part",
     "SELECT w, part, count(*) FROM (SELECT unnest(mr_hop_starts(event_time, 5000000, 15000000, "
     "0)) AS w, part FROM (SELECT event_time, unnest(string_split(url, 'p')) AS part FROM views)) "
     "GROUP BY ALL"},
    {"cumulate", "we TIMESTAMP(3), c BIGINT",
     "SELECT window_end, COUNT(*) FROM TABLE(CUMULATE(TABLE views, DESCRIPTOR(event_time), "
     "INTERVAL '5' SECOND, "
     "INTERVAL '20' SECOND)) WHERE n > 2 GROUP BY window_start, window_end",
     "SELECT w, count(*) FROM (SELECT *, unnest(mr_cumulate_ends(event_time, 5000000, 20000000, "
     "0)) AS w FROM views "
     "WHERE n > 2) GROUP BY w"},
    {"filtered", "ws TIMESTAMP(3), a BIGINT, b BIGINT, d DECIMAL(20, 2)",
     "SELECT window_start, COUNT(*) FILTER (WHERE n > 3), COUNT(DISTINCT url) FILTER (WHERE "
     "user_id IS NOT NULL), "
     "SUM(price * n) FROM TABLE(TUMBLE(TABLE views, DESCRIPTOR(event_time), INTERVAL '7' SECOND)) "
     "GROUP BY window_start, window_end HAVING COUNT(*) > 1",
     "SELECT mr_window_start(event_time, 7000000, 0), count(*) FILTER (WHERE n > 3), "
     "count(DISTINCT url) FILTER "
     "(WHERE user_id IS NOT NULL), sum(price * n)::DECIMAL(20, 2) FROM views GROUP BY 1 HAVING "
     "count(*) > 1"},
    {"passing", "user_id STRING, up STRING, twice INT",
     "SELECT user_id, UPPER(url) || '!', n * 2 FROM views WHERE n IS NOT NULL AND n <> 4",
     "SELECT user_id, upper(url) || '!', n * 2 FROM views WHERE n IS NOT NULL AND n <> 4"},
    {"unions", "ws TIMESTAMP(3), kind STRING, c BIGINT",
     "SELECT window_start, kind, COUNT(*) FROM TABLE(TUMBLE(TABLE both_kinds, "
     "DESCRIPTOR(event_time), INTERVAL '10' "
     "SECOND)) GROUP BY window_start, window_end, kind",
     "SELECT mr_window_start(event_time, 10000000, 0), kind, count(*) FROM (SELECT 'view' AS kind, "
     "event_time FROM "
     "views UNION ALL SELECT 'cart', event_time FROM carts) GROUP BY ALL"},
    // Columns of the union that nothing reads, twice: DuckDB takes them away below the UNION ALL.
    {"pruned_union", "ws TIMESTAMP(3), url STRING, v BIGINT, a BIGINT",
     "SELECT window_start, url, v, a FROM (SELECT window_start, url, n, COUNT(DISTINCT CASE WHEN "
     "kind = 'v' THEN user_id "
     "END) AS v, COUNT(DISTINCT CASE WHEN kind = 'a' THEN user_id END) AS a FROM "
     "TABLE(TUMBLE(TABLE wide_union, "
     "DESCRIPTOR(event_time), INTERVAL '10' SECOND)) WHERE url IS NOT NULL GROUP BY window_start, "
     "window_end, url, n)",
     "SELECT mr_window_start(event_time, 10000000, 0), url, count(DISTINCT CASE WHEN kind = 'v' "
     "THEN user_id END), "
     "count(DISTINCT CASE WHEN kind = 'a' THEN user_id END) FROM (SELECT 'v' AS kind, * FROM views "
     "WHERE n <> 5 UNION ALL "
     "SELECT 'a', * FROM views) WHERE url IS NOT NULL GROUP BY 1, url, n"},
    {"updating", "url STRING, c BIGINT, u BIGINT, lo INT, PRIMARY KEY (url) NOT ENFORCED",
     "SELECT COALESCE(url, '?'), COUNT(*), COUNT(DISTINCT user_id), MIN(n) FROM views GROUP BY "
     "COALESCE(url, '?')",
     "SELECT coalesce(url, '?'), count(*), count(DISTINCT user_id), min(n) FROM views GROUP BY 1"},
    {"twice", "c BIGINT, urls BIGINT, top INT, PRIMARY KEY (c) NOT ENFORCED",
     "SELECT c, COUNT(*), MAX(hi) FROM (SELECT url, COUNT(*) AS c, MAX(n) AS hi FROM views GROUP "
     "BY url) GROUP BY c",
     "SELECT c, count(*), max(hi) FROM (SELECT url, count(*) AS c, max(n) AS hi FROM views GROUP "
     "BY url) GROUP BY c"},
    {"inner_join", "user_id STRING, url STRING, item STRING",
     "SELECT v.user_id, v.url, c.item FROM views v JOIN carts c ON v.user_id = c.user_id AND "
     "c.event_time BETWEEN "
     "v.event_time AND v.event_time + INTERVAL '8' SECOND",
     "SELECT v.user_id, v.url, c.item FROM views v JOIN carts c ON v.user_id = c.user_id AND "
     "c.event_time BETWEEN "
     "v.event_time AND v.event_time + INTERVAL '8' SECOND"},
    {"full_join", "a STRING, url STRING, b STRING, item STRING",
     "SELECT v.user_id, v.url, c.user_id, c.item FROM views v FULL JOIN carts c ON v.user_id = "
     "c.user_id AND "
     "c.event_time BETWEEN v.event_time - INTERVAL '2' SECOND AND v.event_time + INTERVAL '3' "
     "SECOND",
     "SELECT v.user_id, v.url, c.user_id, c.item FROM views v FULL JOIN carts c ON v.user_id = "
     "c.user_id AND "
     "c.event_time BETWEEN v.event_time - INTERVAL '2' SECOND AND v.event_time + INTERVAL '3' "
     "SECOND"},
    {"semi_windows", "we TIMESTAMP(3), user_id STRING, c BIGINT",
     "SELECT window_end, user_id, c FROM (SELECT window_start, window_end, user_id, COUNT(*) AS c "
     "FROM "
     "TABLE(TUMBLE(TABLE views, DESCRIPTOR(event_time), INTERVAL '10' SECOND)) GROUP BY "
     "window_start, window_end, "
     "user_id) WHERE (window_end, user_id) IN (SELECT window_end, user_id FROM TABLE(TUMBLE(TABLE "
     "carts, "
     "DESCRIPTOR(event_time), INTERVAL '10' SECOND)))",
     "SELECT w, user_id, count(*) FROM (SELECT *, mr_window_end(event_time, 10000000, 0) AS w FROM "
     "views) v WHERE EXISTS "
     "(SELECT 1 FROM carts c WHERE c.user_id = v.user_id AND mr_window_end(c.event_time, 10000000, "
     "0) = v.w) GROUP BY ALL"},
    {"anti_windows", "we TIMESTAMP(3), user_id STRING",
     "SELECT window_end, user_id FROM TABLE(TUMBLE(TABLE views, DESCRIPTOR(event_time), INTERVAL "
     "'4' SECOND)) v WHERE NOT "
     "EXISTS (SELECT 1 FROM (SELECT window_end, user_id FROM TABLE(TUMBLE(TABLE carts, "
     "DESCRIPTOR(event_time), INTERVAL '4' "
     "SECOND)) GROUP BY window_start, window_end, user_id) c WHERE c.window_end = v.window_end AND "
     "c.user_id = v.user_id)",
     "SELECT w, user_id FROM (SELECT *, mr_window_end(event_time, 4000000, 0) AS w FROM views) v "
     "WHERE NOT EXISTS (SELECT 1 "
     "FROM carts c WHERE c.user_id = v.user_id AND mr_window_end(c.event_time, 4000000, 0) = v.w)"},
    {"exists_within", "user_id STRING, url STRING, n INT",
     "SELECT user_id, url, n FROM views v WHERE EXISTS (SELECT 1 FROM carts c WHERE c.user_id = "
     "v.user_id AND "
     "c.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '8' SECOND)",
     "SELECT user_id, url, n FROM views v WHERE EXISTS (SELECT 1 FROM carts c WHERE c.user_id = "
     "v.user_id AND "
     "c.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '8' SECOND)"},
    {"not_exists_within", "user_id STRING, url STRING, n INT",
     "SELECT user_id, url, n FROM views v WHERE NOT EXISTS (SELECT 1 FROM carts c WHERE c.user_id "
     "= v.user_id AND "
     "c.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '8' SECOND)",
     "SELECT user_id, url, n FROM views v WHERE NOT EXISTS (SELECT 1 FROM carts c WHERE c.user_id "
     "= v.user_id AND "
     "c.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '8' SECOND)"},
    {"join_window", "ws TIMESTAMP(3), pairs BIGINT, users BIGINT",
     "SELECT window_start, COUNT(*), COUNT(DISTINCT user_id) FROM TABLE(TUMBLE(TABLE converted, "
     "DESCRIPTOR(event_time), "
     "INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
     "SELECT mr_window_start(v.event_time, 10000000, 0), count(*), count(DISTINCT v.user_id) FROM "
     "views v JOIN carts c "
     "ON v.user_id = c.user_id AND c.event_time BETWEEN v.event_time AND v.event_time + INTERVAL "
     "'8' SECOND GROUP BY 1"},
};

constexpr const char* kViews = R"(
CREATE VIEW both_kinds AS SELECT 'view' AS kind, event_time FROM views UNION ALL SELECT 'cart', event_time FROM carts;
CREATE VIEW wide_union AS
  SELECT 'v' AS kind, user_id, url, n, price, event_time FROM views WHERE n <> 5
  UNION ALL SELECT 'a', user_id, url, n, price, event_time FROM views;
CREATE VIEW split_urls AS SELECT event_time, string_split(url, 'p') AS parts FROM views;
CREATE VIEW url_parts AS SELECT event_time, part FROM split_urls CROSS JOIN UNNEST(parts) AS t(part);
CREATE VIEW converted AS SELECT v.user_id, v.event_time FROM views v JOIN carts c ON v.user_id = c.user_id
  AND c.event_time BETWEEN v.event_time AND v.event_time + INTERVAL '8' SECOND;
)";

// Events per partition in an order that is never more than 4 s behind the newest.
void Produce(log::Log& log, const std::string& topic, int partitions, int events,
             std::mt19937& random) {
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  for (int p = 0; p < partitions; p++) {
    int64_t time_ms = 1'700'000'000'000;
    for (int i = 0; i < events; i++) {
      time_ms += pick(700);
      int64_t at = time_ms - pick(4000);
      auto text = [&](const char* prefix, int n) {
        int k = pick(n + 1);
        return k == n ? std::string("null") : fmt::format("\"{}{}\"", prefix, k);
      };
      std::time_t seconds = static_cast<std::time_t>(at / 1000);
      std::tm parts{};
      gmtime_r(&seconds, &parts);
      std::string time = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
                                     parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                     parts.tm_hour, parts.tm_min, parts.tm_sec, at % 1000);
      std::string value =
          topic == "views"
              ? fmt::format(R"({{"user_id":{},"url":{},"n":{},"price":{}.{},"event_time":"{}"}})",
                            text("u", 6), text("/p", 4),
                            pick(8) == 7 ? "null" : std::to_string(pick(7)), pick(100),
                            pick(90) + 10, time)
              : fmt::format(R"({{"user_id":{},"item":{},"event_time":"{}"}})", text("u", 6),
                            text("i", 3), time);
      int copies = pick(10) == 0 ? 2 : 1;
      for (int c = 0; c < copies; c++) {
        log::NewRecord record;
        record.value = value;
        auto written = log.AppendAndWait(topic, p, {&record, 1});
        ASSERT_TRUE(written.ok()) << written.status().ToString();
      }
    }
  }
}

class StreamOracle : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(StreamOracle, EveryQueryEqualsItsBatch) {
  auto [seed, way] = GetParam();
  std::mt19937 random(static_cast<unsigned>(seed) * 7919u + 1);
  TempDirectory directory;
  std::string script = kTables;
  script += kViews;
  script += SettingsOf(way);
  for (const Case& c : kCases) {
    script += fmt::format(
        "CREATE TABLE out_{} ({}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{}');\nINSERT INTO out_{} {};\n",
        c.name, c.columns, c.name, c.name, c.query);
  }
  Write(directory.path() + "/sql/all.sql", script);
  int partitions = 1 + seed % 3;
  Write(directory.path() + "/millrace.yml",
        fmt::format("topics:\n  views: {{partitions: {}}}\n  carts: {{partitions: 2}}\n",
                    partitions));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    int events = way == Way::kTinyEpochs ? 60 : way == Way::kShards ? 2'500 : 200;
    if (seed == 0) events = 0;
    Produce(runtime->log(), "views", partitions, events, random);
    Produce(runtime->log(), "carts", 2, events, random);
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  std::atomic<bool> stop{false};
  Status ended = runtime->WaitForJobs(nullptr, stop);
  ASSERT_TRUE(ended.ok()) << ended.ToString();
  for (const Case& c : kCases) {
    std::string sink = fmt::format("out_{}", c.name);
    auto streamed = Rows(*runtime, "SELECT * FROM " + sink);
    auto batch = Rows(*runtime, c.batch);
    EXPECT_EQ(streamed, batch) << c.name;
    EXPECT_EQ(batch.empty(), seed == 0) << c.name << ": the case tests nothing";
  }
  EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM millrace.dead_letters"),
            std::vector<std::string>{"0|"});
}

INSTANTIATE_TEST_SUITE_P(Seeds, StreamOracle,
                         ::testing::Combine(::testing::Range(0, 4),
                                            ::testing::ValuesIn(kEveryWay)));

}  // namespace
}  // namespace millrace::project
