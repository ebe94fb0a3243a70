// Lookup joins against real systems: what they give equals the join that DuckDB makes of the same
// rows; answers survive a crash; a system that is away for a while costs time and nothing else.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "connectors/jdbc/postgres_client.h"
#include "connectors/redis/redis_client.h"
#include "project/project_fixture.h"
#include "project/stepped_job.h"
#include "tests/support/postgres_server.h"
#include "tests/support/redis_server.h"

namespace millrace::project {
namespace {

struct Rate {
  std::string currency;
  int64_t rate;
  std::string note;  // "": NULL
};

// What the side system holds. `several`: rows of one key.
std::vector<Rate> Rates(bool several) {
  std::vector<Rate> rates = {{"EUR", 10, "euro"},
                             {"USD", 25, "it's \"the\" dollar"},
                             {"GBP", 40, ""},
                             {"JPY", 55, "never asked"},
                             {"ÅÄÖ", 7, "ünicode"}};
  if (several)
    rates.insert(rates.end(), {{"USD", 26, "again"}, {"USD", 25, "it's \"the\" dollar"}});
  return rates;
}

std::string SqlRows(const std::vector<Rate>& rates) {
  std::vector<std::string> rows;
  for (const Rate& rate : rates) {
    std::string note = rate.note.empty() ? "NULL" : QuoteLiteral(rate.note);
    rows.push_back(fmt::format("({}, {}, {})", QuoteLiteral(rate.currency), rate.rate, note));
  }
  return Join(rows, ", ");
}

struct Order {
  int64_t id;
  std::string currency;  // "": NULL
  int64_t amount;
};

// Known keys, unknown ones, NULLs, and some orders twice.
std::vector<Order> Orders(size_t count, std::mt19937& random) {
  const std::vector<std::string> currencies = {"EUR", "USD", "GBP", "ÅÄÖ", "XXX", "eur", ""};
  std::vector<Order> orders;
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && random() % 10 == 0) {
      orders.push_back(orders[random() % orders.size()]);
      continue;
    }
    orders.push_back({static_cast<int64_t>(i), currencies[random() % currencies.size()],
                      static_cast<int64_t>(random() % 50)});
  }
  return orders;
}

std::string JsonOf(const Order& order) {
  std::string currency = order.currency.empty() ? "null" : "\"" + order.currency + "\"";
  return fmt::format(R"({{"id":{},"currency":{},"amount":{}}})", order.id, currency, order.amount);
}

constexpr int kPartitions = 3;

void AppendOrders(Runtime& runtime, const std::vector<Order>& orders, std::mt19937& random) {
  std::vector<std::vector<std::string>> values(kPartitions);
  for (const Order& order : orders) values[random() % kPartitions].push_back(JsonOf(order));
  for (int p = 0; p < kPartitions; p++)
    Append(runtime, "orders", p, values[static_cast<size_t>(p)]);
}

std::string Topics() {
  return fmt::format("topics:\n  orders: {{partitions: {}}}\n", kPartitions);
}

std::string OrdersTable(bool bounded) {
  return fmt::format(R"(
CREATE TABLE orders (id BIGINT, currency STRING, amount BIGINT, proc_time AS PROCTIME()) WITH (
  'connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset'{});
)",
                     bounded ? ", 'scan.bounded.mode' = 'latest-offset'" : "");
}

std::string RatesTable(const std::string& with) {
  return "CREATE TABLE rates (currency STRING, rate BIGINT, note STRING) WITH (" + with + ");\n";
}

constexpr const char* kQueries = R"(
CREATE TABLE matched (id BIGINT, currency STRING, amount BIGINT, rate BIGINT, note STRING)
  WITH ('connector' = 'warehouse');
CREATE TABLE padded (id BIGINT, rate BIGINT, note STRING, twice BIGINT)
  WITH ('connector' = 'warehouse');
CREATE TABLE fixed (id BIGINT, note STRING) WITH ('connector' = 'warehouse');
CREATE TABLE totals (currency STRING, n BIGINT, total BIGINT, PRIMARY KEY (currency) NOT ENFORCED)
  WITH ('connector' = 'warehouse');
