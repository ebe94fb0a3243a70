// Rows that cannot be used: late ones, ones that do not decode, ones that break a constraint. Each
// must be counted and kept with its bytes and the reason, and the others must go through.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

std::string Script(const std::string& options, const std::string& more = "") {
  return fmt::format(R"(
CREATE TABLE orders (id STRING NOT NULL, quantity INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
  CONSTRAINT quantity_positive CHECK (quantity > 0)
) WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
        'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'{});
CREATE TABLE per_window (ws TIMESTAMP(3), c BIGINT, s BIGINT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y',
  'table-name' = 'per_window');
{}
)",
                     options, more);
}

constexpr const char* kTumble =
    "INSERT INTO per_window SELECT window_start, COUNT(*), SUM(quantity) FROM TABLE(TUMBLE(TABLE "
    "orders, DESCRIPTOR(ts), "
    "INTERVAL '10' SECOND)) GROUP BY window_start, window_end;";

std::string Order(const std::string& id, const std::string& second, int quantity = 1) {
  return fmt::format(R"({{"id":"{}","quantity":{},"ts":"2026-03-01 10:00:{}"}})", id, quantity,
                     second);
}

// The windows that a running job has emitted, as soon as there are any; none after two minutes.
std::vector<std::string> FirstWindows(Runtime& runtime) {
  for (int i = 0; i < 2400; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    auto table = runtime.warehouse().Query("SELECT ws FROM per_window");
    if (table.ok() && table->row_count() > 0)
      return Rows(runtime, "SELECT ws::VARCHAR, c FROM per_window");
  }
  return {};
}

TEST(LateRows, AreKeptWithTheirBytesAndDoNotDependOnEpochs) {
  for (const char* epochs :
       {"", "SET 'millrace.epoch.bytes' = '1'; SET 'millrace.epoch.interval' = '0 ms';\n"}) {
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", epochs + Script("", kTumble));
    {
      auto runtime = Open(directory.path(), false);
      ASSERT_NE(runtime, nullptr);
      // The row at :16 moves the frontier to :11.001, so [00, 10) is closed for what comes after.
      Append(*runtime, "orders", 0,
             {Order("a", "01"), Order("b", "09"), Order("c", "16"), Order("late", "03"),
              Order("in time", "12"), Order("d", "31")});
    }
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    EXPECT_EQ(Rows(*runtime, "SELECT ws::VARCHAR, c FROM per_window"),
              (std::vector<std::string>{"2026-03-01 10:00:00|2|", "2026-03-01 10:00:10|2|",
                                        "2026-03-01 10:00:30|1|"}));
    EXPECT_EQ(
        Rows(*runtime,
             "SELECT kind, topic, \"partition\", \"offset\", value FROM millrace.dead_letters"),
        (std::vector<std::string>{"late|orders|0|3|" + Order("late", "03") + "|"}));
    EXPECT_EQ(Rows(*runtime, "SELECT rows_in, rows_late FROM millrace.jobs"),
              std::vector<std::string>{"6|1|"});
  }
}

// A job that starts over (its state and its results were deleted) refuses the same rows again: they
// are kept again, though the dead letters of the first run had the same epochs.
TEST(BadRows, AreKeptAgainByAJobThatStartsOver) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        Script("",
               "CREATE TABLE nowhere (id STRING) WITH ('connector' = 'blackhole');\n"
               "INSERT INTO nowhere SELECT id FROM orders;"));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0, {Order("a", "01"), Order("bad", "02", -1), "no JSON"});
  }
  for (int run = 1; run <= 2; run++) {
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM millrace.dead_letters"),
              std::vector<std::string>{fmt::format("{}|", 2 * run)});
    runtime.reset();
    std::filesystem::remove_all(directory.path() + "/.millrace/state");
  }
}

TEST(LateRows, CountInThoseHoppingWindowsThatAreStillOpen) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        Script("",
               "INSERT INTO per_window SELECT window_start, COUNT(*), SUM(quantity) FROM "
               "TABLE(HOP(TABLE orders, "
               "DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '20' SECOND)) GROUP BY "
               "window_start, window_end;"));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    // At frontier :11.001 the window [-10, 10) is closed, [00, 20) is not.
    Append(*runtime, "orders", 0,
           {Order("a", "01"), Order("b", "16"), Order("late for one", "02")});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT ws::VARCHAR, c FROM per_window"),
            (std::vector<std::string>{"2026-03-01 09:59:50|1|", "2026-03-01 10:00:00|3|",
                                      "2026-03-01 10:00:10|1|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT kind FROM millrace.dead_letters"),
            std::vector<std::string>{"late|"});
}

