// Rows that a sink's target refuses: each is in the target or a dead letter, once, wherever the
// process dies and whatever becomes of the target meanwhile; and jobs whose sink is away.
#include <fmt/format.h>

#include <mutex>
#include <random>
#include <set>

#include "connectors/jdbc/postgres_client.h"
#include "env/hand_clock.h"
#include "job/job.h"
#include "project/project_fixture.h"
#include "tests/support/http_service.h"
#include "tests/support/postgres_server.h"

namespace millrace::project {
namespace {

constexpr const char* kRealPostgres =
    "name: t\ntarget: real\ntargets:\n  real:\n    embedded: [kafka]\ntopics:\n  orders: "
    "{partitions: 3}\n";

constexpr const char* kOrders = R"(
CREATE TABLE orders (k INT, s STRING) WITH ('connector' = 'kafka', 'topic' = 'orders',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
)";

std::string PostgresTable(const test::PostgresServer& server, const std::string& name,
                          const std::string& more = "") {
  return fmt::format(
      "CREATE TABLE {0} (k INT, s STRING{3}) WITH ('connector' = 'jdbc', 'url' = '{1}', "
      "'table-name' = '{0}', 'username' = '{2}', 'connection.max-retry-timeout' = '2 s');\n",
      name, server.JdbcUrl(), server.user(), more);
}

// The first column of what PostgreSQL answers.
std::vector<std::string> Ask(const test::PostgresServer& server, const std::string& sql) {
  auto settings = connectors::jdbc::ParseJdbcUrl(server.JdbcUrl(), server.user(), "", 5'000'000);
  connectors::jdbc::PostgresClient client(*settings);
  EXPECT_TRUE(client.Connect().ok());
  auto result = client.Execute(sql);
  EXPECT_TRUE(result.ok()) << result.status().ToString();
  std::vector<std::string> values;
  for (int r = 0; result.ok() && r < PQntuples(result->get()); r++) {
    values.push_back(PQgetvalue(result->get(), r, 0));
  }
  return values;
}

std::unique_ptr<job::Job> OpenJob(Runtime& runtime, env::Clock& clock) {
  auto compiled = runtime.project().Compile(runtime.project().jobs()[0]);
  EXPECT_TRUE(compiled.ok()) << compiled.status().ToString();
  if (!compiled.ok()) return nullptr;
  job::JobOptions options;
  options.state_directory = runtime.project().target_directory() + "/state/stepped";
  options.services.log = &runtime.log();
  options.services.clock = &clock;
  options.services.warehouse = &runtime.warehouse();
  options.services.base_dir = runtime.project().directory();
  auto job = job::Job::Open(std::move(*compiled), std::move(options));
  EXPECT_TRUE(job.ok()) << job.status().ToString();
  if (!job.ok()) return nullptr;
  Status recovered = (*job)->Recover();
  EXPECT_TRUE(recovered.ok()) << recovered.ToString();
  return std::move(*job);
}

// The k of each row as JSON.
std::multiset<int> KeysOf(const std::vector<std::string>& rows) {
  std::multiset<int> keys;
  for (const std::string& row : rows) {
    int k = -1;
    EXPECT_EQ(std::sscanf(row.c_str(), "{\"k\":%d", &k), 1) << row;
    keys.insert(k);
  }
  return keys;
}

TEST(RejectedRows, AreInTheTargetOrLettersOnceWhereverItDies) {
  if (!test::PostgresServer::Available()) GTEST_SKIP() << "PostgreSQL 15 is not installed";
  auto server = test::PostgresServer::Start();
  ASSERT_NE(server, nullptr);
  for (const bool keyed : {false, true}) {
    TempDirectory directory;
    const std::string table = keyed ? "keyed" : "appended";
    Write(directory.path() + "/millrace.yml", kRealPostgres);
    Write(directory.path() + "/sql/a.sql",
          kOrders + PostgresTable(*server, table, keyed ? ", PRIMARY KEY (k) NOT ENFORCED" : "") +
              fmt::format("INSERT INTO {} SELECT k, s FROM orders;\n", table));
    Ask(*server, fmt::format("CREATE TABLE {} (k integer{}, s varchar(3))", table,
                             keyed ? " PRIMARY KEY" : ""));
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    std::mt19937 random(keyed ? 1 : 2);
    std::multiset<int> all, malformed;
    env::HandClock clock(1'772'359'200'000'000);
    auto job = OpenJob(*runtime, clock);
    ASSERT_NE(job, nullptr);
    bool wide = false;
    for (int round = 0; round < 30; round++) {
      for (int p = 0; p < 3; p++) {
        std::vector<std::string> rows;
        for (uint32_t i = random() % 5; i > 0; i--) {
          const int k = static_cast<int>(all.size());
          all.insert(k);
          // Some do not even decode: letters of another stage in the same epoch.
          const bool bad_json = random() % 8 == 0;
          if (bad_json) malformed.insert(k);
          rows.push_back(fmt::format(R"({{"k":{},"s":{}}})", k,
                                     bad_json            ? "{"
                                     : random() % 3 == 0 ? "\"too long\""
                                     : random() % 4 == 0 ? "null"
                                                         : "\"ok\""));
        }
        Append(*runtime, "orders", p, rows);
      }
      clock.Advance(400'000);  // an entry of the ledger is a second
      const uint32_t what = random() % 4;
      auto stepped = job->Step({.commit = what != 0, .letters = what != 1});
      ASSERT_TRUE(stepped.ok()) << stepped.status().ToString();
      if (what == 2 && random() % 2) {
        ASSERT_TRUE(job->Checkpoint().ok());
      }
      if (what == 3) continue;
      job.reset();  // crash
      // What it refused it would take now, or the other way round: too late.
      wide = random() % 2;
      Ask(*server, fmt::format("ALTER TABLE {0} ALTER COLUMN s TYPE varchar({1}) USING "
                               "CASE WHEN length(s) > {1} THEN 'cut' ELSE s END",
                               table, wide ? 20 : 3));
      job = OpenJob(*runtime, clock);
      ASSERT_NE(job, nullptr);
    }
    job->RequestStop();
    ASSERT_TRUE(job->Run().ok());
    job.reset();
    auto letters = runtime->warehouse().Query(
        "SELECT value, stage, kind, column_name, reason FROM (SELECT value, stage, kind, "
        "\"column\" AS column_name, reason FROM millrace.dead_letters)");
    ASSERT_TRUE(letters.ok()) << letters.status().ToString();
    std::vector<std::string> in_letters;
    int64_t from_sink = 0;
    for (size_t r = 0; r < letters->row_count(); r++) {
      in_letters.push_back(letters->Get(r, 0).ToString());
      if (letters->Get(r, 1).ToString() != "sink") continue;
      from_sink++;
      EXPECT_EQ(letters->Get(r, 2).ToString(), "rejected");
      EXPECT_EQ(letters->Get(r, 3).ToString(), "s");
      EXPECT_NE(letters->Get(r, 4).ToString().find("value too long"), std::string::npos);
    }
    std::multiset<int> found = KeysOf(in_letters);
    EXPECT_EQ(found.size() - malformed.size(), static_cast<size_t>(from_sink));
    EXPECT_GT(from_sink, 10);
    // The ledger knows them, each once, and closes.
    EXPECT_EQ(Rows(*runtime,
                   "SELECT sum(rows_failed), bool_and(rows_taken >= 0), sum(abs(rows_missing)), "
                   "count(*) > 5, (SELECT count(*) FROM millrace.ledger_gaps) FROM millrace.ledger "
                   "WHERE stage = 'sink'"),
              std::vector<std::string>{fmt::format("{}|true|0|true|0|", from_sink)});
    for (const std::string& k : Ask(*server, "SELECT k FROM " + table)) found.insert(std::stoi(k));
    EXPECT_EQ(found, all) << "keyed " << keyed;
  }
}

// Runs `done` until it is true; false after a minute.
bool Eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 1200; i++) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

job::JobStatus StatusOf(Runtime& runtime, const std::string& name) {
  for (job::JobStatus& status : runtime.JobStatuses()) {
    if (status.name == name) return status;
  }
  return {};
}

// One topic, three jobs. PostgreSQL is away from the start and later again; the webhook answers 503
// for a while. Each time the others go on, the status names who fails, and all catch up.
TEST(FanOut, AStoppedSinkDelaysNobodyElse) {
  if (!test::PostgresServer::Available()) GTEST_SKIP() << "PostgreSQL 15 is not installed";
  auto server = test::PostgresServer::Start();
  ASSERT_NE(server, nullptr);
  std::atomic<bool> busy{false};
  std::mutex mutex;
  std::map<std::string, std::string> taken;  // bodies by Idempotency-Key
  test::HttpService hook([&](const test::HttpRequest& request) -> test::HttpAnswer {
    if (busy) return {503, "closed for lunch", 0};
    const size_t at = request.head.find("Idempotency-Key: ") + 17;
    std::lock_guard<std::mutex> lock(mutex);
    taken[request.head.substr(at, request.head.find("\r\n", at) - at)] = request.body;
    return {};
  });
  auto hook_rows = [&] {
    std::lock_guard<std::mutex> lock(mutex);
    std::multiset<int> rows;
    for (const auto& [key, body] : taken) {
      for (size_t from = 0; (from = body.find("{\"k\":", from)) != std::string::npos; from++) {
        rows.insert(std::atoi(body.c_str() + from + 5));
      }
    }
    return rows;
  };
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", kRealPostgres);
  setenv("FAN_OUT_SECRET", "hush", 1);
  Write(directory.path() + "/sql/a.sql",
        kOrders + PostgresTable(*server, "in_postgres") +
            "CREATE TABLE in_warehouse (k INT, s STRING) WITH ('connector' = 'warehouse');\n"
            "CREATE TABLE in_hook (k INT, s STRING) WITH ('connector' = 'webhook', 'url' = '" +
            hook.Url("/orders") +
            "', 'secret' = '${env:FAN_OUT_SECRET}');\n"
            "INSERT INTO in_warehouse SELECT k, s FROM orders;\n"
            "INSERT INTO in_postgres SELECT k, s FROM orders;\n"
            "INSERT INTO in_hook SELECT k, s FROM orders;\n");
  int next = 0;
  auto feed = [&](Runtime& runtime) {
    for (int p = 0; p < 3; p++) {
      std::vector<std::string> rows;
      for (int i = 0; i < 20; i++) rows.push_back(fmt::format(R"({{"k":{},"s":"x"}})", next++));
      Append(runtime, "orders", p, rows);
    }
  };
  auto warehouse_has_all = [&](Runtime& runtime) {
    return Eventually([&] {
      auto table = runtime.warehouse().Query("SELECT count(*) FROM in_warehouse");
      return table.ok() && table->Get(0, 0).GetValue<int64_t>() == next;
    });
  };
  auto fails = [&](Runtime& runtime, const std::string& name, const std::string& why) {
    return Eventually([&] {
      const job::JobStatus status = StatusOf(runtime, name);
      return status.state == job::JobState::kFailing &&
             status.error.message().find(why) != std::string::npos;
    });
  };

  ASSERT_TRUE(server->Crash());
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  feed(*runtime);
  EXPECT_TRUE(warehouse_has_all(*runtime));
  EXPECT_TRUE(Eventually([&] { return hook_rows().size() == static_cast<size_t>(next); }));
  EXPECT_TRUE(fails(*runtime, "in_postgres", "cannot connect to PostgreSQL"));
  EXPECT_TRUE(StatusOf(*runtime, "in_warehouse").error.ok());

  ASSERT_TRUE(server->Restart());
  busy = true;
  feed(*runtime);
  EXPECT_TRUE(warehouse_has_all(*runtime));
  EXPECT_TRUE(fails(*runtime, "in_hook", "503: closed for lunch"));
  auto postgres_has_all = [&] {
    return Eventually([&] {
      return Ask(*server, "SELECT to_regclass('in_postgres') IS NOT NULL")[0] == "t" &&
             Ask(*server, "SELECT count(*) FROM in_postgres")[0] == std::to_string(next);
    });
  };
  EXPECT_TRUE(postgres_has_all());

  // Stopped and started while the one is away, and the other answers again.
  ASSERT_TRUE(server->Crash());
  feed(*runtime);
  EXPECT_TRUE(warehouse_has_all(*runtime));
  EXPECT_TRUE(fails(*runtime, "in_postgres", "PostgreSQL"));
  runtime->Stop();
  EXPECT_NE(StatusOf(*runtime, "in_postgres").state, job::JobState::kFailed);
  runtime.reset();
  busy = false;
  runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  feed(*runtime);
  EXPECT_TRUE(Eventually([&] { return hook_rows().size() == static_cast<size_t>(next); }));
  ASSERT_TRUE(server->Restart());
  EXPECT_TRUE(postgres_has_all());
  EXPECT_TRUE(warehouse_has_all(*runtime));
  // What only PostgreSQL refuses is a dead letter of that job alone.
  Ask(*server, "ALTER TABLE in_postgres ALTER COLUMN s TYPE varchar(3)");
  const int refused = next++;
  Append(*runtime, "orders", 0, {fmt::format(R"({{"k":{},"s":"too long"}})", refused)});
  EXPECT_TRUE(Eventually([&] { return StatusOf(*runtime, "in_postgres").rows_rejected == 1; }));
  EXPECT_TRUE(Eventually([&] { return hook_rows().size() == static_cast<size_t>(next); }));
  EXPECT_TRUE(warehouse_has_all(*runtime));
  EXPECT_EQ(Rows(*runtime, "SELECT name, rows_rejected FROM millrace.jobs"),
            (std::vector<std::string>{"in_hook|0|", "in_postgres|1|", "in_warehouse|0|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT job, stage, \"table\" FROM millrace.dead_letters"),
            std::vector<std::string>{"in_postgres|sink|in_postgres|"});
  runtime->Stop();

  std::multiset<int> all;
  for (int k = 0; k < next; k++) all.insert(k);
  EXPECT_EQ(hook_rows(), all);
  all.erase(refused);
  std::multiset<int> found;
  for (const std::string& k : Ask(*server, "SELECT k FROM in_postgres")) found.insert(std::stoi(k));
  EXPECT_EQ(found, all);
  EXPECT_EQ(Rows(*runtime, "SELECT count(*), count(DISTINCT k) FROM in_warehouse"),
            std::vector<std::string>{fmt::format("{0}|{0}|", next)});
}

TEST(Webhook, ASecretMustBeAReference) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        std::string(kOrders) +
            "CREATE TABLE h (k INT) WITH ('connector' = 'webhook', 'url' = 'http://127.0.0.1:1', "
            "'secret' = 'hush');\nINSERT INTO h SELECT k FROM orders;\n");
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  if (project) faults = project->Validate();
  ASSERT_FALSE(faults.empty());
  EXPECT_NE(faults[0].message().find("holds the secret itself"), std::string::npos);
  EXPECT_EQ(faults[0].ToString().find("hush"), std::string::npos);
}

}  // namespace
}  // namespace millrace::project
