// The pure parts of the command line: what is printed and what is read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/access.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/progress.h"
#include "cli/project_files.h"
#include "cli/record_text.h"
#include "cli/row_printer.h"
#include "cli/sql_answer.h"
#include "cli/statement_reader.h"
#include "cli/terminal.h"
#include "cli/text_table.h"

namespace millrace::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ExitCodes, FollowWhoHasToAct) {
  EXPECT_EQ(ExitCodeFor(Status()), kExitOk);
  EXPECT_EQ(ExitCodeFor(Status(Code::kSyntax, "x")), kExitFault);
  EXPECT_EQ(ExitCodeFor(Status(Code::kNotFound, "x")), kExitFault);
  EXPECT_EQ(ExitCodeFor(Status(Code::kUnavailable, "x")), kExitExternal);
  EXPECT_EQ(ExitCodeFor(Status(Code::kInternal, "x")), kExitInternal);
}

TEST(Terminal, ColorsOnlyTheMarks) {
  std::string text = ColorError("error[MR2101]: no table \"a\"\n  --> a.sql:1:2\n  hint: b");
  EXPECT_EQ(text,
            "\033[1;31merror[MR2101]:\033[0m no table \"a\"\n\033[34m  --> a.sql:1:2\033[0m\n"
            "\033[32m  hint:\033[0m b");
}

TEST(TextTable, AlignsByCharactersNotBytes) {
  TextTable table({{"city"}, {"n", true}});
  table.Add({"Köln", "7"});
  table.Add({"Rio", "1234"});
  EXPECT_EQ(table.Render(), "city     n\nKöln     7\nRio   1234\n");
  EXPECT_EQ(table.Render(true), "city     n\n----  ----\nKöln     7\nRio   1234\n");
}

TEST(TextTable, CutsAndEscapes) {
  EXPECT_EQ(OneLine("a\nb\tc\x01", 60), "a\\nb\\tc\\x01");
  EXPECT_EQ(OneLine("äöüß", 4), "äöüß");
  EXPECT_EQ(OneLine("äöüßx", 4), "äöü…");
}

TEST(SqlAnswer, KeepsDigitsAndNulls) {
  auto answer = ParseSqlAnswer(
      R"j({"columns":[{"name":"a","type":"DECIMAL(20,2)"},{"name":"b","type":"VARCHAR"},)j"
      R"j({"name":"c","type":"INTEGER[]"}],"rows":[[123456789012345678.50,"x\"y",[1, 2]],)j"
      R"j([null,"",null]],"elapsed_ms":1})j");
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(AnswerAsTable(*answer),
            "                    a  b    c\n---------------------  ---  ------\n"
            "123456789012345678.50  x\"y  [1, 2]\n                 NULL       NULL\n(2 rows)\n");
  EXPECT_EQ(AnswerAsCsv(*answer), "a,b,c\n123456789012345678.50,\"x\"\"y\",\"[1, 2]\"\n,\"\",\n");
  EXPECT_EQ(AnswerAsJson(*answer),
            "{\"a\":123456789012345678.50,\"b\":\"x\\\"y\",\"c\":[1, 2]}\n"
            "{\"a\":null,\"b\":\"\",\"c\":null}\n");
}