TEST(LateRows, AreOnlyCountedWhereTheTableSaysDrop) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script(", 'millrace.late-rows' = 'drop'", kTumble));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0, {Order("a", "30"), Order("late", "03")});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM millrace.dead_letters"),
            std::vector<std::string>{"0|"});
  EXPECT_EQ(Rows(*runtime, "SELECT rows_late FROM millrace.jobs"), std::vector<std::string>{"1|"});
}

TEST(LateRows, AreRowsLikeAnyOtherForAJoinWithoutABoundInTime) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        Script("",
               "INSERT INTO per_window SELECT o.ts, 1, w.c FROM orders o JOIN (SELECT "
               "window_start, COUNT(*) AS c FROM "
               "TABLE(TUMBLE(TABLE orders, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY "
               "window_start, window_end) w "
               "ON o.quantity = w.c;"));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0,
           {Order("a", "01", 2), Order("b", "09", 7), Order("c", "16", 1), Order("late", "03", 2)});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  // The window [00, 10) has two rows without the late one, and joins both orders of two.
  EXPECT_EQ(Rows(*runtime, "SELECT ts::VARCHAR, s FROM (SELECT ws AS ts, s FROM per_window)"),
            (std::vector<std::string>{"2026-03-01 10:00:01|2|", "2026-03-01 10:00:03|2|",
                                      "2026-03-01 10:00:16|1|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT kind FROM millrace.dead_letters"),
            std::vector<std::string>{"late|"});
}

TEST(BadRows, GoToTheDeadLettersOneByOne) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script("", kTumble));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0,
           {Order("good", "01"), "{\"id\":\"cut", "[1,2]", "",
            R"({"id":null,"quantity":1,"ts":"2026-03-01 10:00:02"})",
            R"({"id":"t","quantity":"many","ts":"2026-03-01 10:00:02"})",
            Order("negative", "02", -1), R"({"id":"no time","quantity":1})",
            R"({"id":"far","quantity":1,"ts":"9999-01-01 00:00:00"})",
            std::string("\xff\xfe\x00 bytes", 8), Order("good too", "03")});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT c, s FROM per_window"), std::vector<std::string>{"2|2|"});
  EXPECT_EQ(
      Rows(*runtime, "SELECT \"offset\", kind FROM millrace.dead_letters"),
      (std::vector<std::string>{"1|malformed|", "2|malformed|", "3|malformed|", "4|null|",
                                "5|type|", "6|constraint|", "7|time|", "8|time|", "9|malformed|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT rows_in, rows_dead_lettered FROM millrace.jobs"),
            std::vector<std::string>{"11|9|"});
}

TEST(BadRows, AFailingExpressionTakesOnlyItsRow) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        Script("",
               "CREATE TABLE numbers (n INT) WITH ('connector' = 'jdbc', 'url' = "
               "'jdbc:postgresql://x/y', 'table-name' = "
               "'numbers');\nINSERT INTO numbers SELECT CAST(id AS INT) FROM orders;"));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0,
           {Order("1", "01"), Order("not a number", "02"), Order("3", "03")});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT n FROM numbers"), (std::vector<std::string>{"1|", "3|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT stage, kind FROM millrace.dead_letters"),
            std::vector<std::string>{"transform|type|"});
}

TEST(LateRows, KeepTheirKeyOnTheWayToAnotherShard) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql",
        "SET 'parallelism.default' = '2';\n" + Script("", kTumble));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0, {Order("a", "01"), Order("b", "31")});
    const std::string late = Order("late", "03");
    log::NewRecord record;
    record.value = late;
    record.key = "customer 7";
    ASSERT_TRUE(runtime->log().AppendAndWait("orders", 0, {&record, 1}).ok());
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT kind, key, \"offset\" FROM millrace.dead_letters"),
            std::vector<std::string>{"late|customer 7|2|"});
}

TEST(IdlePartitions, NoLongerHoldTheWatermark) {
  TempDirectory directory;
  std::string script = Script(", 'scan.watermark.idle-timeout' = '50 ms'", kTumble);
  script.replace(script.find(", 'scan.bounded.mode' = 'latest-offset'"), 39, "");
  Write(directory.path() + "/sql/a.sql", script);
  Write(directory.path() + "/millrace.yml", "topics:\n  orders: {partitions: 3}\n");
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  Append(*runtime, "orders", 1, {Order("a", "01"), Order("b", "16")});
  EXPECT_EQ(FirstWindows(*runtime), std::vector<std::string>{"2026-03-01 10:00:00|1|"});
}