INSERT INTO matched SELECT o.id, r.currency, o.amount, r.rate, r.note FROM orders AS o
  JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON UPPER(o.currency) = r.currency;
INSERT INTO padded SELECT o.id, r.rate, r.note, o.amount * 2 FROM orders AS o
  LEFT JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r
  ON o.currency = r.currency AND r.rate + o.amount > 40 AND o.amount <> 3 AND r.rate <> 26;
INSERT INTO fixed SELECT o.id, r.note FROM (SELECT id, amount, PROCTIME() AS at FROM orders) o
  JOIN rates FOR SYSTEM_TIME AS OF o.at AS r ON r.currency = 'USD' AND r.rate = o.amount;
INSERT INTO totals SELECT r.currency, COUNT(*), SUM(o.amount * r.rate) FROM orders AS o
  JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency GROUP BY r.currency;
)";

// The same, by DuckDB over the same rows.
void ExpectTheSame(Runtime& runtime, const std::vector<Order>& orders,
                   const std::vector<Rate>& rates) {
  std::vector<std::string> rows;
  for (const Order& order : orders) {
    std::string currency = order.currency.empty() ? "NULL" : QuoteLiteral(order.currency);
    rows.push_back(fmt::format("({}, {}, {})", order.id, currency, order.amount));
  }
  const std::string with = fmt::format(
      "WITH o(id, currency, amount) AS (VALUES {}), r(currency, rate, note) AS (VALUES {}) ",
      rows.empty() ? "(NULL, NULL, NULL)" : Join(rows, ", "), SqlRows(rates));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM matched"),
            Rows(runtime, with + "SELECT id, r.currency, amount, rate, note FROM o JOIN r ON "
                                 "upper(o.currency) = r.currency"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM padded"),
            rows.empty()
                ? std::vector<std::string>{}
                : Rows(runtime, with + "SELECT id, rate, note, amount * 2 FROM o LEFT JOIN "
                                       "r ON o.currency = r.currency AND rate + amount > "
                                       "40 AND amount <> 3 AND rate <> 26"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM fixed"),
            Rows(runtime, with + "SELECT id, note FROM o JOIN r ON r.currency = 'USD' AND rate = "
                                 "amount"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM totals"),
            Rows(runtime, with + "SELECT r.currency, count(*), sum(amount * rate) FROM o JOIN r ON "
                                 "o.currency = r.currency GROUP BY 1"));
}

void RunEveryWay(const std::string& side, const std::vector<Rate>& rates,
                 const std::function<void(const std::string& directory)>& prepare,
                 const std::vector<Way>& ways) {
  for (Way way : ways) {
    for (size_t count : {size_t{0}, size_t{300}}) {
      if (count == 0 && way != Way::kStraight) continue;
      SCOPED_TRACE(fmt::format("{} way {} rows {}", side, static_cast<int>(way), count));
      std::mt19937 random(static_cast<uint32_t>(way) + 7);
      const std::vector<Order> orders = Orders(count, random);
      TempDirectory directory;
      Write(directory.path() + "/millrace.yml",
            "name: t\ntarget: real\ntargets:\n  real:\n    embedded: [kafka]\n" + Topics());
      Write(directory.path() + "/sql/a.sql",
            SettingsOf(way) + OrdersTable(true) + RatesTable(side) + kQueries);
      prepare(directory.path());
      {
        auto runtime = Open(directory.path(), false);
        ASSERT_NE(runtime, nullptr);
        AppendOrders(*runtime, orders, random);
      }
      RestartOnTheWay(way, directory.path(), random);
      auto runtime = RunToEnd(directory.path());
      ASSERT_NE(runtime, nullptr);
      if (count > 0) ExpectTheSame(*runtime, orders, rates);
    }
  }
}

const std::vector<Way> kAllWays(std::begin(kEveryWay), std::end(kEveryWay));
const std::vector<Way> kSomeWays = {Way::kStraight, Way::kShardRestarts};

using connectors::redis::RedisClient;

class Redis {
 public:
  Redis() : server(test::RedisServer::Start()) {
    if (server) Reconnect();
  }
  void Reconnect() {
    auto address = connectors::redis::ParseRedisUrl(server->Url());
    client_ = std::make_unique<RedisClient>(*address);
    Status connected = client_->Connect();
    EXPECT_TRUE(connected.ok()) << connected.ToString();
  }
  void Do(const RedisClient::Command& command) {
    Status done = client_->Run({command}, [](size_t, const redisReply& reply) {
      EXPECT_NE(reply.type, REDIS_REPLY_ERROR) << reply.str;
    });
    EXPECT_TRUE(done.ok()) << done.ToString();
  }
  void SetHash(const Rate& rate) {
    RedisClient::Command command = {"HSET", "rate:" + rate.currency, "rate",
                                    std::to_string(rate.rate)};
    if (!rate.note.empty()) command.insert(command.end(), {"note", rate.note});
    Do(command);
  }
  std::string With(const std::string& more = "") const {
    return fmt::format("'connector' = 'redis', 'url' = '{}', 'key' = 'rate:{{currency}}'{}",
                       server->Url(), more);
  }
  std::unique_ptr<test::RedisServer> server;

 private:
  std::unique_ptr<RedisClient> client_;
};

TEST(LookupJoin, RedisHashes) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  Redis redis;
  ASSERT_NE(redis.server, nullptr);
  for (const Rate& rate : Rates(false)) redis.SetHash(rate);
  RunEveryWay(
      redis.With(), Rates(false), [](const std::string&) {}, kAllWays);
  RunEveryWay(
      redis.With(", 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '2'"),
      Rates(false), [](const std::string&) {}, kAllWays);
}

TEST(LookupJoin, RedisDocuments) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  Redis redis;
  ASSERT_NE(redis.server, nullptr);
  for (const Rate& rate : Rates(false)) {
    std::string note = rate.note.empty() ? "null" : JsonQuote(rate.note);
    redis.Do({"SET", "rate:" + rate.currency,
              fmt::format(R"({{"rate":{},"note":{}}})", rate.rate, note)});
  }
  RunEveryWay(
      redis.With(", 'value' = 'json', 'lookup.cache' = 'PARTIAL', "
                 "'lookup.partial-cache.expire-after-write' = '1 ms'"),
      Rates(false), [](const std::string&) {}, kSomeWays);
}

