// JOIN … FOR SYSTEM_TIME AS OF an event time, against DuckDB's ASOF JOIN over all versions.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE orders (
  id BIGINT, k STRING, n INT, event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE rates (
  k STRING, rate INT, changed TIMESTAMP(3) METADATA FROM 'value.source.timestamp' VIRTUAL,
  WATERMARK FOR changed AS changed - INTERVAL '5' SECOND,
  PRIMARY KEY (k) NOT ENFORCED
) WITH ('connector' = 'kafka', 'topic' = 'rates', 'properties.bootstrap.servers' = 'x',
        'format' = 'debezium-json', 'scan.startup.mode' = 'earliest-offset',
        'scan.bounded.mode' = 'latest-offset');
CREATE TABLE quotes (
  k STRING, rate INT, changed TIMESTAMP(3),
  WATERMARK FOR changed AS changed - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'quotes', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE VIEW last_quotes AS
  SELECT k, rate, changed FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY k ORDER BY changed DESC) AS rn FROM quotes)
  WHERE rn = 1;
CREATE VIEW priced AS
  SELECT o.id, o.k, o.event_time, r.rate FROM orders AS o
  JOIN rates FOR SYSTEM_TIME AS OF o.event_time AS r ON o.k = r.k;
)";

struct Query {
  const char* columns;
  const char* text;
  const char* batch;  // orders, rates and quotes are all rows and versions; removed ones are marked
};

constexpr const char* kPairs = "id BIGINT, k STRING, rate INT, changed TIMESTAMP(3)";
const std::vector<Query> kQueries = {
    {kPairs,
     "SELECT o.id, r.k, r.rate, r.changed FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF "
     "o.event_time AS r ON o.k = r.k",
     "SELECT id, r.k, rate, changed FROM orders o ASOF JOIN rates r ON o.k = r.k AND o.event_time "
     ">= r.changed WHERE NOT removed"},
    {kPairs,
     "SELECT o.id, r.k, r.rate, r.changed FROM orders AS o LEFT JOIN rates FOR SYSTEM_TIME AS OF "
     "o.event_time AS r ON o.k = r.k",
     "SELECT id, if(removed, NULL, r.k), if(removed, NULL, rate), if(removed, NULL, changed) FROM "
     "orders o ASOF LEFT JOIN rates r ON o.k = r.k AND o.event_time >= r.changed"},
    {kPairs,
     "SELECT o.id, r.k, r.rate, r.changed FROM orders AS o LEFT JOIN rates FOR SYSTEM_TIME AS OF "
     "o.event_time AS r ON o.k = r.k AND r.rate > o.n AND r.rate < 9",
     "SELECT id, if(ok, k, NULL), if(ok, rate, NULL), if(ok, changed, NULL) FROM (SELECT id, r.k, "
     "rate, changed, NOT removed AND rate > n AND rate < 9 AS ok FROM orders o ASOF LEFT JOIN "
     "rates r ON o.k = r.k AND o.event_time >= r.changed)"},
    {kPairs,
     "SELECT o.id, r.k, r.rate, r.changed FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF "
     "o.event_time AS r ON o.k = r.k WHERE r.rate > 4 AND o.n <> 2",
     "SELECT id, r.k, rate, changed FROM orders o ASOF JOIN rates r ON o.k = r.k AND o.event_time "
     ">= r.changed WHERE NOT removed AND rate > 4 AND n <> 2"},
    {kPairs,
     "SELECT o.id, q.k, q.rate, q.changed FROM orders AS o LEFT JOIN last_quotes FOR SYSTEM_TIME "
     "AS OF o.event_time AS q ON UPPER(o.k) = q.k",
     "SELECT id, q.k, rate, changed FROM orders o ASOF LEFT JOIN quotes q ON upper(o.k) = q.k AND "
     "o.event_time >= q.changed"},
    {"e TIMESTAMP(3), k STRING, c BIGINT, s BIGINT",
     "SELECT window_end, k, COUNT(*), SUM(rate) FROM TABLE(TUMBLE(TABLE priced, "
     "DESCRIPTOR(event_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k",
     "SELECT time_bucket(INTERVAL '10' SECOND, event_time) + INTERVAL '10' SECOND, o.k, count(*), "
     "sum(rate) FROM orders o ASOF JOIN rates r ON o.k = r.k AND o.event_time >= r.changed WHERE "
     "NOT removed GROUP BY ALL"}};

