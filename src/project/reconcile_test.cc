// A destination that lacks, doubles or changes rows is found out, and the keys are named: in the
// warehouse and in a real PostgreSQL.
#include "project/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "connectors/jdbc/postgres_client.h"
#include "project/project_fixture.h"
#include "tests/support/postgres_server.h"

namespace millrace::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int kOrders = 2000;

std::string Script(const std::string& url) {
  return fmt::format(R"(
CREATE TABLE orders (id BIGINT, status STRING, ts TIMESTAMP(3)) WITH ('connector' = 'kafka',
  'topic' = 'orders', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE order_facts (id BIGINT, status STRING, ts TIMESTAMP(3)) WITH ('connector' = 'jdbc',
  'url' = '{}', 'table-name' = 'order_facts', 'username' = 'millrace');
INSERT INTO order_facts SELECT id, status, ts FROM orders;
)",
                     url);
}

void WriteChecks(const std::string& directory) {
  std::filesystem::create_directories(directory + "/reconcile");
  const std::string sides = "source: orders\ndestination: order_facts\n";
  Write(directory + "/reconcile/by_count.yml", sides + "tolerance: 0.1 %\n");
  Write(directory + "/reconcile/by_key.yml", sides + "by: key\nkey: id\nname-keys: 3\n");
  Write(directory + "/reconcile/by_checksum.yml",
        sides + "by: checksum\nkey: [id]\ncolumns: [status, ts]\nevery: 0\n");
  Write(directory + "/reconcile/window.yml",
        sides + "by: key\nkey: id\ntime: ts\nwindow: 1 h\nsettle: 0\n");
}

std::vector<std::string> OrderRows() {
  std::vector<std::string> rows;
  for (int i = 0; i < kOrders; i++) {
    // Two without an id, which are two of the same key.
    std::string id = i < 2 ? "null" : std::to_string(i);
    rows.push_back(fmt::format(R"({{"id":{},"status":"s{}","ts":"2026-03-01 {:02}:00:00"}})", id,
                               i % 7, i % 10));
  }
  return rows;
}

class Checks {
 public:
  explicit Checks(Runtime& runtime) : runtime_(runtime) {
    std::vector<Status> faults;
    checks_ = LoadReconcileChecks(runtime.project().directory(), faults);
    for (const Status& fault : faults) ADD_FAILURE() << fault.ToString();
  }
  // At 2026-03-01 10:00 UTC.
  ReconcileResult Run(const std::string& name) {
    auto check = FindReconcileCheck(checks_, name);
    EXPECT_TRUE(check.ok()) << check.status().ToString();
    return RunReconcileCheck(*check, 1'772'359'200'000, [&](const std::string& sql) {
      auto result = runtime_.warehouse().Query(sql, {.read_only = true});
      return result.ok() ? Result<std::string>(result->ToJson())
                         : Result<std::string>(result.status());
    });
  }
  std::vector<std::string> Named(const std::string& name) {
    std::vector<std::string> keys;
    for (const auto& difference : Run(name).differences) {
      keys.push_back(difference.kind + " " + difference.key);
    }
    return keys;
  }

 private:
  Runtime& runtime_;
  std::vector<ReconcileCheck> checks_;
};

// `change` runs a statement on the destination.
void FindWhatIsChangedByHand(Runtime& runtime, const std::function<void(std::string)>& change) {
  Checks checks(runtime);
  for (const char* name : {"by_count", "by_key", "by_checksum", "window"}) {
    const ReconcileResult result = checks.Run(name);
    EXPECT_TRUE(result.ok) << result.ToText();
    EXPECT_EQ(result.source_rows, name == std::string("window") ? kOrders / 10 : kOrders);
    EXPECT_EQ(result.destination_rows, result.source_rows);
    EXPECT_THAT(result.differences, IsEmpty());
  }
  change("DELETE FROM order_facts WHERE id = 109");
  ReconcileResult one = checks.Run("by_count");
  EXPECT_EQ(one.missing, 1);
  EXPECT_TRUE(one.ok) << "one of 2000 is less than 0.1 %: " << one.ToText();
  EXPECT_FALSE(checks.Run("by_key").ok);
  EXPECT_THAT(checks.Named("by_key"), ElementsAre("missing 109"));
  EXPECT_THAT(checks.Named("by_checksum"), ElementsAre("missing 109"));
  EXPECT_THAT(checks.Named("window"), ElementsAre("missing 109"));  // its time is 09:00

  change("DELETE FROM order_facts WHERE id IN (5, 6)");
  ReconcileResult three = checks.Run("by_count");
  EXPECT_FALSE(three.ok);
  EXPECT_EQ(three.missing, 3);
  EXPECT_NEAR(three.divergence, 0.0015, 1e-9);
  EXPECT_THAT(three.ToText(), HasSubstr("DO NOT AGREE"));
  change("INSERT INTO order_facts SELECT * FROM order_facts WHERE id = 1999");
  change("DELETE FROM order_facts WHERE id IS NULL AND status = 's0'");
  // As many rows too many as others are missing: a count would miss it, keys do not. First three.
  EXPECT_THAT(checks.Named("by_key"), ElementsAre("missing 5", "missing 6", "missing 109"));
  EXPECT_THAT(checks.Named("by_checksum"),
              ElementsAre("missing 5", "missing 6", "missing 109", "extra 1999", "missing NULL"));
  EXPECT_THAT(checks.Named("window"), ElementsAre("missing 109", "extra 1999"));
  change("UPDATE order_facts SET status = 'other' WHERE id = 12");
  EXPECT_EQ(checks.Run("by_key").changed, 0);
  EXPECT_EQ(checks.Run("by_checksum").changed, 1);
  EXPECT_THAT(checks.Named("by_checksum"),
              ElementsAre("missing 5", "missing 6", "changed 12", "missing 109", "extra 1999",
                          "missing NULL"));
}

