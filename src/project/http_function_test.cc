// Functions served over HTTP: what jobs make of their answers equals what DuckDB makes of the same
// rows with the function written out; answers survive a crash; a service that is away, slow or
// broken for a while costs time and nothing else.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cstdlib>
#include <map>
#include <mutex>

#include "base/strings.h"
#include "project/project_fixture.h"
#include "project/stepped_job.h"
#include "tests/support/http_service.h"

namespace millrace::project {
namespace {

using test::HttpAnswer;
using test::HttpRequest;
using test::HttpService;

// Answers /score (amount, country) with amount * factor + the country's length, NULLs with NULL,
// "BAD" with an error, "ODD" with a text; /label (number) with a row. Notes what it was asked.
class Scorer {
 public:
  Scorer() : service_([this](const HttpRequest& request) { return Answer(request); }) {}

  HttpService& service() { return service_; }
  std::string Functions(const std::string& with = "") const {
    const std::string more = with.empty() ? "" : " WITH (" + with + ")";
    return "CREATE TEMPORARY FUNCTION score(amount BIGINT, country STRING) RETURNS BIGINT LANGUAGE "
           "HTTP AS '" +
           service_.Url("/score") + "'" + more +
           ";\nCREATE FUNCTION label(n BIGINT) RETURNS ROW<n BIGINT, words ARRAY<STRING>> AS '" +
           service_.Url("/label") + "' LANGUAGE HTTP" + more +
           ";\nCREATE FUNCTION doubled(a BIGINT, c STRING) RETURNS BIGINT AS score(a, c) * 2;\n";
  }
  // How everything is answered instead; status 0: as it should be.
  void Misbehave(HttpAnswer how) {
    std::lock_guard<std::mutex> lock(mutex_);
    misbehaviour_ = std::move(how);
  }
  void Slow(int delay_ms) {
    std::lock_guard<std::mutex> lock(mutex_);
    delay_ms_ = delay_ms;
  }
  void SetFactor(int64_t factor) {
    std::lock_guard<std::mutex> lock(mutex_);
    factor_ = factor;
  }
  // How often each row of arguments was asked for.
  std::map<std::string, int> Asked() {
    std::lock_guard<std::mutex> lock(mutex_);
    return asked_;
  }
  size_t most_rows = 0;
  std::string last_head;

 private:
  static int64_t CharactersOf(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  }
  std::string ScoreOf(const std::vector<simdjson::dom::element>& row) const {
    if (row[0].is_null() || row[1].is_null()) return "null";
    const std::string country{row[1].get_string().value()};
    if (country == "BAD") return R"({"error":"no such country"})";
    if (country == "ODD") return R"("many")";
    return std::to_string(row[0].get_int64().value() * factor_ + CharactersOf(country));
  }
  HttpAnswer Answer(const HttpRequest& request) {
    std::lock_guard<std::mutex> lock(mutex_);
    last_head = request.head;
    if (misbehaviour_.status != 0) return misbehaviour_;
    const bool label = request.head.starts_with("POST /label ");
    simdjson::dom::parser parser;
    const simdjson::dom::element document = parser.parse(simdjson::padded_string(request.body));
    std::vector<std::string> results;
    const simdjson::dom::array rows = document["rows"].get_array();
    for (simdjson::dom::element row : rows) {
      asked_[simdjson::minify(row)]++;
      std::vector<simdjson::dom::element> values;
      const simdjson::dom::array arguments = row.get_array();
      for (simdjson::dom::element value : arguments) values.push_back(value);
      if (label) {
        const std::string n = simdjson::minify(values[0]);
        results.push_back(fmt::format(R"({{"n":{0},"words":["a {0}",null]}})", n));
      } else {
        results.push_back(ScoreOf(values));
      }
    }
    most_rows = std::max(most_rows, results.size());
    return {200, "{\"version\": 7, \"results\": [" + Join(results, ", ") + "]}", delay_ms_};
  }

