#include "duck/column_lineage.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace millrace::duck {
namespace {

model::Schema Columns(const std::vector<std::string>& names) {
  model::Schema schema;
  for (const std::string& name : names) {
    schema.columns.push_back({name, duckdb::LogicalType::INTEGER, true});
  }
  return schema;
}

std::string ToText(const Dependencies& from) {
  std::vector<std::string> texts;
  for (const Dependency& d : from) {
    texts.push_back(fmt::format("{}.{} {}{}", d.from.table, d.from.column,
                                InfluenceName(d.influence), d.masking ? " masked" : ""));
  }
  return Join(texts, ", ");
}

class ColumnLineage : public testing::Test {
 protected:
  void SetUp() override {
    auto made = Planner::Create();
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    planner_ = std::move(*made);
    ASSERT_TRUE(planner_->DefineTable("t", Columns({"a", "b", "c", "d"})).ok());
    ASSERT_TRUE(planner_->DefineTable("u", Columns({"k", "v", "w"})).ok());
  }
  // The columns' dependencies, then those of the rows, a line each.
  std::string Trace(const std::string& query) {
    auto lineage = TraceColumns(*planner_, query);
    if (!lineage.ok()) return lineage.status().ToString();
    std::string text;
    for (const TracedColumn& column : lineage->columns) {
      text += column.name + ": " + ToText(column.from) + "\n";
    }
    return text + "rows: " + ToText(lineage->rows);
  }
  std::unique_ptr<Planner> planner_;
};

TEST_F(ColumnLineage, ValuesAndConditions) {
  EXPECT_EQ(Trace("SELECT a, b + c AS x, CASE WHEN d > 0 THEN a ELSE 1 END AS y, 7 AS z FROM t "
                  "WHERE c > 1"),
            "a: t.a IDENTITY\nx: t.b TRANSFORMATION, t.c TRANSFORMATION\n"
            "y: t.a TRANSFORMATION, t.d CONDITIONAL\nz: \nrows: t.c FILTER");
}

TEST_F(ColumnLineage, Aggregates) {
  EXPECT_EQ(Trace("SELECT a, sum(b + 1) FILTER (WHERE d > 0) AS s, count(c) AS n, count(*) AS m "
                  "FROM t GROUP BY a HAVING sum(b) > 3"),
            "a: t.a IDENTITY\ns: t.b AGGREGATION, t.d FILTER\nn: t.c AGGREGATION masked\nm: \n"
            "rows: t.a GROUP_BY, t.b FILTER");
}

TEST_F(ColumnLineage, Joins) {
  EXPECT_EQ(Trace("SELECT t.b, u.v FROM t LEFT JOIN u ON t.a = u.k AND u.w > 0"),
            "b: t.b IDENTITY\nv: u.v IDENTITY\nrows: t.a JOIN, u.k JOIN, u.w FILTER");
  // The old way of writing the same.
  EXPECT_EQ(Trace("SELECT t.b, u.v FROM t, u WHERE t.a = u.k AND t.c > 0"),
            "b: t.b IDENTITY\nv: u.v IDENTITY\nrows: t.a JOIN, t.c FILTER, u.k JOIN");
}

TEST_F(ColumnLineage, WindowsAndOrder) {
  EXPECT_EQ(Trace("SELECT a, sum(b) OVER (PARTITION BY c ORDER BY d) AS s, lag(b) OVER (ORDER BY "
                  "d) AS l FROM t ORDER BY a"),
            "a: t.a IDENTITY\ns: t.b AGGREGATION, t.c WINDOW, t.d WINDOW\n"
            "l: t.b TRANSFORMATION, t.d WINDOW\nrows: t.a SORT");
  EXPECT_EQ(Trace("SELECT a FROM (SELECT a, row_number() OVER (PARTITION BY b ORDER BY c) AS r "
                  "FROM t) WHERE r = 1"),
            "a: t.a IDENTITY\nrows: t.b FILTER, t.c FILTER");
}

TEST_F(ColumnLineage, SetsAndUnnest) {
  EXPECT_EQ(Trace("SELECT a AS x FROM t UNION ALL SELECT v + 1 FROM u"),
            "x: t.a IDENTITY, u.v TRANSFORMATION\nrows: ");
  EXPECT_EQ(Trace("SELECT a AS x FROM t EXCEPT ALL SELECT v FROM u WHERE w = 1"),
            "x: t.a IDENTITY\nrows: u.v FILTER, u.w FILTER");
  EXPECT_EQ(Trace("SELECT a, unnest([b, c]) AS x FROM t"),
            "a: t.a IDENTITY\nx: t.b TRANSFORMATION, t.c TRANSFORMATION\nrows: ");
  EXPECT_EQ(Trace("SELECT DISTINCT a FROM t"), "a: t.a IDENTITY\nrows: t.a GROUP_BY");
}

TEST_F(ColumnLineage, SubqueriesAndCtes) {
  EXPECT_EQ(Trace("WITH x AS (SELECT a, b * 2 AS bb FROM t WHERE c = 1) SELECT a, bb FROM x"),
            "a: t.a IDENTITY\nbb: t.b TRANSFORMATION\nrows: t.c FILTER");
  // A scalar subquery decides about a value, not about rows.
  EXPECT_EQ(Trace("SELECT a, (SELECT max(v) FROM u WHERE u.k = t.b) AS m FROM t"),
            "a: t.a IDENTITY\nm: t.b JOIN, t.b GROUP_BY, t.b FILTER, u.k FILTER, u.v AGGREGATION"
            "\nrows: ");
  const std::string in = Trace("SELECT a FROM t WHERE b IN (SELECT k FROM u WHERE w = 1)");
  EXPECT_EQ(in, "a: t.a IDENTITY\nrows: t.b FILTER, u.k FILTER, u.w FILTER");
}

TEST_F(ColumnLineage, Views) {
  ASSERT_TRUE(planner_->DefineView("v", {}, "SELECT a, b + c AS x FROM t WHERE d > 0").ok());
  EXPECT_EQ(Trace("SELECT max(x) AS m, count(*) AS n FROM v GROUP BY a"),
            "m: t.b AGGREGATION, t.c AGGREGATION\nn: \nrows: t.a GROUP_BY, t.d FILTER");
}

TEST_F(ColumnLineage, SaysWhatItCannotTell) {
  const std::string text = Trace(
      "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT n "
      "FROM r");
  EXPECT_NE(text.find("cannot be told"), std::string::npos) << text;
}

}  // namespace
}  // namespace millrace::duck