TEST(LookupJoin, Files) {
  RunEveryWay(
      "'connector' = 'filesystem', 'path' = 'rates.csv', 'format' = 'csv', "
      "'csv.null-literal' = '-'",
      Rates(true),
      [](const std::string& directory) {
        std::string text;
        for (const Rate& rate : Rates(true)) {
          std::string note = rate.note;
          for (size_t at = 0; (at = note.find('"', at)) != std::string::npos; at += 2) {
            note.insert(at, "\"");
          }
          text += fmt::format("{},{},{}\n", rate.currency, rate.rate,
                              note.empty() ? "-" : "\"" + note + "\"");
        }
        Write(directory + "/rates.csv", text);
      },
      kSomeWays);
}

TEST(LookupJoin, Warehouse) {
  RunEveryWay(
      "'connector' = 'warehouse', 'table-name' = 'stored'", Rates(true),
      [](const std::string& directory) {
        auto runtime = Open(directory, false);
        ASSERT_NE(runtime, nullptr);
        Rows(*runtime, "CREATE TABLE stored AS SELECT * FROM (VALUES " + SqlRows(Rates(true)) +
                           ") AS r(currency, rate, note)");
      },
      kSomeWays);
}

TEST(LookupJoin, Postgres) {
  if (!test::PostgresServer::Available()) GTEST_SKIP() << "no PostgreSQL 15";
  auto server = test::PostgresServer::Start();
  ASSERT_NE(server, nullptr);
  auto settings = connectors::jdbc::ParseJdbcUrl(server->JdbcUrl(), server->user(), "", 5'000'000);
  connectors::jdbc::PostgresClient client(*settings);
  ASSERT_TRUE(client.Connect().ok());
  auto made = client.Execute(
      "CREATE TABLE rates (currency varchar(3), rate integer, note text); "
      "INSERT INTO rates VALUES " +
      SqlRows(Rates(true)));
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  RunEveryWay(
      fmt::format("'connector' = 'jdbc', 'url' = '{}', 'table-name' = 'rates', 'username' "
                  "= '{}', 'lookup.cache' = 'PARTIAL'",
                  server->JdbcUrl(), server->user()),
      Rates(true), [](const std::string&) {}, kSomeWays);
}

