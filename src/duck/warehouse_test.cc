#include "duck/warehouse.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace millrace::duck {
namespace {

std::unique_ptr<Warehouse> InMemory() {
  auto warehouse = Warehouse::Open("");
  EXPECT_TRUE(warehouse.ok()) << warehouse.status().ToString();
  return std::move(*warehouse);
}

TEST(Warehouse, QueryGivesJsonTableAndCsv) {
  auto warehouse = InMemory();
  auto result = warehouse->Query(
      "SELECT * FROM (VALUES (1, 'a,b', 1.50::DECIMAL(9,2), TIMESTAMP '2024-01-02 03:04:05', "
      "[1, NULL], {'k': 'v'}, 'nan'::DOUBLE), (NULL, E'x\"y\\nz', NULL, NULL, NULL, NULL, 0.1)) "
      "t(i, s, d, ts, l, st, f)");
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->row_count(), 2u);
  const std::string json = result->ToJson();
  EXPECT_NE(json.find(R"([1,"a,b",1.50,"2024-01-02 03:04:05",[1,null],{"k":"v"},"NaN"])"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find(R"([null,"x\"y\nz",null,null,null,null,0.1])"), std::string::npos) << json;
  EXPECT_NE(json.find(R"({"name":"i","type":"INTEGER"})"), std::string::npos) << json;
  EXPECT_NE(result->ToTable().find("(2 rows)"), std::string::npos);
  EXPECT_NE(result->ToTable().find("x\"y\\nz"), std::string::npos) << result->ToTable();
  EXPECT_NE(result->ToCsv().find("1,\"a,b\",1.50,2024-01-02 03:04:05"), std::string::npos);
  EXPECT_NE(result->ToCsv().find("\r\n,\"x\"\"y\nz\",,,"), std::string::npos) << result->ToCsv();
}

TEST(Warehouse, TableIsAligned) {
  auto warehouse = InMemory();
  auto result = warehouse->Query("SELECT * FROM (VALUES (1, 'é'), (100, 'abc')) t(n, name)");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->ToTable(), "  n  name\n---  ----\n  1  é\n100  abc\n(2 rows)\n");
  auto empty = warehouse->Query("SELECT 1 AS x WHERE false");
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->ToTable(), "x\n-\n(0 rows)\n");
  EXPECT_NE(empty->ToJson().find("\"rows\":[]"), std::string::npos);
}

TEST(Warehouse, ErrorsKeepDidYouMeanAndPosition) {
  auto warehouse = InMemory();
  ASSERT_TRUE(warehouse->Query("CREATE TABLE orders (price INT)").ok());
  auto table = warehouse->Query("SELECT * FROM orders_");
  EXPECT_EQ(table.status().code(), Code::kUnknownTable);
  EXPECT_NE(table.status().hint().find("orders"), std::string::npos);
  auto column = warehouse->Query("SELECT prise FROM orders");
  EXPECT_EQ(column.status().code(), Code::kUnknownColumn) << column.status().ToString();
  EXPECT_NE(column.status().hint().find("price"), std::string::npos);
  EXPECT_EQ(column.status().span().line, 1);
  EXPECT_EQ(column.status().span().column, 8);
  auto second = warehouse->Query("SELECT 1,\n  prise FROM orders");
  EXPECT_EQ(second.status().span().line, 2);
  EXPECT_EQ(second.status().span().column, 3);
  const std::string filler(300, '1');
  auto longer = warehouse->Query("SELECT '" + filler + "', prise, '" + filler + "' FROM orders");
  EXPECT_EQ(longer.status().span().column, 312);
  EXPECT_EQ(warehouse->Query("SELEC 1").status().code(), Code::kSyntax);
  EXPECT_EQ(warehouse->Query("").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(warehouse->Query("SELECT 'abc'::INT").status().code(), Code::kType);
}

TEST(Warehouse, ReadOnlyGuard) {
  auto warehouse = InMemory();
  ASSERT_TRUE(warehouse->Query("CREATE TABLE t AS SELECT 1 AS x").ok());
  QueryOptions guarded{.read_only = true};
  for (const char* sql :
       {"DROP TABLE t", "INSERT INTO t VALUES (2)", "SELECT 1; DELETE FROM t",
        "COPY t TO '/tmp/should_not_exist.csv'", "SET threads = 1", "ATTACH ':memory:' AS x",
        "EXPLAIN ANALYZE INSERT INTO t VALUES (2)", "PRAGMA threads=1"}) {
    EXPECT_EQ(warehouse->Query(sql, guarded).status().code(), Code::kFailedPrecondition) << sql;
  }
  for (const char* sql : {"SELECT * FROM t", "FROM t", "WITH a AS (SELECT 1) SELECT * FROM a",
                          "DESCRIBE t", "SHOW TABLES", "EXPLAIN SELECT * FROM t", "VALUES (1)"}) {
    auto result = warehouse->Query(sql, guarded);
    EXPECT_TRUE(result.ok()) << sql << ": " << result.status().ToString();
  }
  EXPECT_EQ(warehouse->Query("SELECT * FROM t")->row_count(), 1u);
}

TEST(Warehouse, MaxRowsTruncates) {
  auto warehouse = InMemory();
  auto result = warehouse->Query("SELECT * FROM range(10000)", {.max_rows = 3000});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->row_count(), 3000u);
  EXPECT_TRUE(result->truncated);
  result = warehouse->Query("SELECT * FROM range(10)", {.max_rows = 10});
  EXPECT_FALSE(result->truncated);
}

