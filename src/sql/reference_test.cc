#include "sql/reference.h"

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