// Nexmark's q13, in its own words but for how the tables are declared.
TEST(LookupJoin, NexmarkSideInput) {
  TempDirectory directory;
  std::string bids, side, expected;
  for (int i = 0; i < 50; i++) {
    bids += fmt::format(R"({{"auction":{},"bidder":{},"price":{}}})", i * 7001, i, i * 3) + "\n";
  }
  for (int k = 0; k < 10000; k++) side += fmt::format("{},v{}\n", k, k * k);
  Write(directory.path() + "/bids.jsonl", bids);
  Write(directory.path() + "/side_input.txt", side);
  Write(directory.path() + "/sql/q13.sql", R"(
CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT) WITH (
  'connector' = 'filesystem', 'path' = 'bids.jsonl', 'format' = 'json');
CREATE TABLE side_input (key BIGINT, `value` VARCHAR) WITH (
  'connector' = 'filesystem', 'path' = 'side_input.txt', 'format' = 'csv');
CREATE TABLE nexmark_q13 (auction BIGINT, bidder BIGINT, price BIGINT, `value` VARCHAR) WITH (
  'connector' = 'warehouse');
INSERT INTO nexmark_q13
SELECT
    B.auction,
    B.bidder,
    B.price,
    S.`value`
FROM (SELECT *, PROCTIME() as p_time FROM bid) B
JOIN side_input FOR SYSTEM_TIME AS OF B.p_time AS S
ON mod(B.auction, 10000) = S.key;
)");
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM nexmark_q13"),
            Rows(*runtime,
                 "SELECT i * 7001, i, i * 3, 'v' || ((i * 7001) % 10000) * ((i * 7001) % "
                 "10000) FROM range(50) AS r(i)"));
}

constexpr const char* kTotals = R"(
CREATE TABLE totals (currency STRING, n BIGINT, total BIGINT, PRIMARY KEY (currency) NOT ENFORCED)
  WITH ('connector' = 'warehouse');
INSERT INTO totals SELECT o.currency, COUNT(*), SUM(r.rate) FROM orders AS o
  LEFT JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency GROUP BY o.currency;
)";

// State computed from answers that the system would not give again: they come from the journal.
TEST(LookupJoin, AnswersSurviveACrash) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  for (int shards : {1, 3}) {
    for (bool committed : {true, false}) {
      for (bool cached : {false, true}) {
        SCOPED_TRACE(fmt::format("shards {} committed {} cached {}", shards, committed, cached));
        Redis redis;
        ASSERT_NE(redis.server, nullptr);
        TempDirectory directory;
        Write(directory.path() + "/millrace.yml", "name: t\n" + Topics());
        Write(directory.path() + "/sql/a.sql",
              fmt::format("SET 'parallelism.default' = '{}';\n", shards) + OrdersTable(false) +
                  RatesTable(redis.With(cached ? ", 'lookup.cache' = 'PARTIAL'" : "")) + kTotals);
        auto runtime = Open(directory.path(), false);
        ASSERT_NE(runtime, nullptr);
        auto job = OpenJob(*runtime);
        ASSERT_NE(job, nullptr);
        auto feed = [&](const std::string& currency, int count) {
          for (int p = 0; p < kPartitions; p++) {
            Append(*runtime, "orders", p,
                   std::vector<std::string>(static_cast<size_t>(count), JsonOf({1, currency, 1})));
          }
        };
        redis.SetHash({"EUR", 1, ""});
        feed("EUR", 10);
        StepToEnd(*job);
        ASSERT_TRUE(job->Checkpoint().ok());
        redis.SetHash({"USD", 2, ""});
        feed("EUR", 1);
        feed("USD", 10);
        feed("XXX", 1);
        StepToEnd(*job, committed);
        job.reset();  // crash

        redis.SetHash({"EUR", 100, ""});
        redis.SetHash({"USD", 100, ""});
        redis.SetHash({"XXX", 100, ""});
        job = OpenJob(*runtime);
        ASSERT_NE(job, nullptr);
        StepToEnd(*job);
        const std::vector<std::string> before = {"EUR|33|33|", "USD|30|60|", "XXX|3|NULL|"};
        EXPECT_EQ(Rows(*runtime, "SELECT * FROM totals"), before);
        // What is asked from now on is new; what the cache holds is not asked.
        feed("USD", 1);
        feed("XXX", 1);
        StepToEnd(*job);
        const std::vector<std::string> after =
            cached ? std::vector<std::string>{"EUR|33|33|", "USD|33|66|", "XXX|6|NULL|"}
                   : std::vector<std::string>{"EUR|33|33|", "USD|33|360|", "XXX|6|300|"};
        EXPECT_EQ(Rows(*runtime, "SELECT * FROM totals"), after);
      }
    }
  }
}

