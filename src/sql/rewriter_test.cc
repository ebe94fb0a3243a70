#include <duckdb.hpp>
#include <gtest/gtest.h>

#include "duck/functions.h"
#include "sql/functions.h"
#include "sql/rewriter.h"

namespace millrace::sql {
namespace {

// Evaluates expressions of Flink's dialect in DuckDB.
class FlinkValues : public testing::Test {
 protected:
  FlinkValues() : database_(nullptr), connection_(database_) {
    EXPECT_TRUE(duck::RegisterFunctions(database_).ok());
    EXPECT_TRUE(RegisterFlinkFunctions(database_).ok());
    EXPECT_TRUE(RegisterFlinkFunctions(database_).ok()) << "repeatable";
    Status status = UseFlinkArithmetic(connection_);
    EXPECT_TRUE(status.ok()) << status.ToString();
    EXPECT_TRUE(UseFlinkArithmetic(connection_).ok()) << "repeatable";
    duck::SetEpochClock(*connection_.context, 1704103230000000);  // 2024-01-01 10:00:30
    connection_.Query("SET TimeZone = 'UTC'");
  }

  std::string Run(const std::string& sql) {
    auto rewritten = RewriteQuery(Fragment{sql, 0, SourceSpan{"q.sql", 1, 1, 0}});
    if (!rewritten.ok()) return rewritten.status().ToString();
    auto result = connection_.Query(rewritten->text);
    if (result->HasError()) return result->GetError() + "\n" + rewritten->text;
    return result->GetValue(0, 0).ToString();
  }
  std::string Value(const std::string& expression) { return Run("SELECT " + expression); }
  std::string Type(const std::string& expression) {
    return Run("SELECT typeof(" + expression + ")");
  }

