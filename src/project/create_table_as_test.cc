// CREATE TABLE … AS SELECT: the same table, the same job and the same rows as the two statements.
#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kOrders = R"(
CREATE TABLE orders (id BIGINT, country STRING, price DECIMAL(10, 2), placed TIMESTAMP(3),
  WATERMARK FOR placed AS placed - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = 'orders.csv', 'format' = 'csv', 'csv.null-literal' = 'NULL');
)";

void WriteOrders(const TempDirectory& directory) {
  std::string rows;
  for (int i = 0; i < 300; i++) {
    rows += fmt::format("{},{},{}.5,2024-01-01 00:{:02}:{:02}\n", i, i % 7 ? "DE" : "NULL", i,
                        i / 60, i % 60);
  }
  Write(directory.path() + "/orders.csv", rows);
}

std::vector<Status> FaultsOf(const std::string& script) {
  TempDirectory directory;
  Write(directory.path() + "/sql/jobs.sql", kOrders + script);
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  if (faults.empty()) faults = project->Validate();
  return faults;
}

TEST(CreateTableAs, IsTheTableAndTheInsert) {
  const std::string windows =
      "SELECT window_start, country, COUNT(*) AS n, SUM(price) AS total FROM TABLE(TUMBLE(TABLE "
      "orders, DESCRIPTOR(placed), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, "
      "country;\n";
  const std::string totals =
      "SELECT country, COUNT(*) AS n, MAX(placed) AS newest, 'x' AS mark FROM orders WHERE country "
      "IS NOT NULL GROUP BY country;\n";
  TempDirectory directory;
  WriteOrders(directory);
  Write(
      directory.path() + "/sql/jobs.sql",
      kOrders + ("CREATE TABLE short_windows WITH ('connector' = 'warehouse') AS " + windows) +
          "CREATE TABLE short_totals (PRIMARY KEY (country) NOT ENFORCED)\n"
          "WITH ('connector' = 'warehouse') AS " +
          totals +
          "CREATE TABLE long_windows (window_start TIMESTAMP(3), country STRING, n BIGINT, total "
          "DECIMAL(38, 2)) WITH ('connector' = 'warehouse');\n"
          "INSERT INTO long_windows " +
          windows +
          "CREATE TABLE long_totals (country STRING, n BIGINT, newest TIMESTAMP(3), mark STRING,\n"
          "PRIMARY KEY (country) NOT ENFORCED) WITH ('connector' = 'warehouse');\n"
          "INSERT INTO long_totals " +
          totals);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  for (const char* table : {"windows", "totals"}) {
    const auto rows = Rows(*runtime, fmt::format("SELECT * FROM short_{}", table));
    EXPECT_EQ(rows, Rows(*runtime, fmt::format("SELECT * FROM long_{}", table)));
    EXPECT_FALSE(rows.empty());
    const std::string columns =
        "SELECT column_name, data_type, ordinal_position FROM information_schema.columns WHERE "
        "table_name = '{}_{}'";
    EXPECT_EQ(Rows(*runtime, fmt::format(fmt::runtime(columns), "short", table)),
              Rows(*runtime, fmt::format(fmt::runtime(columns), "long", table)));
  }
}

TEST(CreateTableAs, SaysWhatIsWrong) {
  struct Case {
    std::string script, message;
  };
  const Case cases[] = {
      {"CREATE TABLE t (a INT) WITH ('connector' = 'print') AS SELECT id FROM orders",
       "column \"a\" cannot be declared beside AS SELECT"},
      {"CREATE TABLE t WITH ('connector' = 'print') AS SELECT nobody FROM orders", "nobody"},
      {"CREATE TABLE t (PRIMARY KEY (y) NOT ENFORCED) WITH ('connector' = 'print') AS "
       "SELECT id FROM orders",
       "y"},
      {"CREATE TABLE t WITH ('connector' = 'print') AS", "AS"},
      {"CREATE TABLE t WITH ('connector' = 'jdbc', 'url' = 'x', 'table-name' = 't') AS "
       "SELECT country, COUNT(*) AS n FROM orders GROUP BY country",
       "needs a key"},
  };
  for (const Case& one : cases) {
    const std::vector<Status> faults = FaultsOf(one.script);
    ASSERT_FALSE(faults.empty()) << one.script;
    EXPECT_NE(faults.front().ToString().find(one.message), std::string::npos)
        << faults.front().ToString();
    EXPECT_GT(faults.front().span().line, 1) << faults.front().ToString();
  }
}

}  // namespace
}  // namespace millrace::project
