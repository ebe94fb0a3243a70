#include "sql/reference.h"

#include "sql/parser.h"
#include "sql/statement_list.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace millrace::sql {
namespace {

TEST(Reference, ThePageInDocsIsUpToDate) {
  const std::string path = std::string(MILLRACE_SOURCE_DIR) + "/docs/reference/sql.md";
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  auto generated = RenderReference();
  ASSERT_TRUE(generated.ok()) << generated.status().ToString();
  auto page = ReplaceGenerated(text.str(), *generated);
  ASSERT_TRUE(page.ok()) << page.status().ToString();
  page = ReplaceGenerated(*page, RenderStatements(), kStatementsBegin);
  ASSERT_TRUE(page.ok()) << page.status().ToString();
  if (std::getenv("MILLRACE_UPDATE_GOLDEN")) std::ofstream(path) << *page;
  EXPECT_EQ(text.str(), *page) << "run with MILLRACE_UPDATE_GOLDEN=1";
}

TEST(Reference, EachFunctionIsThereOnce) {
  std::set<std::string_view> names;
  for (const FunctionGroup& group : FunctionGroups()) {
    for (const FunctionSpec& spec : group.functions) {
      EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
    }
  }
  EXPECT_GT(names.size(), 150u);
}

TEST(Reference, EveryStatementIsThereAndParses) {
  std::set<std::string> names;
  for (const StatementDescription& statement : StatementDescriptions()) {
    auto parsed = ParseScript(statement.example, "x.sql");
    ASSERT_TRUE(parsed.ok()) << statement.example << parsed.status().ToString();
    ASSERT_EQ(parsed->size(), 1u);
    EXPECT_EQ(StatementName(parsed->front()), statement.name);
    EXPECT_TRUE(names.insert(std::string(statement.name)).second) << statement.name;
    const std::string first(statement.example.substr(0, statement.example.find(' ')));
    EXPECT_NE(std::find(statement.first_words.begin(), statement.first_words.end(), first),
              statement.first_words.end())
        << first;
  }
  EXPECT_EQ(names.size(), std::variant_size_v<Statement::Body>);
}

TEST(Reference, AProjectsOwnFunctionsComeFirst) {
  auto script =
      ParseScript("CREATE FUNCTION gross(net INT) RETURNS INT AS net * 119 / 100", "f.sql");
  ASSERT_TRUE(script.ok());
  Catalog catalog;
  ASSERT_TRUE(catalog.Apply(script->front()).ok());
  auto all = RenderFunctionList("", catalog.Functions());
  ASSERT_TRUE(all.ok());
  const std::string own =
      "This project's functions\n  gross(net INT) RETURNS INT: net * 119 / 100\n";
  EXPECT_EQ(all->substr(0, own.size()), own);
  EXPECT_NE(all->find("SPLIT_INDEX"), std::string::npos);
  auto one = RenderFunctionList("GROSS", catalog.Functions());
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(*one, own);
}

TEST(Reference, OneFunctionForATerminal) {
  auto text = RenderFunctionList("split_index");
  ASSERT_TRUE(text.ok());
  EXPECT_NE(text->find("SPLIT_INDEX(text, separator, n)"), std::string::npos) << *text;
  auto unknown = RenderFunctionList("SPLIT_INDX");
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().hint().find("SPLIT_INDEX"), std::string::npos);
  EXPECT_FALSE(EvaluateExample("no_such_function(1)").ok());
}

}  // namespace
}  // namespace millrace::sql
