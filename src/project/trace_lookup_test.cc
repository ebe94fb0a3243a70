// Traces through look-ups, HTTP functions and temporal joins: the service never answers the same
// twice, so a trace agrees with the sink only if it was computed with the answers of then.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/strings.h"
#include "project/project_fixture.h"
#include "project/trace_fixture.h"
#include "tests/support/http_service.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int kPartitions = 2;

// Answers each row that it is asked with the next number, and counts the requests.
class Counter {
 public:
  Counter() : service_([this](const test::HttpRequest& request) { return Answer(request); }) {}
  std::string Url() { return service_.Url("/score"); }
  int requests() const { return requests_; }

 private:
  test::HttpAnswer Answer(const test::HttpRequest& request) {
    requests_++;
    simdjson::dom::parser parser;
    const simdjson::dom::element document = parser.parse(simdjson::padded_string(request.body));
    std::vector<std::string> results;
    for (size_t i = 0; i < document["rows"].get_array().value().size(); i++) {
      results.push_back(std::to_string(++last_));
    }
    return {200, "{\"version\": \"m7\", \"results\": [" + Join(results, ", ") + "]}", 0};
  }

  std::atomic<int> requests_{0};
  std::atomic<int> last_{0};
  test::HttpService service_;
};

std::string Script(const std::string& url, const std::string& cache) {
  return fmt::format(R"(
CREATE TABLE orders (id BIGINT, customer STRING, currency STRING, amount INT, at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '2' SECOND)
WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE rates (currency STRING, rate INT, version INT, at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '2' SECOND, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'upsert-kafka', 'topic' = 'rates', 'properties.bootstrap.servers' = 'x',
  'key.format' = 'raw', 'value.format' = 'json', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE customers (customer STRING, country STRING) WITH ('connector' = 'warehouse');
CREATE FUNCTION score(amount INT, country STRING) RETURNS BIGINT LANGUAGE HTTP AS '{}' {};
CREATE VIEW at_rate AS SELECT o.id, o.customer, o.amount, r.rate, r.version, PROCTIME() AS proc_time
  FROM orders AS o LEFT JOIN rates FOR SYSTEM_TIME AS OF o.at AS r ON o.currency = r.currency;
CREATE TABLE priced (id BIGINT, total INT, version INT, country STRING, score BIGINT)
  WITH ('connector' = 'warehouse');
INSERT INTO priced SELECT o.id, o.amount * o.rate, o.version, c.country, score(o.amount, c.country)
  FROM at_rate AS o
  LEFT JOIN customers FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.customer = c.customer
  WHERE o.amount IS NULL OR o.amount <> 3;
)",
                     url, cache);
}

void Append(Runtime& runtime, const std::string& topic, int partition,
            std::optional<std::string> key, const std::string& value) {
  log::NewRecord record;
  if (key) record.key = *key;
  record.value = value;
  auto written = runtime.log().AppendAndWait(topic, partition, {&record, 1});
  ASSERT_TRUE(written.ok()) << written.status().ToString();
}

