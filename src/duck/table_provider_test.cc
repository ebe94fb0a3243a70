#include "duck/table_provider.h"

#include <gtest/gtest.h>

#include "duck/warehouse.h"

namespace millrace::duck {
namespace {

using duckdb::LogicalType;
using duckdb::Value;

model::Schema JobSchema() {
  return {{{"name", LogicalType::VARCHAR},
           {"rows", LogicalType::BIGINT},
           {"at", LogicalType::TIMESTAMP}}};
}

VirtualTable Jobs(int rows, const std::string& schema = "millrace") {
  return RowsTable(schema, "jobs", JobSchema(), [rows] {
    std::vector<std::vector<Value>> all;
    for (int i = 0; i < rows; i++) {
      all.push_back({Value("job" + std::to_string(i)), Value::BIGINT(i), Value()});
    }
    return Result<std::vector<std::vector<Value>>>(std::move(all));
  });
}

class TableProvider : public ::testing::Test {
 protected:
  void SetUp() override { warehouse_ = std::move(*Warehouse::Open("")); }
  std::string Ask(const std::string& sql) {
    auto result = warehouse_->Query(sql);
    return result.ok() ? result->ToCsv() : result.status().ToString();
  }
  std::unique_ptr<Warehouse> warehouse_;
};

TEST_F(TableProvider, AppearsAsTable) {
  ASSERT_TRUE(RegisterTable(*warehouse_, Jobs(5000)).ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM millrace.jobs"), "count_star()\r\n5000\r\n");
  EXPECT_EQ(Ask("SELECT rows, name FROM millrace.jobs WHERE name = 'job4321'"),
            "rows,name\r\n4321,job4321\r\n");
  EXPECT_EQ(Ask("SELECT sum(a.rows) AS s FROM millrace.jobs a JOIN millrace.jobs b USING (name)"),
            "s\r\n12497500\r\n");
  EXPECT_EQ(Ask("SELECT \"at\" FROM millrace.jobs LIMIT 1"), "at\r\n\r\n");
  EXPECT_NE(Ask("SHOW ALL TABLES").find("jobs"), std::string::npos);
  EXPECT_TRUE(warehouse_->Query("FROM millrace.jobs", {.read_only = true}).ok());
}

TEST_F(TableProvider, ReplacedAndForgotten) {
  ASSERT_TRUE(RegisterTable(*warehouse_, Jobs(2)).ok());
  ASSERT_TRUE(RegisterTable(*warehouse_, Jobs(0)).ok());
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM millrace.jobs"), "n\r\n0\r\n");
  ASSERT_TRUE(UnregisterTable(*warehouse_, "millrace", "jobs").ok());
  EXPECT_NE(Ask("FROM millrace.jobs").find("does not exist"), std::string::npos);
}

TEST_F(TableProvider, MainSchemaYieldsToStoredTables) {
  ASSERT_TRUE(RegisterTable(*warehouse_, Jobs(3, "main")).ok());
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM jobs j WHERE j.rows > 0"), "n\r\n2\r\n");
  ASSERT_TRUE(warehouse_->Query("CREATE TABLE jobs AS SELECT 1 AS x").ok());
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM jobs"), "n\r\n1\r\n");
}

TEST_F(TableProvider, AViewIsItsQuery) {
  ASSERT_TRUE(RegisterTable(*warehouse_, Jobs(4, "main")).ok());
  RegisterView(*warehouse_, "twice", "SELECT name, rows * 2 AS n FROM jobs");
  RegisterView(*warehouse_, "Sums", "SELECT * FROM (SELECT sum(n) FROM twice) AS v(\"total\")");
  RegisterView(*warehouse_, "broken", "SELECT * FROM nowhere");
  EXPECT_EQ(Ask("SELECT * FROM sums"), "total\r\n12\r\n");
  EXPECT_EQ(Ask("SELECT t.n FROM Twice t WHERE t.name = 'job3'"), "n\r\n6\r\n");
  EXPECT_NE(Ask("FROM broken").find("nowhere"), std::string::npos);
  ASSERT_TRUE(warehouse_->Query("CREATE TABLE twice (n INT)").ok());
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM twice"), "n\r\n0\r\n") << "stored tables come first";
}

TEST_F(TableProvider, ScanErrorEndsTheQuery) {
  VirtualTable table = Jobs(1);
  table.scan = [](const std::vector<size_t>&) -> Result<std::unique_ptr<TableScan>> {
    return Status(Code::kIo, "segment is unreadable").WithHint("look at the disk");
  };
  ASSERT_TRUE(RegisterTable(*warehouse_, table).ok());
  EXPECT_NE(Ask("FROM millrace.jobs").find("segment is unreadable; look at the disk"),
            std::string::npos);
}

TEST_F(TableProvider, OnlyWantedColumnsAreAsked) {
  std::vector<size_t> asked;
  VirtualTable table = Jobs(1);
  auto scan = table.scan;
  table.scan = [&asked, scan](const std::vector<size_t>& wanted) {
    asked = wanted;
    return scan(wanted);
  };
  ASSERT_TRUE(RegisterTable(*warehouse_, table).ok());
  Ask("SELECT \"at\", name FROM millrace.jobs");
  std::sort(asked.begin(), asked.end());
  EXPECT_EQ(asked, (std::vector<size_t>{0, 2}));
}

}  // namespace
}  // namespace millrace::duck