TEST(SqlAnswer, EmptyAndTruncatedAndBroken) {
  auto answer = ParseSqlAnswer(
      R"({"columns":[{"name":"a","type":"BIGINT"}],"rows":[[1]],"elapsed_ms":1,"truncated":true})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(AnswerAsTable(*answer), "a\n-\n1\n(1 row, there are more)\n");
  answer = ParseSqlAnswer(R"({"columns":[],"rows":[],"elapsed_ms":1})");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(AnswerAsJson(*answer), "");
  EXPECT_EQ(ParseSqlAnswer("{\"rows\":").status().code(), Code::kCorruption);
  EXPECT_EQ(ParseSqlAnswer("").status().code(), Code::kCorruption);
}

TEST(StatementReader, CutsOutsideOfStringsAndComments) {
  StatementReader reader;
  EXPECT_THAT(reader.Add("SELECT ';' -- ; no\n"), IsEmpty());
  EXPECT_FALSE(reader.Empty());
  EXPECT_THAT(reader.Add("FROM \"a;b\"; /* ; */ SELECT 2;;"),
              ElementsAre("SELECT ';' -- ; no\nFROM \"a;b\"", "/* ; */ SELECT 2"));
  EXPECT_TRUE(reader.Empty());
  EXPECT_THAT(reader.Add(" -- only a comment\n"), IsEmpty());
  EXPECT_EQ(reader.TakeRest(), "");
  EXPECT_THAT(reader.Add("SELECT 'it''s'"), IsEmpty());
  EXPECT_EQ(reader.TakeRest(), "SELECT 'it''s'");
}

TEST(RecordText, FormatsLikeKcat) {
  StoredRecord record{2, 41, 1700000000000, "k", std::nullopt};
  EXPECT_EQ(FormatRecord("%t [%p] %o %T %k=%s %K/%S 100%%\\n", "clicks", record),
            "clicks [2] 41 1700000000000 k= 1/-1 100%\n");
  EXPECT_TRUE(CheckRecordFormat("%s\\n").ok());
  EXPECT_FALSE(CheckRecordFormat("%x").ok());
  EXPECT_FALSE(CheckRecordFormat("100%").ok());
}

TEST(RecordText, FindsTheKeyOfALine) {
  EXPECT_EQ((*KeyFromField(R"({"a": "x y"})", "a")).value(), "x y");
  EXPECT_EQ((*KeyFromField(R"({"a": 12})", "a")).value(), "12");
  EXPECT_FALSE((*KeyFromField(R"({"a": null})", "a")).has_value());
  EXPECT_FALSE((*KeyFromField(R"({"b": 1})", "a")).has_value());
  EXPECT_FALSE(KeyFromField("[1]", "a").ok());
  EXPECT_FALSE(KeyFromField("{", "a").ok());
}

TEST(Client, ReadsErrorsAndUrls) {
  Status status = ErrorOfReply({404, R"({"error":{"code":"MR1002","message":"no","hint":"try"}})"});
  EXPECT_EQ(status.code(), Code::kNotFound);
  EXPECT_EQ(status.hint(), "try");
  EXPECT_EQ(ErrorOfReply({502, "<html>"}).code(), Code::kUnavailable);
  EXPECT_TRUE(HttpClient::ForUrl("http://[::1]:80").ok());
  EXPECT_FALSE(HttpClient::ForUrl("http://host").ok());
  EXPECT_EQ(PercentEncode("a b/ä"), "a%20b%2F%C3%A4");
}

TEST(Access, ReadsTheCollectorsAnswer) {
  auto result = ParseEventsAnswer(
      400, R"({"accepted":2,"rejected":1,"errors":[{"index":1,"column":"q","reason":"bad"}]})");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->accepted, 2);
  ASSERT_EQ(result->errors.size(), 1u);
  EXPECT_EQ(result->errors[0].index, 1u);
  EXPECT_EQ(result->errors[0].reason, "bad");
  EXPECT_FALSE(ParseEventsAnswer(404, R"({"error":{"code":"MR1002","message":"no"}})").ok());
}

TEST(RowPrinter, SignsOfChanges) {
  const int32_t weights[] = {1, -1, 1, -1};
  EXPECT_STREQ(ChangeSign(weights, 4, 0), "+I");
  EXPECT_STREQ(ChangeSign(weights, 4, 1), "-U");
  EXPECT_STREQ(ChangeSign(weights, 4, 2), "+U");
  EXPECT_STREQ(ChangeSign(weights, 4, 3), "-D");
  EXPECT_STREQ(ChangeSign(nullptr, 4, 0), "+I");
}

TEST(Progress, SumsUp) {
  job::JobStatus job;
  job.name = "counts";
  job.state = job::JobState::kRunning;
  job.rows_in = 950;
  job.rows_out = 12;
  job.rows_late = 3;
  job.rows_dead_lettered = 1;
  job.frontier = 1'700'000'000'000'000 + 1000;
  EXPECT_EQ(JobSummary(job), "counts: running, 950 rows in, 12 out, 3 late, 1 dead letter");
  std::string line = ProgressLine({job}, -1, 1'700'000'005'001'000);
  EXPECT_THAT(line, HasSubstr("950 rows in · watermark 2023-11-14 22:13:20 ("));
  EXPECT_THAT(line, HasSubstr("ago) · lag 0 · 12 rows out"));
  EXPECT_EQ(WatermarkText(model::kTimeMin), "-");
}

TEST(ProjectFiles, CarryTheName) {
  auto files = NewProjectFiles("my shop");
  ASSERT_EQ(files.size(), 6u);
  EXPECT_THAT(files[0].content, HasSubstr("name: \"my shop\"\n"));
  EXPECT_THAT(NewProjectFiles("shop")[0].content, HasSubstr("name: shop\n"));
}

}  // namespace
}  // namespace millrace::cli
