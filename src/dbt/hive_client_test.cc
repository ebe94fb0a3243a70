// Errors as a Spark Thrift server 4.1 sent them.
#include "dbt/hive_client.h"

#include <gtest/gtest.h>

namespace millrace::dbt {
namespace {

constexpr const char* kHive = "org.apache.hive.service.cli.HiveSQLException: Error running query: ";

TEST(HiveError, UnknownNamesHaveTheirLine) {
  const Status status = HiveError(
      std::string(kHive) +
          "[UNRESOLVED_COLUMN.WITH_SUGGESTION] org.apache.spark.sql.AnalysisException: "
          "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nocol` cannot be resolved. "
          "SQLSTATE: 42703; line 12 pos 7;\n'Project ['nocol]\n+- SubqueryAlias "
          "spark_catalog.s1.a\n"
          "\tat org.apache.spark.sql.hive.thriftserver.HiveThriftServerErrors$.run(x.scala:43)",
      "select nocol from s1.a");
  EXPECT_EQ(status.code(), Code::kUnknownColumn);
  EXPECT_EQ(status.span().line, 12);
  EXPECT_EQ(status.message(),
            "Spark: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column with name `nocol` cannot be "
            "resolved. SQLSTATE: 42703; line 12 pos 7");
}

TEST(HiveError, SyntaxErrorsHaveTheirLine) {
  const Status status = HiveError(
      std::string(kHive) +
          "[PARSE_SYNTAX_ERROR] org.apache.spark.sql.catalyst.parser.ParseException: \n"
          "[PARSE_SYNTAX_ERROR] Syntax error at or near 'b'. SQLSTATE: 42601 (line 2, pos 11)\n\n"
          "== SQL ==\nselect\n 1 a b c line 9 pos\n-----------^^^\n",
      "select\n 1 a b c");
  EXPECT_EQ(status.code(), Code::kSyntax);
  EXPECT_EQ(status.span().line, 2);
  EXPECT_EQ(status.message(),
            "Spark: [PARSE_SYNTAX_ERROR] Syntax error at or near 'b'. SQLSTATE: 42601 (line 2, pos "
            "11)");
}

TEST(HiveError, OthersAreToldAsTheyAre) {
  EXPECT_EQ(HiveError("java.lang.OutOfMemoryError: Java heap space", "select 1").message(),
            "Spark: Java heap space");
  EXPECT_EQ(HiveError("", "select 1").message(), "Spark: the statement failed");
  const Status raised = HiveError(
      "[USER_RAISED_EXCEPTION] org.apache.spark.SparkRuntimeException: [USER_RAISED_EXCEPTION] an "
      "Exception: on line 3 SQLSTATE: P0001",
      "select 1");
  EXPECT_EQ(raised.code(), Code::kBind);
  EXPECT_EQ(raised.span().line, 0);
  EXPECT_EQ(raised.message(),
            "Spark: [USER_RAISED_EXCEPTION] an Exception: on line 3 SQLSTATE: P0001");
}

}  // namespace
}  // namespace millrace::dbt