// A value changes while jobs are stopped and go on, with answers kept for some time.
TEST(LookupJoin, CacheForgetsByTheEpochsClock) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  Redis redis;
  ASSERT_NE(redis.server, nullptr);
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        OrdersTable(false) +
            RatesTable(redis.With(", 'lookup.cache' = 'PARTIAL', "
                                  "'lookup.partial-cache.expire-after-write' = '1 s', "
                                  "'lookup.partial-cache.cache-missing-key' = 'false'")) +
            kTotals);
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto job = OpenJob(*runtime);
  ASSERT_NE(job, nullptr);
  auto feed = [&](const std::string& currency) {
    Append(*runtime, "orders", 0, {JsonOf({1, currency, 1})});
    StepToEnd(*job);
  };
  redis.SetHash({"EUR", 1, ""});
  const int64_t before_us = env::Clock::System()->WallMicros();
  feed("EUR");
  feed("XXX");
  const int64_t asked_us = env::Clock::System()->WallMicros();
  redis.SetHash({"EUR", 10, ""});
  redis.SetHash({"XXX", 10, ""});
  feed("XXX");  // that it was missing is not remembered
  feed("EUR");
  // On a slow machine the answer may have become too old already.
  const bool fresh = env::Clock::System()->WallMicros() - before_us < 900'000;
  ASSERT_TRUE(job->Checkpoint().ok());
  job.reset();
  job = OpenJob(*runtime);
  ASSERT_NE(job, nullptr);
  while (env::Clock::System()->WallMicros() - asked_us < 1'100'000) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  redis.SetHash({"EUR", 100, ""});
  feed("EUR");
  const auto totals = Rows(*runtime, "SELECT * FROM totals");
  ASSERT_EQ(totals.size(), 2u);
  if (fresh) {
    EXPECT_EQ(totals[0], "EUR|3|102|");
  }
  EXPECT_EQ(totals[1], "XXX|2|10|");
}

// Redis dies, comes back, hangs and goes on: the job waits and then has every order once.
TEST(LookupJoin, WaitsWhileTheSystemIsAway) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  Redis redis;
  ASSERT_NE(redis.server, nullptr);
  redis.SetHash({"EUR", 1, ""});
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        OrdersTable(false) +
            RatesTable(redis.With(", 'lookup.timeout' = '200 ms', 'lookup.max-retries' = '1'")) +
            R"(