std::string TimeText(int64_t at_ms) {
  const auto seconds = static_cast<std::time_t>(at_ms / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     at_ms % 1000);
}

// Orders and versions out of order by up to 4 s; with `late` some by more than the watermark
// allows.
class Market {
 public:
  Market(unsigned seed, bool late) : random_(seed), late_(late) {}

  void Make(int partitions, int events) {
    for (int i = 0; i < events; i++) {
      time_ms_ += Pick(800);
      AddOrder(i, i % partitions);
      if (Pick(2) == 0) AddVersion("rates", partitions);
      if (Pick(2) == 0) AddVersion("quotes", partitions);
    }
  }

  void Write(log::Log& log) {
    for (const auto& [where, values] : topics_) {
      for (size_t i = 0; i < values.size(); i += 4) {
        std::vector<log::NewRecord> records;
        for (size_t v = i; v < std::min(i + 4, values.size()); v++) {
          records.emplace_back().value = values[v];
        }
        auto written = log.AppendAndWait(where.first, where.second, records);
        ASSERT_TRUE(written.ok()) << written.status().ToString();
      }
    }
  }

  // WITH clause that defines the three as DuckDB reads them.
  std::string With() const {
    auto values = [](const std::string& columns, const std::string& none,
                     std::vector<std::string> rows) {
      rows.push_back(none);
      return fmt::format("(SELECT * FROM (VALUES {}) v({}) WHERE k_known)", Join(rows, ", "),
                         columns);
    };
    return fmt::format(
        "WITH orders AS MATERIALIZED {}, rates AS MATERIALIZED {}, quotes AS MATERIALIZED {} ",
        values("id, k, n, event_time, k_known",
               "(0::BIGINT, ''::VARCHAR, 0::INTEGER, TIMESTAMP '1970-01-01', false)", orders_),
        values("k, rate, changed, removed, k_known",
               "(''::VARCHAR, 0::INTEGER, TIMESTAMP '1970-01-01', false, false)",
               versions_.count("rates") ? versions_.at("rates") : std::vector<std::string>{}),
        values("k, rate, changed, removed, k_known",
               "(''::VARCHAR, 0::INTEGER, TIMESTAMP '1970-01-01', false, false)",
               versions_.count("quotes") ? versions_.at("quotes") : std::vector<std::string>{}));
  }