std::string TimeText(int64_t ms) {
  return fmt::format("2026-03-01 10:{:02}:{:02}.{:03}", ms / 60'000, ms / 1000 % 60, ms % 1000);
}

// Orders and rates: NULLs, unknown keys, duplicates, late ones.
void Produce(Runtime& runtime, std::mt19937& random, int count) {
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  auto created = runtime.warehouse().Query(
      "CREATE OR REPLACE TABLE customers AS SELECT 'c' || i AS customer, ['DE', 'FR', NULL][i % 3 "
      "+ 1] AS country FROM range(5) AS r(i)");
  ASSERT_TRUE(created.ok()) << created.status().ToString();
  int64_t ms = 0;
  std::string last;
  for (int i = 0; i < count; i++) {
    ms += pick(700);
    if (pick(3) == 0) {
      const std::string currency = pick(2) == 0 ? "EUR" : "USD";
      Append(runtime, "rates", 0, currency,
             fmt::format(R"({{"currency":"{}","rate":{},"version":{},"at":"{}"}})", currency,
                         pick(50) + 1, i, TimeText(ms)));
    }
    const int64_t at = std::max<int64_t>(0, ms - (pick(9) == 0 ? 20'000 : pick(1500)));
    const char* currency = pick(8) == 0 ? "null" : pick(2) == 0 ? "\"EUR\"" : "\"XXX\"";
    if (last.empty() || pick(8) != 0) {
      last = fmt::format(R"({{"id":{},"customer":"c{}","currency":{},"amount":{},"at":"{}"}})", i,
                         pick(7), currency, pick(6) == 0 ? "null" : std::to_string(pick(20)),
                         TimeText(at));
    }
    Append(runtime, "orders", pick(kPartitions), std::nullopt, last);
  }
}

TraceJob OnlyJob(Runtime& runtime, const TraceRecord& record) {
  auto trace = TraceOf(runtime.project(), record, AccessTo(runtime));
  EXPECT_TRUE(trace.ok()) << trace.status().ToString();
  if (!trace.ok() || trace->tables.empty() || trace->tables[0].jobs.empty()) return {};
  SCOPED_TRACE(trace->ToText());
  EXPECT_THAT(trace->ToJson(), HasSubstr("\"answers\""));
  return trace->tables[0].jobs[0];
}

std::string Line(const std::vector<CellText>& cells) {
  std::string line;
  for (const CellText& cell : cells) line += cell.value_or("NULL") + "|";
  return line;
}

class TraceLookupTest : public testing::TestWithParam<std::tuple<Way, const char*>> {};

TEST_P(TraceLookupTest, AgreesWithTheSinkAndAsksNobody) {
  const auto [way, cache] = GetParam();
  std::mt19937 random(11);
  Counter counter;
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml",
        fmt::format("name: t\ntopics:\n  orders: {{partitions: {}}}\n", kPartitions));
  Write(directory.path() + "/sql/a.sql", SettingsOf(way) + Script(counter.Url(), cache));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Produce(*runtime, random, 90);
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  runtime->Stop();
  const auto stored = Rows(*runtime, "SELECT id, total, version, country, score FROM priced");
  ASSERT_THAT(stored, testing::Not(IsEmpty()));
  const int requests = counter.requests();
  size_t agreed = 0, late = 0, filtered = 0, versions = 0, answered = 0;
  for (int partition = 0; partition < kPartitions; partition++) {
    for (const TraceRecord& record : RecordsOf(*runtime, "orders", partition)) {
      const TraceJob job = OnlyJob(*runtime, record);
      ASSERT_THAT(job.stages, SizeIs(2));
      EXPECT_EQ(job.stages[0].name, "view at_rate");
      if (!job.letters.empty()) {
        EXPECT_EQ(job.letters[0].kind, "late");
        late++;
        continue;
      }
      const TraceStage& own = job.stages[1];
      EXPECT_EQ(own.note, "");
      if (own.made.rows.empty()) {
        filtered++;
        continue;
      }
      ASSERT_THAT(own.made.rows, SizeIs(1));
      EXPECT_THAT(stored, testing::Contains(Line(own.made.rows[0])));
      EXPECT_THAT(job.in_sink.rows, testing::Not(IsEmpty()));
      ASSERT_THAT(own.answers, SizeIs(2));
      EXPECT_EQ(own.answers[0].from, "customers");
      EXPECT_EQ(own.answers[1].from, "score()");
      EXPECT_EQ(own.answers[1].version, "m7");
      EXPECT_EQ(own.answers[1].rows.rows[0][0], own.made.rows[0][4]);
      EXPECT_GT(own.answers[1].epoch, 0);
      answered += own.answers[0].rows.rows.empty() ? 0 : 1;
      ASSERT_THAT(own.versions, SizeIs(own.made.rows[0][2] ? 1 : 0));
      if (!own.versions.empty()) {
        versions++;
        const TraceVersion& version = own.versions[0];
        EXPECT_EQ(version.table, "rates");
        ASSERT_TRUE(version.record);
        EXPECT_THAT(*version.record->value,
                    HasSubstr(fmt::format("\"version\":{},", *own.made.rows[0][2])));
      }
      agreed++;
    }
  }
  EXPECT_EQ(agreed, stored.size());
  EXPECT_GT(late, 0u);
  EXPECT_GT(filtered, 0u);
  EXPECT_GT(answered, 0u);
  EXPECT_LT(answered, agreed);
  EXPECT_GT(versions, 0u);
  EXPECT_LT(versions, agreed);
  EXPECT_EQ(counter.requests(), requests);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, TraceLookupTest,
    testing::Values(std::tuple(Way::kStraight, ""),
                    std::tuple(Way::kTinyEpochs, "WITH ('cache.expire-after-write' = '1 ms')"),
                    std::tuple(Way::kTinyEpochs, ""),
                    std::tuple(Way::kRestarts, "WITH ('cache.max-rows' = '1000')"),
                    std::tuple(Way::kShards, "")));

TEST(TraceLookup, SaysWhenAnswersAreNotKept) {
  Counter counter;
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "name: t\n");
  Write(directory.path() + "/sql/a.sql",
        "SET 'millrace.lookup.answers-kept' = '0 b';\n" + Script(counter.Url(), ""));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0, std::nullopt,
           R"({"id":1,"customer":"c1","currency":"EUR","amount":5,"at":"2026-03-01 10:00:00"})");
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  runtime->Stop();
  const TraceJob job = OnlyJob(*runtime, RecordsOf(*runtime, "orders", 0)[0]);
  ASSERT_THAT(job.stages, SizeIs(2));
  EXPECT_THAT(job.stages[0].made.rows, SizeIs(1));
  EXPECT_THAT(job.stages[1].note, HasSubstr("asks \"customers\" for customer=c1, and what"));
  EXPECT_THAT(job.stages[1].made.rows, IsEmpty());
}

}  // namespace
}  // namespace millrace::project
