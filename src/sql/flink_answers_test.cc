// The same expressions here and in a real Flink: tests/sql_golden/flink_functions.txt holds Flink's
// answers (written by ask_flink.py), flink_time_zone.txt those in other zones than UTC, and
// flink_differences.txt those that differ, each with its reason.
#include <gtest/gtest.h>
#include <duckdb.hpp>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "base/strings.h"
#include "duck/functions.h"
#include "sql/function_spec.h"
#include "sql/functions.h"
#include "sql/rewriter.h"

namespace millrace::sql {
namespace {

struct Line {
  std::string expression;
  std::string answer;
  std::string from;  // FROM …, of an aggregate
  std::string zone = "UTC";
};

std::string Path(const std::string& name) {
  return std::string(MILLRACE_SOURCE_DIR) + "/tests/sql_golden/" + name;
}

constexpr std::string_view kArrow = " ==> ";

std::vector<Line> ReadAnswers(const std::string& name) {
  std::ifstream file(Path(name));
  std::vector<Line> lines;
  std::string from;
  std::string zone = "UTC";
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#from ")) from = " FROM " + line.substr(6);
    if (line.starts_with("#zone ")) zone = line.substr(6);
    size_t arrow = line.rfind(kArrow);
    if (line.starts_with("#") || arrow == std::string::npos) continue;
    lines.push_back({line.substr(0, arrow), line.substr(arrow + kArrow.size()), from, zone});
  }
  return lines;
}

// "# why", then the expressions it is the reason of, each with what this engine answers.
std::map<std::string, std::string> ReadDifferences() {
  std::ifstream file(Path("flink_differences.txt"));
  std::map<std::string, std::string> differences;
  bool reason = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) reason = true;
    size_t arrow = line.rfind(kArrow);
    if (line.starts_with("#") || arrow == std::string::npos) continue;
    EXPECT_TRUE(reason) << line;
    differences[line.substr(0, arrow)] = line.substr(arrow + kArrow.size());
  }
  return differences;
}

class FlinkAnswers : public testing::Test {
 protected:
  FlinkAnswers() : database_(nullptr), connection_(database_) {
    EXPECT_TRUE(duck::RegisterFunctions(database_).ok());
    Status status = RegisterFlinkFunctions(database_);
    EXPECT_TRUE(status.ok()) << status.ToString();
    status = UseFlinkArithmetic(connection_);
    EXPECT_TRUE(status.ok()) << status.ToString();
    connection_.Query("SET default_null_order='nulls_first_on_asc_last_on_desc'");
  }

  std::string Answer(const Line& line) {
    Status zone = UseTimeZone(connection_, line.zone);
    EXPECT_TRUE(zone.ok()) << zone.ToString();
    std::string sql = "SELECT CAST(" + line.expression + " AS STRING)" + line.from;
    auto rewritten = RewriteQuery(Fragment{sql, 0, SourceSpan{"q.sql", 1, 1, 0}});
    if (!rewritten.ok()) return Explained("refused", rewritten.status().message());
    auto result = connection_.Query(rewritten->text);
    if (result->HasError()) return Explained("error", result->GetError() + rewritten->text);
    duckdb::Value value = result->GetValue(0, 0);
    return value.IsNull() ? "NULL" : value.ToString();
  }

  static std::string Explained(const std::string& outcome, const std::string& why) {
    if (std::getenv("MILLRACE_EXPLAIN_ANSWERS")) return outcome + ": " + why;
    return outcome;
  }

  duckdb::DuckDB database_;
  duckdb::Connection connection_;
};

// A time's fraction without trailing zeros, and the entries of a map in order.
std::string Normal(std::string text) {
  static const std::regex fraction("(\\d\\d:\\d\\d:\\d\\d)\\.(\\d*?)0+(?!\\d)");
  if (text.find(':') != std::string::npos && text.front() != '+') {
    text = std::regex_replace(text, fraction, "$1.$2");
    text = std::regex_replace(text, std::regex("(:\\d\\d)\\.(?!\\d)"), "$1");
  }
  bool map = text.size() > 2 && text.front() == '{' && text.find('=') != std::string::npos;
  if (!map) return text;
  std::vector<std::string> entries = Split(text.substr(1, text.size() - 2), ',');
  for (std::string& entry : entries) entry = Trim(entry);
  std::sort(entries.begin(), entries.end());
  return "{" + Join(entries, ", ") + "}";
}

TEST_F(FlinkAnswers, AreOursExceptWhereListed) {
  std::map<std::string, std::string> differences = ReadDifferences();
  std::set<std::string> asked;
  std::vector<Line> lines = ReadAnswers("flink_functions.txt");
  ASSERT_GT(lines.size(), 600u);
  std::vector<Line> zoned = ReadAnswers("flink_time_zone.txt");
  ASSERT_GT(zoned.size(), 350u);
  lines.insert(lines.end(), zoned.begin(), zoned.end());
  for (const Line& line : lines) {
    std::string ours = Answer(line);
    auto listed = differences.find(line.expression);
    if (listed != differences.end()) {
      EXPECT_EQ(ours, listed->second) << line.expression << "\n(listed as different)";
      EXPECT_NE(Normal(ours), Normal(line.answer))
          << line.expression << " is no longer different: take it out of flink_differences.txt";
      asked.insert(line.expression);
    } else {
      EXPECT_EQ(Normal(ours), Normal(line.answer))
          << "DIFF " << line.zone << " " << line.expression;
    }
  }
  for (const auto& [expression, unused] : differences) {
    EXPECT_TRUE(asked.contains(expression)) << "not asked: " << expression;
  }
}

TEST_F(FlinkAnswers, EveryExampleOfTheReferenceWasAskedThere) {
  std::map<std::string, std::string> answers;
  for (const Line& line : ReadAnswers("flink_functions.txt"))
    answers[line.expression] = line.answer;
  for (const FunctionGroup& group : FunctionGroups()) {
    for (const FunctionSpec& spec : group.functions) {
      EXPECT_FALSE(spec.signature.empty() || spec.meaning.empty()) << spec.name;
      if (spec.example.empty()) continue;
      EXPECT_TRUE(answers.contains(std::string(spec.example)))
          << "add to flink_functions.txt and run ask_flink.py: " << spec.example;
    }
  }
}

}  // namespace
}  // namespace millrace::sql