CREATE TABLE out (id BIGINT, rate BIGINT) WITH ('connector' = 'warehouse');
INSERT INTO out SELECT o.id, r.rate FROM orders AS o
  LEFT JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency;
)");
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  int64_t next = 0;
  auto feed = [&] {
    std::vector<std::string> orders;
    for (int i = 0; i < 100; i++) orders.push_back(JsonOf({next++, "EUR", 1}));
    Append(*runtime, "orders", 0, orders);
  };
  auto arrived = [&] {
    return Rows(*runtime, "SELECT count(*), count(DISTINCT id), sum(rate) FROM out") ==
           std::vector<std::string>{fmt::format("{0}|{0}|{0}|", next)};
  };
  auto failing = [&] { return runtime->JobStatuses()[0].state == job::JobState::kFailing; };
  feed();
  WaitFor(arrived);
  redis.server->Kill();
  feed();
  WaitFor(failing);
  EXPECT_NE(runtime->JobStatuses()[0].error.message().find("does not answer"), std::string::npos);
  ASSERT_TRUE(redis.server->Restart());
  redis.Reconnect();
  redis.SetHash({"EUR", 1, ""});
  runtime->Stop();
  runtime.reset();

  // While it hangs, the job can be stopped, and goes on where it was.
  runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  redis.server->Freeze();
  runtime->Start();
  feed();
  WaitFor(failing);
  runtime->Stop();
  EXPECT_EQ(runtime->JobStatuses()[0].state, job::JobState::kStopped);
  runtime.reset();
  redis.server->Thaw();
  runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  WaitFor([&] {
    return Rows(*runtime, "SELECT count(*) FROM out") ==
           std::vector<std::string>{fmt::format("{}|", next)};
  });
  EXPECT_EQ(Rows(*runtime, "SELECT count(DISTINCT id) FROM out"),
            std::vector<std::string>{fmt::format("{}|", next)});
  runtime->Stop();
}

TEST(LookupJoin, RowsThatCannotBeAnsweredAreDeadLetters) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  Redis redis;
  ASSERT_NE(redis.server, nullptr);
  redis.SetHash({"EUR", 1, ""});
  redis.Do({"HSET", "rate:BAD", "rate", "a lot"});
  redis.Do({"SET", "rate:WRONG", "no hash"});
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        OrdersTable(true) + RatesTable(redis.With(", 'lookup.on-miss' = 'dead-letter'")) + R"(
CREATE TABLE out (id BIGINT, rate BIGINT) WITH ('connector' = 'warehouse');
INSERT INTO out SELECT o.id, r.rate FROM orders AS o
  LEFT JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency;
)");
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    std::vector<std::string> orders;
    int64_t id = 0;
    for (const char* currency : {"EUR", "BAD", "WRONG", "XXX", "", "EUR"}) {
      orders.push_back(JsonOf({id++, currency, 1}));
    }
    Append(*runtime, "orders", 0, orders);
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  const std::vector<std::string> good = {"0|1|", "5|1|"};
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM out"), good);
  const auto letters = Rows(*runtime, "SELECT stage, reason FROM millrace.dead_letters");
  ASSERT_EQ(letters.size(), 4u);
  EXPECT_NE(letters[0].find("\"a lot\", which is no BIGINT"), std::string::npos) << letters[0];
  EXPECT_NE(letters[1].find("WRONGTYPE"), std::string::npos) << letters[1];
  const std::string missing = "lookup|lookup in \"rates\": there is no row for the key currency = ";
  EXPECT_EQ(letters[2], missing + "'XXX'|");
  EXPECT_EQ(letters[3], missing + "NULL|");
}

