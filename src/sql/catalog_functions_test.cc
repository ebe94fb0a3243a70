// CREATE FUNCTION: parsed, resolved, and used in a planner.
#include <gtest/gtest.h>
#include <duckdb.hpp>

#include "sql/catalog.h"
#include "sql/parser.h"

namespace millrace::sql {
namespace {

Status Load(Catalog& catalog, const std::string& text) {
  auto script = ParseScript(text, "f.sql");
  if (!script.ok()) return script.status();
  for (const Statement& statement : *script) MR_RETURN_IF_ERROR(catalog.Apply(statement));
  return Status::Ok();
}

// The value of an expression that may call the catalog's functions.
std::string Value(const Catalog& catalog, const std::string& expression) {
  auto planner = NewFlinkPlanner(catalog);
  if (!planner.ok()) return planner.status().ToString();
  auto rewritten = RewriteExpression(Fragment{expression, 0, SourceSpan{"q.sql", 1, 1, 0}});
  if (!rewritten.ok()) return rewritten.status().ToString();
  auto result = (*planner)->connection().Query("SELECT " + rewritten->text);
  return result->HasError() ? result->GetError() : result->GetValue(0, 0).ToString();
}

TEST(Functions, ExpressionsAndStrings) {
  Catalog catalog;
  Status status = Load(catalog, R"(
      CREATE FUNCTION net(price DECIMAL(10, 2), rate DECIMAL(4, 2)) RETURNS DECIMAL(10, 2)
        AS price / (1 + rate);
      CREATE TEMPORARY FUNCTION tag(s STRING, n INT) AS 'UPPER(s) || ''#'' || CAST(n AS STRING)';
      CREATE TEMPORARY SYSTEM FUNCTION twice(x) LANGUAGE SQL AS x + x;
      CREATE FUNCTION pair(s STRING) RETURNS STRING AS tag(s, twice(2)) LANGUAGE SQL;
      CREATE FUNCTION answer() RETURNS INT AS 42;
      CREATE FUNCTION `s`(s ROW<s INT>) RETURNS INT AS s.s;
      CREATE FUNCTION IF NOT EXISTS answer() AS 7;
      CREATE OR REPLACE FUNCTION twice(x) AS 2 * x)");
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Value(catalog, "net(119, 0.19)"), "100.00");
  EXPECT_EQ(Value(catalog, "NET(CAST(NULL AS INT), 0.19)"), "NULL");
  EXPECT_EQ(Value(catalog, "tag('a', 1) || pair('b')"), "A#1B#4");
  EXPECT_EQ(Value(catalog, "answer() + twice(1.5)"), "45.0");
  EXPECT_EQ(Value(catalog, "s(CAST(ROW(3) AS ROW<s INT>))"), "3");
  EXPECT_EQ(catalog.FindFunction("Net")->Signature(),
            "net(price DECIMAL(10, 2), rate DECIMAL(4, 2)) RETURNS DECIMAL(10, 2)");
  auto used = catalog.FunctionsIn({"pair"});
  std::vector<std::string> names;
  for (const Function* function : used) names.push_back(function->name);
  EXPECT_EQ(names, (std::vector<std::string>{"tag", "twice", "pair"})) << "what pair calls too";
  EXPECT_TRUE(catalog.FunctionsIn({"neither"}).empty());
  EXPECT_TRUE(Load(catalog, "DROP FUNCTION answer; DROP FUNCTION IF EXISTS answer").ok());
  EXPECT_EQ(catalog.FindFunction("answer"), nullptr);
}

TEST(Functions, Errors) {
  auto error = [](const std::string& text) {
    Catalog catalog;
    Status status = Load(catalog, text);
    if (!status.ok()) return status.ToString();
    auto planner = NewFlinkPlanner(catalog);
    return planner.ok() ? std::string("no error") : planner.status().ToString();
  };
  auto has = [&](const std::string& text, const std::string& part) {
    EXPECT_NE(error(text).find(part), std::string::npos) << text << "\n" << error(text);
  };
  has("CREATE FUNCTION f(a INT) AS f(a - 1)", "calls itself");
  has("CREATE FUNCTION f(a) AS g(a); CREATE FUNCTION g(a) AS f(a)", "calls itself through \"f\"");
  has("CREATE FUNCTION f(a INT) AS\n  a + b", "f.sql:2:7");
  has("CREATE FUNCTION f(a INT) AS 'a +  b'", "f.sql:1:35");
  has("CREATE FUNCTION f(a INT, A INT) AS a", "f.sql:1:26");
  has("CREATE FUNCTION f(a INTT) AS a", "did you mean \"INT\"");
  has("CREATE FUNCTION f(a INT) AS", "the function's expression");
  has("CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE JAVA AS 'x'", "language \"JAVA\"");
  has("CREATE FUNCTION f AS 'com.example.F'", "a class is not supported");
  has("CREATE FUNCTION upper(a INT) AS a", "function UPPER is built in");
  has("CREATE FUNCTION f(a INT) AS a; CREATE FUNCTION F(a INT) AS a",
      "its definition is at f.sql:1");
  has("CREATE FUNCTION total(a INT) AS a; DROP FUNCTION totl", "did you mean \"total\"");
  has("CREATE FUNCTION f(a INT) AS RAND()", "function RAND is not supported");
}

TEST(Functions, InTablesAndViews) {
  Catalog catalog;
  Status status = Load(catalog, R"(
      CREATE FUNCTION cents(d DECIMAL(10, 2)) RETURNS BIGINT AS d * 100;
      CREATE TABLE t (d DECIMAL(10, 2), c AS cents(d), CHECK (cents(d) > 0));
      CREATE VIEW v AS SELECT cents(d) AS c FROM t)");
  ASSERT_TRUE(status.ok()) << status.ToString();
  auto planner = NewFlinkPlanner(catalog);
  ASSERT_TRUE(planner.ok()) << planner.status().ToString();
  const Table* table = catalog.FindTable("t");
  auto bound = (*planner)->BindExpressions(
      table->schema, {table->computed[0].expression.text, table->checks[0].expression.text});
  ASSERT_TRUE(bound.ok()) << bound.status().ToString();
  EXPECT_EQ((*bound)[0]->return_type, duckdb::LogicalType::BIGINT);
  ASSERT_TRUE((*planner)->DefineTable("t", table->schema).ok());
  EXPECT_TRUE((*planner)->DefineView("v", {}, catalog.FindView("v")->query.text).ok());
  // Another planner of the same process does not know it.
  EXPECT_NE(Value(Catalog(), "cents(1)").find("does not exist"), std::string::npos);
}

}  // namespace
}  // namespace millrace::sql