 private:
  int Pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  int64_t Time() { return time_ms_ - Pick(4000) - (late_ && Pick(8) == 0 ? Pick(20'000) : 0); }

  void AddOrder(int id, int partition) {
    const int64_t at = Time();
    const int k = Pick(7), n = Pick(8);
    const std::string key = k == 6 ? "null" : fmt::format("\"K{}\"", k);
    topics_[{"orders", partition}].push_back(
        fmt::format(R"({{"id":{},"k":{},"n":{},"event_time":"{}"}})", id, key, n, TimeText(at)));
    orders_.push_back(fmt::format("({}, {}, {}, TIMESTAMP '{}', true)", id,
                                  k == 6 ? "NULL" : fmt::format("'K{}'", k), n, TimeText(at)));
  }

  void AddVersion(const std::string& topic, int partitions) {
    const int k = Pick(5);  // K5 has none
    int64_t at = Time();
    while (!times_.insert({topic, k, at}).second) at--;
    const bool removed = topic == "rates" && Pick(4) == 0;
    const std::string rate = Pick(9) == 0 ? "null" : std::to_string(Pick(12));
    std::string value;
    if (topic == "quotes") {
      value = fmt::format(R"({{"k":"K{}","rate":{},"changed":"{}"}})", k, rate, TimeText(at));
    } else {
      const std::string row = fmt::format(R"({{"k":"K{}","rate":{}}})", k, rate);
      value = fmt::format(R"({{"before":{},"after":{},"source":{{"ts_ms":{}}},"op":"{}"}})",
                          removed ? row : "null", removed ? "null" : row, at, removed ? "d" : "u");
    }
    topics_[{topic, k % partitions}].push_back(value);
    versions_[topic].push_back(
        fmt::format("('K{}', {}, TIMESTAMP '{}', {}, true)", k, rate, TimeText(at), removed));
  }

  std::mt19937 random_;
  const bool late_;
  int64_t time_ms_ = 1'700'000'000'000;
  std::set<std::tuple<std::string, int, int64_t>> times_;
  std::vector<std::string> orders_;
  std::map<std::string, std::vector<std::string>> versions_;
  std::map<std::pair<std::string, int>, std::vector<std::string>> topics_;
};

// What the queries' tables hold in the end.
std::vector<std::vector<std::string>> RunQueries(Market& market, int seed, Way way,
                                                 std::vector<std::vector<std::string>>* expected) {
  std::vector<std::vector<std::string>> results;
  TempDirectory directory;
  std::string script = kTables + SettingsOf(way);
  for (size_t q = 0; q < kQueries.size(); q++) {
    script += fmt::format(
        "CREATE TABLE out_{0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{0}');\nINSERT INTO out_{0} {2};\n",
        q, kQueries[q].columns, kQueries[q].text);
  }
  Write(directory.path() + "/sql/a.sql", script);
  Write(directory.path() + "/millrace.yml",
        fmt::format("topics:\n  orders: {{partitions: {0}}}\n  rates: {{partitions: {0}}}\n"
                    "  quotes: {{partitions: {0}}}\n",
                    1 + seed % 3));
  {
    auto runtime = Open(directory.path(), false);
    if (!runtime) return results;
    market.Write(runtime->log());
  }
  std::mt19937 random(static_cast<unsigned>(seed));
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  if (!runtime) return results;
  for (size_t q = 0; q < kQueries.size(); q++) {
    results.push_back(Rows(*runtime, fmt::format("SELECT * FROM out_{}", q)));
    if (expected) expected->push_back(Rows(*runtime, market.With() + kQueries[q].batch));
  }
  return results;
}

class TemporalJoins : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(TemporalJoins, FindTheVersionOfTheirTime) {
  const auto [seed, way] = GetParam();
  Market market(static_cast<unsigned>(seed) * 101u + 1, false);
  market.Make(1 + seed % 3, seed == 0 ? 0 : way == Way::kTinyEpochs ? 60 : 250);
  std::vector<std::vector<std::string>> expected;
  const auto results = RunQueries(market, seed, way, &expected);
  ASSERT_EQ(results.size(), kQueries.size());
  for (size_t q = 0; q < kQueries.size(); q++) {
    EXPECT_EQ(results[q], expected[q]) << kQueries[q].text;
    EXPECT_EQ(results[q].empty(), seed == 0) << kQueries[q].text;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TemporalJoins,
                         ::testing::Combine(::testing::Range(0, 4),
                                            ::testing::ValuesIn(kEveryWay)));

// What is late is judged by its own split: so the answer does not depend on the pace.
TEST(TemporalJoin, AnswersTheSameWithLateRowsInEveryWay) {
  for (int seed : {1, 2, 3}) {
    Market market(static_cast<unsigned>(seed) * 7u + 3, true);
    market.Make(1 + seed % 3, 80);
    const auto straight = RunQueries(market, seed, Way::kStraight, nullptr);
    ASSERT_EQ(straight.size(), kQueries.size());
    for (Way way : {Way::kTinyEpochs, Way::kRestarts, Way::kShards, Way::kShardRestarts}) {
      EXPECT_EQ(RunQueries(market, seed, way, nullptr), straight)
          << seed << " " << static_cast<int>(way);
    }
  }
}

}  // namespace
}  // namespace millrace::project