std::unique_ptr<Runtime> RunOrders(const std::string& directory) {
  WriteChecks(directory);
  {
    auto runtime = Open(directory, false);
    if (!runtime) return nullptr;
    std::vector<std::string> rows = OrderRows();
    Append(*runtime, "orders", 0, rows);
  }
  return RunToEnd(directory);
}

TEST(Reconcile, NamesWhatWasChangedByHandInTheWarehouse) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script("jdbc:postgresql://x/y"));
  auto runtime = RunOrders(directory.path());
  ASSERT_NE(runtime, nullptr);
  FindWhatIsChangedByHand(*runtime, [&](const std::string& sql) {
    Status changed = runtime->warehouse().InTransaction(
        [&](duckdb::Connection& connection) { return duck::Warehouse::Execute(connection, sql); });
    EXPECT_TRUE(changed.ok()) << changed.ToString();
  });
}

TEST(Reconcile, NamesWhatWasChangedByHandInPostgreSql) {
  if (!test::PostgresServer::Available()) GTEST_SKIP() << "no PostgreSQL 15";
  auto server = test::PostgresServer::Start();
  ASSERT_NE(server, nullptr);
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml",
        "name: t\ntarget: real\ntargets:\n  real:\n    embedded: [kafka]\n");
  Write(directory.path() + "/sql/a.sql", Script(server->JdbcUrl()));
  auto runtime = RunOrders(directory.path());
  ASSERT_NE(runtime, nullptr);
  auto settings = connectors::jdbc::ParseJdbcUrl(server->JdbcUrl(), server->user(), "", 10'000'000);
  ASSERT_TRUE(settings.ok());
  connectors::jdbc::PostgresClient client(*settings);
  ASSERT_TRUE(client.Connect().ok());
  FindWhatIsChangedByHand(*runtime, [&](const std::string& sql) {
    auto changed = client.Execute(sql);
    EXPECT_TRUE(changed.ok()) << changed.status().ToString();
  });
}

TEST(Reconcile, EmptySidesAndSidesThatCannotBeAsked) {
  auto warehouse = duck::Warehouse::Open("");
  ASSERT_TRUE(warehouse.ok());
  auto run = [&](const ReconcileCheck& check) {
    return RunReconcileCheck(check, 1'772'359'200'000, [&](const std::string& sql) {
      auto result = (*warehouse)->Query(sql);
      return result.ok() ? Result<std::string>(result->ToJson())
                         : Result<std::string>(result.status());
    });
  };
  for (auto by :
       {ReconcileCheck::By::kCount, ReconcileCheck::By::kKey, ReconcileCheck::By::kChecksum}) {
    ReconcileCheck check;
    check.source = check.destination = "SELECT 1 AS id, 2 AS v WHERE false";
    check.by = by;
    check.key = {"id"};
    check.columns = {"v"};
    EXPECT_TRUE(run(check).ok);
    check.destination = "SELECT 1 AS id, 2 AS v";
    const ReconcileResult result = run(check);
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.extra, 1);
    EXPECT_EQ(result.divergence, 1);
    check.destination = "FROM nowhere";
    EXPECT_THAT(run(check).error, HasSubstr("nowhere"));
    EXPECT_FALSE(run(check).ok);
  }
}

TEST(Reconcile, SaysWhatIsWrongWithACheck) {
  TempDirectory directory;
  std::filesystem::create_directories(directory.path() + "/reconcile");
  auto fault = [&](const std::string& yaml) {
    Write(directory.path() + "/reconcile/a.yml", yaml);
    std::vector<Status> faults;
    EXPECT_THAT(LoadReconcileChecks(directory.path(), faults), IsEmpty());
    return faults.empty() ? "" : faults[0].ToString();
  };
  EXPECT_THAT(fault("source: a\n"), HasSubstr("\"destination\" is missing"));
  EXPECT_THAT(fault("source: a\ndestination: b\nby: keys\n"), HasSubstr("did you mean \"key\""));
  EXPECT_THAT(fault("source: a\ndestination: b\nby: key\n"), HasSubstr("\"key\" is missing"));
  EXPECT_THAT(fault("source: a\ndestination: b\ntolerance: few\n"), HasSubstr("no tolerance"));
  EXPECT_THAT(fault("source: a\nsourse: a\ndestination: b\n"), HasSubstr("\"sourse\""));
  EXPECT_THAT(fault("source: a\nsource-query: SELECT 1\ndestination: b\n"), HasSubstr("twice"));
  EXPECT_THAT(fault("source: [\n"), HasSubstr("YAML"));
}

TEST(Reconcile, KeepsResultsAsATable) {
  TempDirectory directory;
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  ReconcileCheck check;
  check.name = "tiny";
  check.source = "SELECT 1 AS id";
  check.destination = "SELECT 2 AS id";
  check.by = ReconcileCheck::By::kKey;
  check.key = {"id"};
  check.every_us = 50'000;
  Reconciler reconciler({check}, runtime->warehouse(), runtime->log());
  reconciler.Start();
  while (Rows(*runtime, "FROM millrace.reconciliations").empty()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  reconciler.Stop();
  EXPECT_EQ(Rows(*runtime,
                 "SELECT DISTINCT name, ok, missing, extra, differences[1].key, error FROM "
                 "millrace.reconciliations"),
            std::vector<std::string>{"tiny|false|1|1|1|NULL|"});
}

}  // namespace
}  // namespace millrace::project
