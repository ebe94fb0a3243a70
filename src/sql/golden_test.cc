// Golden tests: tests/sql_golden/*.txt hold "==== name", a text, "----" and what becomes of it.
// MILLRACE_UPDATE_GOLDEN=1 writes the files anew; read the difference before committing it.
#include <duckdb.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/strings.h"
#include "duck/door.h"
#include "duck/functions.h"
#include "sql/catalog.h"
#include "sql/functions.h"
#include "sql/parser.h"

namespace millrace::sql {
namespace {

struct Case {
  std::string name;
  std::string input;
  std::string expected;
};

std::vector<Case> ReadCases(const std::string& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  std::string* part = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("==== ")) {
      cases.push_back({line.substr(5), "", ""});
      part = &cases.back().input;
    } else if (line == "----" && part == &cases.back().input) {
      part = &cases.back().expected;
    } else if (part) {
      *part += (part->empty() ? "" : "\n") + line;
    }
  }
  for (Case& c : cases) c.expected = std::string(Trim(c.expected));
  return cases;
}

void RunGolden(const std::string& name, const std::function<std::string(const Case&)>& run) {
  std::string path = std::string(MILLRACE_SOURCE_DIR) + "/tests/sql_golden/" + name;
  std::vector<Case> cases = ReadCases(path);
  ASSERT_FALSE(cases.empty()) << path;
  bool update = std::getenv("MILLRACE_UPDATE_GOLDEN") != nullptr;
  std::ostringstream fresh;
  for (const Case& c : cases) {
    std::string actual(Trim(run(c)));
    fresh << "==== " << c.name << "\n" << c.input << "\n----\n" << actual << "\n\n";
    if (!update) {
      EXPECT_EQ(actual, c.expected) << name << ": " << c.name;
    }
  }
  if (update) std::ofstream(path) << fresh.str();
}

TEST(Golden, RewrittenQueriesRunInDuckDb) {
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  ASSERT_TRUE(duck::RegisterFunctions(database).ok());
  ASSERT_TRUE(RegisterFlinkFunctions(database).ok());
  Status arithmetic = UseFlinkArithmetic(connection);
  ASSERT_TRUE(arithmetic.ok()) << arithmetic.ToString();
  auto made = connection.Query(
      "CREATE TABLE t AS SELECT TIMESTAMP '2024-01-01 10:00:30' AS ts, "
      "TIMESTAMPTZ '2024-01-01 10:00:30+00' AS ltz, 'a/b' AS s, 'u1' AS user_id, 7 AS i, "
      "8::BIGINT AS b, 1.5::DOUBLE AS d, [1, 2] AS arr, MAP {'a': 1} AS m, "
      "{'a': 1, 'b': 'x'} AS r, '{\"a\":1}' AS js");
  ASSERT_FALSE(made->HasError()) << made->GetError();
  RunGolden("rewrite.txt", [&](const Case& c) -> std::string {
    auto rewritten = RewriteQuery(Fragment{c.input, 0, SourceSpan{"q.sql", 1, 1, 0}});
    if (!rewritten.ok()) {
      ADD_FAILURE() << c.name << "\n" << rewritten.status().ToString();
      return rewritten.status().ToString();
    }
    if (c.name != "types in CAST") {  // that one has casts of text that is no number
      auto result = connection.Query(rewritten->text);
      EXPECT_FALSE(result->HasError()) << c.name << "\n" << result->GetError();
    } else {
      auto prepared = connection.Prepare(rewritten->text);
      EXPECT_FALSE(prepared->HasError()) << c.name << "\n" << prepared->GetError();
    }
    return rewritten->text;
  });
}

TEST(Golden, Errors) {
  RunGolden("errors.txt", [](const Case& c) {
    ParsedScript script = ParseScriptAll(c.input, "sql/job.sql");
    Catalog catalog;
    for (const Statement& statement : script.statements) {
      if (Status s = catalog.Apply(statement); !s.ok()) script.errors.push_back(s);
      const auto* select = statement.As<Select>();
      if (!select) continue;
      auto rewritten = RewriteQuery(select->query);
      if (!rewritten.ok()) script.errors.push_back(rewritten.status());
    }
    EXPECT_FALSE(script.errors.empty()) << c.name;
    std::string text;
    for (const Status& error : script.errors) text += error.ToString() + "\n";
    return text;
  });
}

TEST(Golden, BinderErrorsPointAtTheUsersText) {
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  ASSERT_TRUE(duck::RegisterFunctions(database).ok());
  connection.Query("CREATE TABLE t (ts TIMESTAMP, s VARCHAR)");
  auto place = [&](const std::string& flink) -> std::string {
    auto rewritten = RewriteQuery(Fragment{flink, 0, SourceSpan{"q.sql", 3, 1, 0}});
    if (!rewritten.ok()) return rewritten.status().ToString();
    try {
      connection.ExtractPlan(rewritten->text);
    } catch (const std::exception& e) {
      auto position = duck::ErrorPosition(duckdb::ErrorData(e));
      if (!position) return "no position";
      SourceSpan span = rewritten->Locate(*position);
      return std::to_string(span.line) + ":" + std::to_string(span.column);
    }
    return "no error";
  };
  EXPECT_EQ(place("SELECT s,\n  prise FROM t"), "4:3");
  EXPECT_EQ(place("SELECT window_start\nFROM TABLE(TUMBLE(TABLE t,\n DESCRIPTOR(tss), "
                  "INTERVAL '1' MINUTE))"),
            "5:13");
  EXPECT_EQ(place("SELECT * FROM TABLE(HOP(TABLE nowhere, DESCRIPTOR(ts), INTERVAL '1' MINUTE, "
                  "INTERVAL '2' MINUTE))"),
            "3:31");
  EXPECT_EQ(place("SELECT CONCAT(s, /* é */\n IF(true, `größe`, '')) FROM t"), "4:11");
}

}  // namespace
}  // namespace millrace::sql