TEST(Warehouse, TransactionRollsBackOnErrorAndException) {
  auto warehouse = InMemory();
  ASSERT_TRUE(warehouse->Query("CREATE TABLE t (x INT)").ok());
  auto failing = warehouse->InTransaction([](duckdb::Connection& c) -> Status {
    MR_RETURN_IF_ERROR(Warehouse::Execute(c, "INSERT INTO t VALUES (1)"));
    return Status(Code::kIo, "no");
  });
  EXPECT_EQ(failing.code(), Code::kIo);
  auto throwing = warehouse->InTransaction([](duckdb::Connection& c) -> Status {
    MR_RETURN_IF_ERROR(Warehouse::Execute(c, "INSERT INTO t VALUES (1)"));
    throw duckdb::InvalidInputException("thrown");
  });
  EXPECT_FALSE(throwing.ok());
  EXPECT_EQ(warehouse->Query("FROM t")->row_count(), 0u);
  auto fine = warehouse->InTransaction(
      [](duckdb::Connection& c) { return Warehouse::Execute(c, "INSERT INTO t VALUES (1)"); });
  EXPECT_TRUE(fine.ok());
  EXPECT_EQ(warehouse->Query("FROM t")->row_count(), 1u);
}

TEST(Warehouse, WritersOfSeveralThreadsDoNotConflict) {
  auto warehouse = InMemory();
  ASSERT_TRUE(warehouse->Query("CREATE TABLE t AS SELECT 0 AS x").ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([&] {
      for (int k = 0; k < 10; k++) {
        EXPECT_TRUE(warehouse
                        ->InTransaction([](duckdb::Connection& c) {
                          return Warehouse::Execute(c, "UPDATE t SET x = x + 1");
                        })
                        .ok());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(warehouse->Query("FROM t")->Get(0, 0).GetValue<int>(), 40);
}

TEST(Warehouse, FileSurvivesReopen) {
  const auto directory = std::filesystem::temp_directory_path() /
                         ("millrace_warehouse_test_" + std::to_string(getpid()));
  const std::string path = (directory / "sub" / "w.duckdb").string();
  {
    auto warehouse = Warehouse::Open(path);
    ASSERT_TRUE(warehouse.ok()) << warehouse.status().ToString();
    ASSERT_TRUE((*warehouse)->Query("CREATE TABLE t AS SELECT 7 AS x").ok());
  }
  auto warehouse = Warehouse::Open(path, {.read_only = true});
  ASSERT_TRUE(warehouse.ok()) << warehouse.status().ToString();
  EXPECT_EQ((*warehouse)->Query("FROM t")->Get(0, 0).GetValue<int>(), 7);
  EXPECT_FALSE((*warehouse)->Query("DROP TABLE t").ok());
  EXPECT_FALSE(Warehouse::Open(directory.string()).ok());
  warehouse->reset();
  std::filesystem::remove_all(directory);
}

TEST(Warehouse, QueriesReadOnlyAllowedDirectories) {
  const auto root = std::filesystem::temp_directory_path() /
                    ("millrace_warehouse_files_" + std::to_string(getpid()));
  std::filesystem::create_directories(root / "project");
  std::filesystem::create_directories(root / "elsewhere");
  std::ofstream(root / "project" / "a.csv") << "x\n1\n";
  std::ofstream(root / "elsewhere" / "a.csv") << "x\n2\n";
  WarehouseOptions options;
  options.readable_directories = {(root / "project").string()};
  auto warehouse = Warehouse::Open((root / "project" / "w.duckdb").string(), options);
  ASSERT_TRUE(warehouse.ok()) << warehouse.status().ToString();
  auto read = [&](const std::string& path) {
    return (*warehouse)->Query("SELECT x FROM read_csv('" + (root / path).string() + "')").ok();
  };
  EXPECT_TRUE(read("project/a.csv"));
  EXPECT_FALSE(read("elsewhere/a.csv"));
  EXPECT_FALSE(read("project/../elsewhere/a.csv"));
  EXPECT_FALSE((*warehouse)->Query("SET enable_external_access = true").ok());
  EXPECT_TRUE((*warehouse)->Query("CREATE TABLE t AS SELECT 7 AS x; CHECKPOINT").ok());
  warehouse->reset();
  std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace millrace::duck
