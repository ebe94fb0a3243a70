#include "sql/statement_list.h"

#include <algorithm>

namespace millrace::sql {

const std::vector<StatementDescription>& StatementDescriptions() {
  static const std::vector<StatementDescription> list = {
      {{"CREATE"},
       "CREATE TABLE",
       "CREATE TABLE … (columns, WATERMARK …, PRIMARY KEY … NOT ENFORCED, CONSTRAINT … CHECK …) "
       "WITH (…)",
       "physical, computed and metadata columns (`topic`, `partition`, `offset`, `timestamp`, and "
       "what a format's messages tell: `value.source.timestamp` …); `LIKE`; `PARTITIONED BY`; "
       "`CREATE TABLE t [(PRIMARY KEY (a) NOT ENFORCED)] WITH (…) AS SELECT …` takes its columns "
       "from "
       "the query, and a job fills it",
       "CREATE TABLE t (a INT) WITH ('connector' = 'print')"},
      {{"CREATE"},
       "CREATE VIEW",
       "CREATE VIEW v AS SELECT …",
       "views on views",
       "CREATE VIEW v AS SELECT a FROM t"},
      {{"CREATE"},
       "CREATE FUNCTION",
       "CREATE [OR REPLACE] [TEMPORARY] FUNCTION f(a INT, b STRING) [RETURNS type] AS expression",
       "or `AS 'expression' LANGUAGE SQL`; or `RETURNS type LANGUAGE HTTP AS 'http://…' [WITH "
       "(…)]`: "
       "a service answers, see *Functions served over HTTP*; usable in queries, views, computed "
       "columns and "
       "`CHECK`s; "
       "arguments are cast to the parameters' types; no recursion; a job's state depends on the "
       "bodies it uses",
       "CREATE FUNCTION f(a INT) RETURNS INT AS a + 1"},
      {{"CREATE"},
       "CREATE DATABASE",
       "CREATE DATABASE d",
       "accepted, and means nothing",
       "CREATE DATABASE d"},
      {{"INSERT"},
       "INSERT",
       "INSERT INTO t [(columns)] SELECT …",
       "one job each",
       "INSERT INTO t SELECT a FROM s"},
      {{"SELECT", "WITH", "VALUES"},
       "SELECT",
       "SELECT …, WITH … SELECT …, VALUES …",
       "with `millrace run`: the rows go to the terminal",
       "SELECT 1"},
      {{"SET"},
       "SET",
       "SET 'key' = 'value'",
       "see below; applies to the statements after it",
       "SET 'parallelism.default' = '2'"},
      {{"RESET"}, "RESET", "RESET ['key']", "that setting, or all of them, as if not SET", "RESET"},
      {{"EXPLAIN"},
       "EXPLAIN",
       "EXPLAIN SELECT …, EXPLAIN INSERT …",
       "the plan, with `millrace run`",
       "EXPLAIN SELECT 1"},
      {{"DROP"},
       "DROP",
       "DROP TABLE, VIEW, FUNCTION [IF EXISTS] name",
       "the definition; what is stored stays",
       "DROP VIEW v"},
      {{"SHOW"},
       "SHOW",
       "SHOW TABLES, VIEWS, FUNCTIONS, JOBS, COLUMNS FROM t, CREATE TABLE t, CREATE VIEW v",
       "with `millrace run`",
       "SHOW TABLES"},
      {{"DESCRIBE", "DESC"},
       "DESCRIBE",
       "DESCRIBE t",
       "the columns, with `millrace run`",
       "DESCRIBE t"},
      {{"USE"}, "USE", "USE d", "accepted, and means nothing", "USE d"},
      {{"BEGIN", "EXECUTE"},
       "STATEMENT SET",
       "EXECUTE STATEMENT SET BEGIN INSERT …; INSERT …; END",
       "one job for each `INSERT`; also `BEGIN STATEMENT SET; … END`",
       "EXECUTE STATEMENT SET BEGIN INSERT INTO t SELECT a FROM s; END"},
  };
  return list;
}

const std::vector<std::string>& StatementFirstWords() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> each;
    for (const StatementDescription& statement : StatementDescriptions()) {
      for (std::string_view word : statement.first_words) {
        if (std::find(each.begin(), each.end(), word) == each.end()) each.emplace_back(word);
      }
    }
    return each;
  }();
  return words;
}

}  // namespace millrace::sql