  std::mutex mutex_;
  HttpAnswer misbehaviour_ = {0, "", 0};
  int64_t factor_ = 10;
  int delay_ms_ = 0;
  std::map<std::string, int> asked_;
  HttpService service_;
};

// What score() is, for DuckDB.
std::string ScoreSql(const std::string& amount, const std::string& country) {
  return fmt::format("({} * 10 + length({}))", amount, country);
}

struct Payment {
  int64_t id;
  std::optional<int64_t> amount;
  std::optional<std::string> country;
  int64_t second;  // event time
};

// NULLs, payments that are there twice, and some that come behind the others.
std::vector<Payment> Payments(size_t count, std::mt19937& random) {
  const std::vector<std::string> countries = {"DE", "FRA", "say \"Å\"", "BAD", "ODD", "", "US"};
  std::vector<Payment> payments;
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && random() % 10 == 0) {
      payments.push_back(payments[random() % payments.size()]);
      continue;
    }
    Payment payment;
    payment.id = static_cast<int64_t>(i);
    if (random() % 8 != 0) payment.amount = random() % 12;
    if (random() % 8 != 0) payment.country = countries[random() % countries.size()];
    payment.second = static_cast<int64_t>(i) / 4 - (random() % 12 == 0 ? 30 : 0) + 60;
    payments.push_back(payment);
  }
  return payments;
}

std::string JsonOf(const Payment& p) {
  return fmt::format(R"({{"id":{},"amount":{},"country":{},"at":"2026-03-01 10:{:02}:{:02}"}})",
                     p.id, p.amount ? std::to_string(*p.amount) : "null",
                     p.country ? JsonQuote(*p.country) : "null", p.second / 60, p.second % 60);
}

constexpr int kPartitions = 3;

void AppendPayments(Runtime& runtime, const std::vector<Payment>& payments, std::mt19937& random) {
  for (const Payment& payment : payments) {
    Append(runtime, "payments", static_cast<int>(random() % kPartitions), {JsonOf(payment)});
  }
}

std::string PaymentsTable(bool bounded) {
  return fmt::format(R"(
CREATE TABLE payments (id BIGINT, amount BIGINT, country STRING, at TIMESTAMP(3),
  WATERMARK FOR at AS at - INTERVAL '5' SECOND) WITH (
  'connector' = 'kafka', 'topic' = 'payments', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset'{});
)",
                     bounded ? ", 'scan.bounded.mode' = 'latest-offset'" : "");
}

std::string Config() {
  return fmt::format("name: t\ntopics:\n  payments: {{partitions: {}}}\n", kPartitions);
}

// Each but the last with score() and label() of the service; the last one, without, says which rows
// of the windows are late.
constexpr const char* kQueries = R"(
CREATE TABLE scored (id BIGINT, s BIGINT) WITH ('connector' = 'warehouse');
CREATE TABLE chosen (id BIGINT, s BIGINT) WITH ('connector' = 'warehouse');
CREATE TABLE several (id BIGINT, a BIGINT, b BIGINT, c BIGINT, word STRING, n BIGINT)
  WITH ('connector' = 'warehouse');
CREATE TABLE totals (country STRING, n BIGINT, total BIGINT, PRIMARY KEY (country) NOT ENFORCED)
  WITH ('connector' = 'warehouse');
CREATE TABLE windows (start TIMESTAMP(3), n BIGINT, total BIGINT) WITH ('connector' = 'warehouse');
CREATE TABLE expected_windows (start TIMESTAMP(3), n BIGINT, total BIGINT)
  WITH ('connector' = 'warehouse');
INSERT INTO scored SELECT id, score(amount, country) FROM payments;
INSERT INTO chosen SELECT id, score(amount, country) AS s FROM payments
  WHERE score(amount, country) > 25 AND amount <> 5;
INSERT INTO several SELECT id, score(amount, country) + score(amount, country),
  doubled(amount + 1, country), score(score(amount, 'four'), 'x'), label(amount).words[1],
  label(id).n FROM (SELECT * FROM payments WHERE country <> 'BAD' AND country <> 'ODD');
INSERT INTO totals SELECT country, COUNT(*), SUM(score(amount, country)) FROM payments
  WHERE country IS NOT NULL GROUP BY country;
INSERT INTO windows SELECT window_start, COUNT(*), SUM(s) FROM (
  SELECT window_start, score(amount, country) AS s
  FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(at), INTERVAL '10' SECOND))) GROUP BY window_start;
INSERT INTO expected_windows SELECT window_start, COUNT(*), SUM(amount * 10 + CHAR_LENGTH(country))
  FROM TABLE(TUMBLE(TABLE payments, DESCRIPTOR(at), INTERVAL '10' SECOND))
  WHERE country NOT IN ('BAD', 'ODD') OR country IS NULL OR amount IS NULL GROUP BY window_start;
)";