  duckdb::DuckDB database_;
  duckdb::Connection connection_;
};

TEST_F(FlinkValues, WholeNumbersAreCut) {
  EXPECT_EQ(Value("7 / 2"), "3");
  EXPECT_EQ(Value("-7 / 2"), "-3");
  EXPECT_EQ(Type("7 / 2"), "INT");
  EXPECT_EQ(Value("7.0e0 / 2"), "3.5");
  EXPECT_EQ(Value("7.5 / 2"), "3.750000000000");
  EXPECT_EQ(Run("SELECT SUM(x) / COUNT(*) FROM (VALUES (1), (2), (4)) AS v(x)"), "2");
  EXPECT_EQ(Value("CAST(1.7 AS INT)"), "1");
  EXPECT_EQ(Value("CAST(-1.7e0 AS BIGINT)"), "-1");
  EXPECT_EQ(Value("CAST('12' AS INT)"), "12");
  EXPECT_EQ(Value("CAST(TRUE AS INT)"), "1");
  EXPECT_EQ(Value("CAST(NULL AS INT)"), "NULL");
  EXPECT_EQ(Value("TRY_CAST('x' AS INT)"), "NULL");
  EXPECT_EQ(Run("SELECT CAST(SUM(x) AS BIGINT) FROM (VALUES (9007199254740993)) AS v(x)"),
            "9007199254740993");
  EXPECT_EQ(Value("TRUNCATE(42.345, 2)"), "42.34");
  EXPECT_EQ(Type("0.908 * CAST(2 AS DECIMAL(10, 2))"), "DECIMAL(14, 5)");
}

TEST_F(FlinkValues, Text) {
  EXPECT_EQ(Value("SPLIT_INDEX('a//c', '/', 0)"), "a");
  EXPECT_EQ(Value("SPLIT_INDEX('a//c', '/', 1)"), "");
  EXPECT_EQ(Value("SPLIT_INDEX('a//c', '/', 3)"), "NULL");
  EXPECT_EQ(Value("SPLIT_INDEX('a//c', '/', -1)"), "NULL");
  EXPECT_EQ(Value("SPLIT_INDEX(CAST(NULL AS STRING), '/', 0)"), "NULL");
  EXPECT_EQ(Value("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 2)"), "bar");
  EXPECT_EQ(Value("REGEXP_EXTRACT('foothebar', 'x(.)', 1)"), "NULL");
  EXPECT_EQ(Value("REGEXP_REPLACE('a1b2', '([0-9])', '<$1>')"), "a<$1>b<$1>");
  EXPECT_EQ(Value("CONCAT('a', 'b', 'c')"), "abc");
  EXPECT_EQ(Value("CONCAT('a', CAST(NULL AS STRING))"), "NULL");
  EXPECT_EQ(Value("CONCAT_WS('-', 'a', CAST(NULL AS STRING), 'c')"), "a-c");
  EXPECT_EQ(Value("GREATEST(1, 3, 2)"), "3");
  EXPECT_EQ(Value("LEAST(1, CAST(NULL AS INT))"), "NULL");
  EXPECT_EQ(Value("CAST('abcdef' AS VARCHAR(3))"), "abc");
  EXPECT_EQ(Value("CAST('ab' AS CHAR(3)) || '|'"), "ab |");
  EXPECT_EQ(Value("OVERLAY('abcdef' PLACING 'XY' FROM 2 FOR 3)"), "aXYef");
  EXPECT_EQ(Value("OVERLAY('abcdef' PLACING 'XY' FROM 2)"), "aXYdef");
  EXPECT_EQ(Value("FROM_BASE64(TO_BASE64('héllo'))"), "héllo");
  EXPECT_EQ(Value("LOCATE('b', 'abc')"), "2");
  EXPECT_EQ(Value("U&'\\00e9\\\\'"), "é\\");
  EXPECT_EQ(Value("CHAR_LENGTH('héllo')"), "5");
  EXPECT_EQ(Value("LOG(EXP(2))"), "2.0");
}

TEST_F(FlinkValues, Time) {
  EXPECT_EQ(Value("DATE_FORMAT(TIMESTAMP '2024-03-05 07:08:09.123', 'yyyy-MM-dd''T''HH:mm:ss.SSS')"),
            "2024-03-05T07:08:09.123");
  EXPECT_EQ(Value("DATE_FORMAT(TIMESTAMP '2024-03-05 07:08:09', 'd/M/yy H 100%')"),
            "5/3/24 7 100%");
  EXPECT_EQ(Value("TO_TIMESTAMP('2024-01-02 03:04:05')"), "2024-01-02 03:04:05");
  EXPECT_EQ(Value("TO_TIMESTAMP('garbage')"), "NULL");
  EXPECT_EQ(Value("TO_TIMESTAMP('5.1.2024 3:04', 'd.M.yyyy H:mm')"), "2024-01-05 03:04:00");
  EXPECT_EQ(Value("TO_TIMESTAMP_LTZ(1700000000123, 3)"), "2023-11-14 22:13:20.123+00");
  EXPECT_EQ(Value("TO_TIMESTAMP_LTZ(1700000000, 0)"), "2023-11-14 22:13:20+00");
  EXPECT_EQ(Value("TIMESTAMPADD(MONTH, 1, TIMESTAMP '2024-01-31 00:00:00')"),
            "2024-02-29 00:00:00");
  EXPECT_EQ(Value("TIMESTAMPDIFF(MINUTE, TIMESTAMP '2024-01-01 00:00:59', "
                  "TIMESTAMP '2024-01-01 00:01:58')"),
            "0");
  EXPECT_EQ(Value("UNIX_TIMESTAMP('2024-01-01 10:00:30')"), "1704103230");
  EXPECT_EQ(Value("UNIX_TIMESTAMP()"), "1704103230");
  EXPECT_EQ(Value("FROM_UNIXTIME(1704103230)"), "2024-01-01 10:00:30");
  EXPECT_EQ(Value("FLOOR(TIMESTAMP '2024-01-01 10:59:59' TO HOUR)"), "2024-01-01 10:00:00");
  EXPECT_EQ(Value("CEIL(TIMESTAMP '2024-01-01 10:00:01' TO HOUR)"), "2024-01-01 11:00:00");
  EXPECT_EQ(Value("CEIL(TIMESTAMP '2024-01-01 10:00:00' TO HOUR)"), "2024-01-01 10:00:00");
  EXPECT_EQ(Value("EXTRACT(DOW FROM DATE '2024-01-07')"), "1");  // a Sunday
  EXPECT_EQ(Value("CURRENT_DATE"), "2024-01-01");
  EXPECT_EQ(Value("LOCALTIMESTAMP"), "2024-01-01 10:00:30");
  EXPECT_EQ(Value("TIMESTAMP '2024-01-01 00:00:00' + INTERVAL '1 02:03:04.5' DAY TO SECOND"),
            "2024-01-02 02:03:04.5");
  EXPECT_EQ(Value("TIMESTAMP '2024-01-01 00:00:00' - INTERVAL '1-1' YEAR TO MONTH"),
            "2022-12-01 00:00:00");
  EXPECT_EQ(Value("CONVERT_TZ('1970-01-01 00:00:00', 'UTC', 'America/Los_Angeles')"),
            "1969-12-31 16:00:00");
}

TEST_F(FlinkValues, JsonAndCollections) {
  EXPECT_EQ(Value("JSON_VALUE('{\"a\": \"x\"}', '$.a')"), "x");
  EXPECT_EQ(Value("JSON_VALUE('{\"a\": {}}', '$.a')"), "NULL");
  EXPECT_EQ(Value("JSON_VALUE('{\"a\": null}', '$.a')"), "NULL");
  EXPECT_EQ(Value("JSON_VALUE('not json', '$.a')"), "NULL");
  EXPECT_EQ(Value("JSON_VALUE('{\"a\": 1.9}', '$.a' RETURNING DOUBLE)"), "1.9");
  EXPECT_EQ(Value("JSON_QUERY('{\"a\": [1]}', '$.a')"), "[1]");
  EXPECT_EQ(Value("JSON_EXISTS('{\"a\": 1}', '$.b')"), "false");
  EXPECT_EQ(Value("CARDINALITY(ARRAY[1, 2, 3])"), "3");
  EXPECT_EQ(Value("CARDINALITY(MAP['a', 1])"), "1");
  EXPECT_EQ(Value("MAP['a', 1, 'b', 2]['b']"), "2");
  EXPECT_EQ(Run("SELECT LISTAGG(x) FROM (VALUES ('a'), (CAST(NULL AS STRING)), ('b')) AS v(x)"),
            "a,b");
  EXPECT_EQ(Run("SELECT LAST_VALUE(x) FROM (VALUES (1), (2), (CAST(NULL AS INT))) AS v(x)"), "2");
  EXPECT_EQ(Run("SELECT FIRST_VALUE(x) FROM (VALUES (CAST(NULL AS INT)), (2)) AS v(x)"), "2");
}

TEST_F(FlinkValues, OtherConnectionsKeepTheirDivision) {
  duckdb::Connection other(database_);
  EXPECT_EQ(other.Query("SELECT 7 / 2")->GetValue(0, 0).ToString(), "3.5");
}

TEST(Rewriter, EmptyAndGarbage) {
  EXPECT_FALSE(RewriteQuery(Fragment{}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"  -- nothing", 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"a ; b", 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"(a]", 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{std::string("a\0b", 3), 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"\xff\xfe", 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{std::string(5000, '('), 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"CAST(", 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"CAST()", 0, {}}).ok());
  EXPECT_FALSE(RewriteExpression(Fragment{"IF(,,)", 0, {}}).ok());
}

TEST(Rewriter, PositionsMapBack) {
  std::string text = "SELECT\n  NVL(`a`, 'x') AS y FROM t";
  auto r = RewriteQuery(Fragment{text, 100, SourceSpan{"f.sql", 10, 5, 0}});
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->text, "SELECT\n  coalesce(\"a\", 'x') AS y FROM t");
  SourceSpan from = r->Locate(r->text.find("FROM"));
  EXPECT_EQ(from.line, 11);
  EXPECT_EQ(from.column, 22);
  EXPECT_EQ(r->Locate(r->text.find("\"a\"")).column, 7);
  EXPECT_EQ(r->Locate(r->text.find("coalesce") + 3).column, 3);
}

}  // namespace
}  // namespace millrace::sql