// 'lookup.on-miss' = 'retry': the order waits for its rate, also over a stop; then it is put aside.
TEST(LookupJoin, WaitsForKeysThatAreMissing) {
  if (!test::RedisServer::Available()) GTEST_SKIP() << "no redis-server";
  Redis redis;
  ASSERT_NE(redis.server, nullptr);
  redis.SetHash({"EUR", 1, ""});
  TempDirectory directory;
  auto open = [&](const std::string& retry_time) {
    Write(
        directory.path() + "/sql/a.sql",
        OrdersTable(false) +
            RatesTable(redis.With(", 'lookup.on-miss' = 'retry', 'lookup.on-miss.retry-time' = '" +
                                  retry_time + "'")) +
            R"(
CREATE TABLE out (id BIGINT, rate BIGINT) WITH ('connector' = 'warehouse');
INSERT INTO out SELECT o.id, r.rate FROM orders AS o
  LEFT JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON o.currency = r.currency;
)");
    auto runtime = Open(directory.path(), true);
    if (runtime) runtime->Start();
    return runtime;
  };
  auto runtime = open("1 h");
  ASSERT_NE(runtime, nullptr);
  auto feed = [&](int64_t id, const std::string& currency) {
    Append(*runtime, "orders", 0, {JsonOf({id, currency, 1})});
  };
  auto missing = [&] {
    return runtime->FindJob(runtime->JobStatuses()[0].name)->lookups().at(0).missing;
  };
  auto count = [&](const std::string& from) {
    return Rows(*runtime, "SELECT count(*) FROM " + from)[0];
  };
  feed(0, "EUR");
  feed(1, "NEW");
  WaitFor([&] { return missing() > 0; });
  redis.SetHash({"NEW", 2, ""});
  WaitFor([&] { return count("out") == "2|"; });
  feed(2, "LATE");
  const int64_t missed = missing();
  WaitFor([&] { return missing() > missed; });
  runtime->Stop();
  EXPECT_EQ(runtime->JobStatuses()[0].state, job::JobState::kStopped);
  EXPECT_EQ(count("out"), "2|");
  runtime.reset();
  redis.SetHash({"LATE", 3, ""});
  runtime = open("100 ms");
  ASSERT_NE(runtime, nullptr);
  feed(3, "NEVER");
  feed(4, "EUR");
  WaitFor([&] { return count("out") == "4|" && count("millrace.dead_letters") == "1|"; });
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM out"),
            (std::vector<std::string>{"0|1|", "1|2|", "2|3|", "4|1|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT reason FROM millrace.dead_letters"),
            (std::vector<std::string>{
                "lookup in \"rates\": there is no row for the key currency = 'NEVER'|"}));
  runtime->Stop();
}

TEST(LookupJoin, RefusesWhatItCannotDo) {
  struct Case {
    const char* query;
    const char* message;
  };
  const Case cases[] = {
      {"SELECT o.id, r.rate FROM orders o RIGHT JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r "
       "ON "
       "o.currency = r.currency",
       "goes with JOIN and LEFT JOIN only"},
      {"SELECT o.id, r.rate FROM orders o JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON "
       "o.amount > r.rate",
       "needs a key to ask"},
      {"SELECT o.id, r.rate FROM orders o JOIN rates FOR SYSTEM_TIME AS OF o.proc_time AS r ON "
       "o.amount = r.rate",
       "does not say which \"currency\" to look up"},
      {"SELECT o.id, r.amount FROM orders o JOIN orders FOR SYSTEM_TIME AS OF o.proc_time AS r ON "
       "o.id = r.id",
       "cannot be asked by key"},
      {"SELECT o.id, r.rate FROM (SELECT COUNT(*) AS id, currency, MAX(amount) AS a, PROCTIME() AS "
       "p "
       "FROM orders GROUP BY currency) o JOIN rates FOR SYSTEM_TIME AS OF o.p AS r ON o.currency = "
       "r.currency",
       "cannot follow a query that updates"},
      {"SELECT id, rate FROM orders, rates", "only asked by key"},
  };
  for (const Case& c : cases) {
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql",
          OrdersTable(true) +
              RatesTable("'connector' = 'redis', 'url' = 'redis://x', 'key' = 'rate:{currency}'") +
              "CREATE TABLE out (id BIGINT, rate BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH "
              "('connector' = 'warehouse');\nINSERT INTO out " +
              c.query + ";");
    std::vector<Status> faults;
    auto project = Project::Load(directory.path(), "", faults);
    ASSERT_TRUE(faults.empty()) << faults[0].ToString();
    faults = project->Validate();
    ASSERT_EQ(faults.size(), 1u) << c.query;
    EXPECT_NE(faults[0].ToString().find(c.message), std::string::npos) << c.query << "\n"
                                                                       << faults[0].ToString();
  }
}

}  // namespace
}  // namespace millrace::project