void ExpectTheSame(Runtime& runtime, const std::vector<Payment>& payments) {
  std::vector<std::string> rows;
  size_t unanswered = 0;
  for (const Payment& p : payments) {
    const bool fails = p.amount && p.country && (*p.country == "BAD" || *p.country == "ODD");
    unanswered += fails;
    rows.push_back(fmt::format("({}, {}, {}, {})", p.id,
                               p.amount ? std::to_string(*p.amount) : "NULL",
                               p.country ? QuoteLiteral(*p.country) : "NULL", fails));
  }
  const std::string all = "WITH a(id, amount, country, fails) AS (VALUES " + Join(rows, ", ") +
                          "), p AS (SELECT * FROM a WHERE NOT fails) ";
  const std::string score = ScoreSql("amount", "country");
  EXPECT_EQ(Rows(runtime, "SELECT * FROM scored"),
            Rows(runtime, all + "SELECT id, " + score + " FROM p"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM chosen"),
            Rows(runtime,
                 all + "SELECT id, " + score + " FROM p WHERE amount <> 5 AND " + score + " > 25"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM several"),
            Rows(runtime, all + "SELECT id, 2 * " + score + ", 2 * " +
                              ScoreSql("(amount + 1)", "country") + ", " +
                              ScoreSql(ScoreSql("amount", "'four'"), "'x'") +
                              ", 'a ' || coalesce(CAST(amount AS VARCHAR), 'null'), id FROM a "
                              "WHERE country <> 'BAD' AND country <> 'ODD'"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM totals"),
            Rows(runtime, all + "SELECT country, count(*), sum(" + score +
                              ") FROM p WHERE country IS NOT NULL GROUP BY country"));
  EXPECT_EQ(Rows(runtime, "SELECT * FROM windows"),
            Rows(runtime, "SELECT * FROM expected_windows"));
  EXPECT_NE(Rows(runtime, "SELECT * FROM windows").size(), 0u);
  const auto letters =
      Rows(runtime,
           "SELECT count(*), count(*) FILTER (reason LIKE '%no such country%'), count(*) FILTER "
           "(reason LIKE '%\"many\", which is no BIGINT%') FROM millrace.dead_letters WHERE job = "
           "'scored'");
  const auto bad =
      static_cast<size_t>(std::count_if(payments.begin(), payments.end(), [](const Payment& p) {
        return p.amount && p.country && *p.country == "BAD";
      }));
  EXPECT_EQ(
      letters,
      (std::vector<std::string>{fmt::format("{}|{}|{}|", unanswered, bad, unanswered - bad)}));
}

TEST(HttpFunction, EqualsDuckDbInEveryWay) {
  const char* const withs[] = {"", "'cache.max-rows' = '1000', 'batch.max-rows' = '3'",
                               "'cache.expire-after-write' = '1 ms'"};
  int turn = 0;
  for (Way way : kEveryWay) {
    const char* with = withs[turn++ % 3];
    SCOPED_TRACE(fmt::format("way {} with {}", static_cast<int>(way), with));
    std::mt19937 random(static_cast<uint32_t>(way) + 3);
    const std::vector<Payment> payments = Payments(300, random);
    Scorer scorer;
    TempDirectory directory;
    Write(directory.path() + "/millrace.yml", Config());
    Write(directory.path() + "/sql/a.sql",
          SettingsOf(way) + PaymentsTable(true) + scorer.Functions(with) + kQueries);
    {
      auto runtime = Open(directory.path(), false);
      ASSERT_NE(runtime, nullptr);
      AppendPayments(*runtime, payments, random);
    }
    RestartOnTheWay(way, directory.path(), random);
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    ExpectTheSame(*runtime, payments);
    if (with == withs[1]) {
      EXPECT_LE(scorer.most_rows, 3u);
    }
  }
}

TEST(HttpFunction, NoInputAsksNobody) {
  Scorer scorer;
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", PaymentsTable(true) + scorer.Functions() + kQueries);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_TRUE(Rows(*runtime, "SELECT * FROM scored").empty());
  EXPECT_TRUE(scorer.Asked().empty());
}

// The same arguments are asked for once: in an epoch always, over epochs with a cache.
TEST(HttpFunction, AsksOnceForTheSameArguments) {
  for (Way way : {Way::kStraight, Way::kTinyEpochs, Way::kShards}) {
    for (bool cached : {true, false}) {
      if (!cached && way != Way::kStraight) continue;
      SCOPED_TRACE(fmt::format("way {} cached {}", static_cast<int>(way), cached));
      Scorer scorer;
      TempDirectory directory;
      Write(directory.path() + "/sql/a.sql",
            SettingsOf(way) + PaymentsTable(true) +
                scorer.Functions(cached ? "'cache.max-rows' = '1000'" : "") + R"(
CREATE TABLE out (id BIGINT, s BIGINT, twice BIGINT) WITH ('connector' = 'warehouse');
INSERT INTO out SELECT id, score(amount, country), score(amount, country) * 2 FROM payments
  WHERE score(amount, country) > 0 OR id < 0;
)");
      std::vector<Payment> payments;
      for (int64_t i = 0; i < 200; i++) payments.push_back({i, i % 7, "DE", 0});
      {
        auto runtime = Open(directory.path(), false);
        ASSERT_NE(runtime, nullptr);
        for (const Payment& payment : payments) Append(*runtime, "payments", 0, {JsonOf(payment)});
      }
      auto runtime = RunToEnd(directory.path());
      ASSERT_NE(runtime, nullptr);
      EXPECT_EQ(Rows(*runtime, "SELECT count(*), sum(s), sum(twice) - 2 * sum(s) FROM out"),
                Rows(*runtime, "SELECT count(*), sum(i % 7 * 10 + 2), 0 FROM range(200) AS r(i)"));
      const auto asked = scorer.Asked();
      EXPECT_EQ(asked.size(), 7u);
      for (const auto& [row, times] : asked) EXPECT_EQ(times, 1) << row;
    }
  }
}

TEST(HttpFunction, NullInputNeedNotBeAsked) {
  setenv("MILLRACE_TEST_TOKEN", "Bearer s3cret", 1);
  Scorer scorer;
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        PaymentsTable(true) +
            scorer.Functions("'null-input' = 'null', 'headers.authorization' = "
                             "'${env:MILLRACE_TEST_TOKEN}'") +
            "CREATE TABLE out (id BIGINT, s BIGINT) WITH ('connector' = 'warehouse');\n"
            "INSERT INTO out SELECT id, score(amount, country) FROM payments;");
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    const std::vector<Payment> payments = {
        {1, 1, "DE", 0}, {2, std::nullopt, "DE", 0}, {3, 1, std::nullopt, 0}};
    for (const Payment& payment : payments) Append(*runtime, "payments", 0, {JsonOf(payment)});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM out"),
            (std::vector<std::string>{"1|12|", "2|NULL|", "3|NULL|"}));
  EXPECT_EQ(scorer.Asked(), (std::map<std::string, int>{{R"([1,"DE"])", 1}}));
  EXPECT_NE(scorer.last_head.find("authorization: Bearer s3cret\r\n"), std::string::npos)
      << scorer.last_head;
}

// State computed from answers that the service would not give again: they come from the journal.
TEST(HttpFunction, AnswersSurviveACrash) {
  for (int shards : {1, 3}) {
    for (bool committed : {true, false}) {
      for (bool cached : {false, true}) {
        SCOPED_TRACE(fmt::format("shards {} committed {} cached {}", shards, committed, cached));
        Scorer scorer;
        TempDirectory directory;
        Write(directory.path() + "/millrace.yml", Config());
        Write(directory.path() + "/sql/a.sql",
              fmt::format("SET 'parallelism.default' = '{}';\n", shards) + PaymentsTable(false) +
                  scorer.Functions(cached ? "'cache.max-rows' = '1000'" : "") + R"(
CREATE TABLE totals (country STRING, n BIGINT, total BIGINT, PRIMARY KEY (country) NOT ENFORCED)
  WITH ('connector' = 'warehouse');
INSERT INTO totals SELECT country, COUNT(*), SUM(score(amount, country)) FROM payments
  GROUP BY country;
)");
        auto runtime = Open(directory.path(), false);
        ASSERT_NE(runtime, nullptr);
        auto job = OpenJob(*runtime);
        ASSERT_NE(job, nullptr);
        auto feed = [&](const std::string& country, int count) {
          for (int p = 0; p < kPartitions; p++) {
            for (int i = 0; i < count; i++) {
              Append(*runtime, "payments", p, {JsonOf({1, 1, country, 0})});
            }
          }
        };
        feed("DE", 10);
        StepToEnd(*job);
        ASSERT_TRUE(job->Checkpoint().ok());
        feed("DE", 1);
        feed("US", 10);
        StepToEnd(*job, committed);
        job.reset();  // crash

        scorer.SetFactor(1000);
        const auto asked_before = scorer.Asked();
        job = OpenJob(*runtime);
        ASSERT_NE(job, nullptr);
        StepToEnd(*job);
        EXPECT_EQ(Rows(*runtime, "SELECT * FROM totals"),
                  (std::vector<std::string>{"DE|33|396|", "US|30|360|"}));
        EXPECT_EQ(scorer.Asked(), asked_before);
        // What is asked from now on is new; what the cache holds is not asked.
        feed("US", 1);
        StepToEnd(*job);
        EXPECT_EQ(Rows(*runtime, "SELECT * FROM totals"),
                  (std::vector<std::string>{
                      "DE|33|396|", fmt::format("US|33|{}|", 360 + 3 * (cached ? 12 : 1002))}));
      }
    }
  }
}

TEST(HttpFunction, WaitsWhileTheServiceIsAwayOrBroken) {
  Scorer scorer;
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        PaymentsTable(false) + scorer.Functions("'timeout' = '1 s', 'max-retries' = '1'") + R"(
CREATE TABLE out (id BIGINT, s BIGINT) WITH ('connector' = 'warehouse');
INSERT INTO out SELECT id, score(amount, country) FROM payments;
)");
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  int64_t next = 0;
  auto feed = [&] {
    for (int i = 0; i < 20; i++) {
      Append(*runtime, "payments", 0, {JsonOf({next, next, "DE", 0})});
      next++;
    }
  };
  auto arrived = [&] {
    return Rows(*runtime, "SELECT count(*), count(DISTINCT id), sum(s - id * 10) FROM out") ==
           std::vector<std::string>{fmt::format("{0}|{0}|{1}|", next, next * 2)};
  };
  auto fails_with = [&](const std::string& message) {
    // A stall of the machine may be the first thing that it says.
    std::string said;
    for (int i = 0; i < 12'000; i++) {
      const job::JobStatus status = runtime->JobStatuses()[0];
      said = status.error.message();
      if (status.state == job::JobState::kFailing && said.find(message) != said.npos) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "not failing with \"" << message << "\"; the last error: " << said;
  };
  feed();
  WaitFor(arrived);
  scorer.service().Stop();
  feed();
  fails_with("does not answer");
  auto asks = [&] { return runtime->FindJob(runtime->JobStatuses()[0].name)->lookups().at(0); };
  WaitFor([&] { return asks().circuit == "open"; });
  EXPECT_EQ(asks().name, "score()");
  EXPECT_GE(asks().errors, 2);
  ASSERT_TRUE(scorer.service().Start());
  WaitFor(arrived);
  EXPECT_EQ(asks().circuit, "closed");
  EXPECT_EQ(asks().keys, next);
  EXPECT_EQ(asks().version, "7");
  // A slow service is seen while it is slow, and afterwards.
  scorer.Slow(100);
  WaitFor([&] {
    feed();
    return asks().waiting_ms > 0;
  });
  WaitFor(arrived);
  EXPECT_GE(asks().latency_p99_ms, 100);
  scorer.Slow(0);
  const std::pair<HttpAnswer, std::string> troubles[] = {
      {{500, "the model\nis loading", 0}, "status 500: the model is loading"},
      // More than a feed has rows: as many as an epoch happens to have would be its answers.
      {{200, R"({"results": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]})", 0},
       "21 results for "},
      {{200, R"({"answers": []})", 0}, "the service's answer is not"},
      {{200, "{\"results\": [", 0}, "the service's answer is not"},
      {{302, "", 0}, "status 302"},
      {{200, R"({"results": []})", 5000}, "does not answer within 1000 ms"},
  };
  for (const auto& [trouble, message] : troubles) {
    SCOPED_TRACE(message);
    scorer.Misbehave(trouble);
    feed();
    fails_with(message);
    EXPECT_FALSE(arrived());
    scorer.Misbehave({0, "", 0});
    WaitFor(arrived);
    WaitFor([&] { return runtime->JobStatuses()[0].state != job::JobState::kFailing; });
  }
  // While it is away, the job can be stopped, and goes on where it was.
  scorer.service().Stop();
  feed();
  fails_with("does not answer");
  runtime->Stop();
  EXPECT_EQ(runtime->JobStatuses()[0].state, job::JobState::kStopped);
  runtime.reset();
  ASSERT_TRUE(scorer.service().Start());
  runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  WaitFor(arrived);
  runtime->Stop();
}

TEST(HttpFunction, RefusesWhatItCannotDo) {
  const std::string score =
      "CREATE FUNCTION score(amount BIGINT, country STRING) RETURNS BIGINT LANGUAGE HTTP AS "
      "'http://127.0.0.1:1/score'";
  const std::string out =
      "CREATE TABLE out (id BIGINT, s BIGINT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = "
      "'warehouse');\n";
  const std::string select = "INSERT INTO out SELECT id, score(amount, country) FROM payments;";
  struct Case {
    std::string sql;
    std::string message;
  };
  auto query = [&](const std::string& text) {
    return score + ";\n" + PaymentsTable(true) + out + "INSERT INTO out " + text + ";";
  };
  auto with = [&](const std::string& options) {
    return score + " WITH (" + options + ");\n" + PaymentsTable(true) + out + select;
  };
  const Case cases[] = {
      {query("SELECT MAX(id), score(COUNT(*), country) FROM payments GROUP BY country"),
       "cannot follow a query that updates"},
      {query("SELECT p.id, q.id FROM payments p LEFT JOIN payments q ON p.id = q.id AND "
             "score(p.amount, q.country) > 3"),
       "is not asked in a join's ON"},
      {query("SELECT id, SUM(amount) OVER (PARTITION BY score(amount, country) ORDER BY id) FROM "
             "payments"),
       "is not asked in"},
      {query("SELECT p.id, p.amount FROM payments p WHERE EXISTS (SELECT 1 FROM payments q WHERE "
             "q.id = p.id AND score(q.amount, p.country) > 3)"),
       "is not asked in"},
      {with("'batch.max-rows' = '0'"), "must be 1 to 2048"},
      {with("'batch.rows' = '5'"), "batch.rows"},
      {with("'url' = 'http://x'"), "follows from LANGUAGE HTTP"},
      {with("'headers.a' = '${env:MILLRACE_NO_SUCH_VARIABLE}'"), "is not set"},
      {"CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE HTTP AS a + 1;", "needs the URL"},
      {"CREATE FUNCTION f(a) RETURNS INT LANGUAGE HTTP AS 'http://x';", "has no type"},
      {"CREATE FUNCTION f(a INT) LANGUAGE HTTP AS 'http://x';", "needs RETURNS"},
      {"CREATE FUNCTION f() RETURNS INT LANGUAGE HTTP AS 'http://x';", "needs parameters"},
      {"CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVA AS 'x';", "is not supported"},
      {"CREATE FUNCTION f(a BIGINT) RETURNS BIGINT LANGUAGE HTTP AS 'ftp://x';\n" +
           PaymentsTable(true) + out + "INSERT INTO out SELECT id, f(id) FROM payments;",
       "is no URL"},
      {"CREATE FUNCTION f(a BIGINT) RETURNS BIGINT LANGUAGE HTTP AS 'http://me:secret@x/';\n" +
           PaymentsTable(true) + out + "INSERT INTO out SELECT id, f(id) FROM payments;",
       "holds a user's name or password"},
      {score +
           ";\nCREATE TABLE computed (a BIGINT, c STRING, s AS score(a, c)) WITH ('connector' = "
           "'datagen');\n" +
           out + "INSERT INTO out SELECT a, s FROM computed;",
       "is not asked in computed columns"},
      {score +
           ";\nCREATE TABLE checked (a BIGINT, c STRING, CHECK (score(a, c) > 1)) WITH "
           "('connector' = 'datagen');\n" +
           out + "INSERT INTO out SELECT a, a FROM checked;",
       "is not asked in computed columns"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.sql);
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", c.sql);
    std::vector<Status> faults;
    auto project = Project::Load(directory.path(), "", faults);
    std::string said;
    for (const Status& fault : faults) said += fault.ToString();
    if (faults.empty()) {
      auto runtime = Runtime::Open(std::move(project), true);
      if (!runtime.ok()) said = runtime.status().ToString();
    }
    EXPECT_NE(said.find(c.message), std::string::npos) << said;
    EXPECT_EQ(said.find("secret@"), std::string::npos) << said;
  }
}

}  // namespace
}  // namespace millrace::project