TEST(IdlePartitions, AWhollySilentTableHoldsNoUnionBack) {
  TempDirectory directory;
  std::string script = Script(", 'scan.watermark.idle-timeout' = '50 ms'", R"(
CREATE TABLE returns (quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'returns', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
        'scan.watermark.idle-timeout' = '50 ms');
CREATE VIEW movements AS SELECT quantity, ts FROM orders UNION ALL SELECT -quantity, ts FROM returns;
INSERT INTO per_window SELECT window_start, COUNT(*), SUM(quantity) FROM TABLE(TUMBLE(TABLE movements, DESCRIPTOR(ts),
  INTERVAL '10' SECOND)) GROUP BY window_start, window_end;)");
  script.replace(script.find(", 'scan.bounded.mode' = 'latest-offset'"), 39, "");
  Write(directory.path() + "/sql/a.sql", script);
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  Append(*runtime, "orders", 0, {Order("a", "01"), Order("b", "16")});
  EXPECT_EQ(FirstWindows(*runtime), std::vector<std::string>{"2026-03-01 10:00:00|1|"});
}

TEST(LostState, IsAnErrorWhileTheResultsAreStillThere) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script("", kTumble));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "orders", 0, {Order("a", "01"), Order("b", "31")});
  }
  ASSERT_NE(RunToEnd(directory.path()), nullptr);
  std::filesystem::remove_all(directory.path() + "/.millrace/state");
  std::vector<Status> faults;
  auto again = Runtime::Open(Project::Load(directory.path(), "", faults), true);
  ASSERT_FALSE(again.ok());
  EXPECT_NE(again.status().message().find("the job's state is gone"), std::string::npos)
      << again.status().ToString();
}

TEST(TopicTables, ShowComputedAndMetadataColumns) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", R"(
CREATE TABLE orders (id STRING, doubled AS quantity * 2, quantity INT, at_offset BIGINT METADATA FROM 'offset' VIRTUAL,
  `partition` INT METADATA VIRTUAL) WITH ('connector' = 'kafka', 'topic' = 'orders',
  'properties.bootstrap.servers' = 'x', 'format' = 'json');)");
  Write(directory.path() + "/millrace.yml", "topics:\n  orders: {partitions: 2}\n");
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  Append(*runtime, "orders", 0, {Order("a", "01", 3), "not json", Order("b", "02", 4)});
  Append(*runtime, "orders", 1, {Order("c", "03", 5)});
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM orders"),
            (std::vector<std::string>{"a|6|3|0|0|", "b|8|4|2|0|", "c|10|5|0|1|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT max(at_offset) FROM orders"), std::vector<std::string>{"2|"});
  EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM orders"), std::vector<std::string>{"3|"});
}

TEST(Refusals, NameTheClauseAndItsPlace) {
  struct Refusal {
    const char* insert;
    const char* place;
    const char* message;
  };
  const Refusal refusals[] = {
      {"INSERT INTO per_window SELECT ts, COUNT(*), SUM(quantity) FROM orders GROUP BY ts;", ":",
       "needs a key"},
      {"INSERT INTO per_window SELECT ts, 1, 2 FROM orders\nORDER BY quantity;", ":10:1",
       "ORDER BY"},
      {"INSERT INTO per_window SELECT ts, 1,\n(SELECT quantity FROM orders b WHERE b.id = a.id) "
       "FROM orders a;",
       ":9:", "several rows"},
      {"INSERT INTO per_window SELECT a.ts, 1, b.quantity FROM orders a LEFT JOIN orders b ON a.id "
       "= b.id;",
       ":", "needs a key"},
      {"INSERT INTO per_window SELECT ts, 1 FROM orders;", ":", "takes 3"},
      {"INSERT INTO per_window SELECT ts, 1, quantitty FROM orders;", ":9:", "quantitty"},
      {"INSERT INTO per_window SELECT id, 1, 1 FROM orders;", ":", "but the query gives"},
      {"INSERT INTO per_window SELECT ts, ts, 1 FROM orders;", ":", "write EXTRACT(EPOCH FROM"},
      {"INSERT INTO per_window SELECT ts, quantity > 1, 1 FROM orders;", ":", "write CAST("},
      {"INSERT INTO per_window SELECT CAST(ts AS DATE), 1, 1 FROM orders;", ":", "gives DATE"},
  };
  for (const Refusal& refusal : refusals) {
    TempDirectory directory;
    Write(directory.path() + "/sql/a.sql", Script("", refusal.insert));
    std::vector<Status> faults;
    auto project = Project::Load(directory.path(), "", faults);
    ASSERT_TRUE(faults.empty()) << faults[0].ToString();
    faults = project->Validate();
    ASSERT_EQ(faults.size(), 1u) << refusal.insert;
    EXPECT_NE(faults[0].ToString().find(refusal.message), std::string::npos)
        << faults[0].ToString();
    EXPECT_NE(faults[0].ToString().find(refusal.place), std::string::npos) << faults[0].ToString();
    EXPECT_FALSE(faults[0].hint().empty()) << faults[0].ToString();
  }
}

}  // namespace
}  // namespace millrace::project
