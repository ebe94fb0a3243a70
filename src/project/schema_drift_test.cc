// '<format>.schema-drift' of a table: what a job does with records that are not as declared, with
// several partitions and over restarts.
#include <gtest/gtest.h>

#include "project/lineage.h"
#include "project/project_fixture.h"

namespace millrace::project {
namespace {

std::string Script(const std::string& policy, const std::string& columns = "") {
  return fmt::format(R"(
CREATE TABLE orders (id BIGINT NOT NULL, price BIGINT, address ROW<zip STRING>{1})
WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
      'json.schema-drift' = '{0}', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE total (k INT, c BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'total');
INSERT INTO total SELECT 1, COUNT(*), SUM(price) FROM orders GROUP BY 1;
)",
                     policy, columns);
}

void AppendTo(const std::string& directory, int partition, const std::vector<std::string>& values) {
  auto runtime = Open(directory, false);
  ASSERT_NE(runtime, nullptr);
  Append(*runtime, "orders", partition, values);
}

std::vector<std::string> Letters(Runtime& runtime) {
  return Rows(runtime,
              "SELECT kind, \"partition\", \"offset\", \"column\", reason FROM "
              "millrace.dead_letters");
}

TEST(SchemaDrift, DeadLetters) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "name: shop\ntopics: {orders: {partitions: 2}}\n");
  Write(directory.path() + "/sql/a.sql", Script("dead-letter"));
  AppendTo(directory.path(), 0,
           {R"({"id":1,"price":1})", R"({"id":2,"price":10,"note":"a"})", R"({"id":3})"});
  AppendTo(
      directory.path(), 1,
      {R"({"id":4,"price":100,"address":{"zip":"1","street":"x"}})", R"({"id":5,"price":1000})"});
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  // Nobody reads "address": what is in it is not looked at.
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM total"), std::vector<std::string>({"1|4|1101|"}));
  EXPECT_EQ(
      Letters(*runtime),
      std::vector<std::string>({"type|0|1|note|the table does not declare the field "
                                "\"note\"; its line in CREATE TABLE would be: `note` STRING|"}));
}

TEST(SchemaDrift, StopsTheJobUntilTheTableDeclaresIt) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script("fail"));
  AppendTo(directory.path(), 0,
           {R"({"id":1,"price":1})", R"({"id":2,"price":10})", R"({"id":3,"price":100,"note":"a"})",
            R"({"id":4,"price":1000})"});
  for (int attempt = 0; attempt < 2; attempt++) {
    auto runtime = Open(directory.path(), true);
    ASSERT_NE(runtime, nullptr);
    runtime->Start();
    std::atomic<bool> stop{false};
    const Status ended = runtime->WaitForJobs(nullptr, stop);
    EXPECT_EQ(ended.message(),
              "table \"orders\": the record at offset 2 of partition 0 of \"orders\" is not as "
              "declared: \"note\": the table does not declare the field \"note\"; its line in "
              "CREATE TABLE would be: `note` STRING");
    EXPECT_EQ(Letters(*runtime), std::vector<std::string>());
  }
  // With the line that the error gives, the job goes on where it stopped, with its state.
  Write(directory.path() + "/sql/a.sql", Script("fail", ", `note` STRING"));
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM total"), std::vector<std::string>({"1|4|1111|"}));
  EXPECT_EQ(runtime->notes(), std::vector<std::string>());
}

TEST(SchemaDrift, StopsAtAnotherType) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", Script("fail"));
  AppendTo(directory.path(), 0, {R"({"id":1,"price":"much"})"});
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  std::atomic<bool> stop{false};
  const Status ended = runtime->WaitForJobs(nullptr, stop);
  EXPECT_EQ(ended.message(),
            "table \"orders\": the record at offset 0 of partition 0 of \"orders\" is not as "
            "declared: \"price\": \"much\" is not a BIGINT");
  runtime.reset();
  // Under the other policies it is a dead letter.
  Write(directory.path() + "/sql/a.sql", Script("ignore"));
  runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Letters(*runtime),
            std::vector<std::string>({"type|0|0|price|\"much\" is not a BIGINT|"}));
}

void LineageKnowsAddedColumns(const std::string& directory) {
  std::vector<Status> faults;
  auto project = Project::Load(directory, "", faults);
  ASSERT_TRUE(faults.empty()) << faults[0].ToString();
  auto lineage = LineageOf(*project);
  ASSERT_TRUE(lineage.ok()) << lineage.status().ToString();
  for (const LineageNode& node : lineage->nodes) {
    EXPECT_EQ(node.note, "") << node.id;
    if (node.id == "table:orders") EXPECT_EQ(node.columns.size(), 5u);  // note and more
  }
  std::map<std::string, std::string> made_of;  // the last column of each job's rows
  for (const JobLineage& job : lineage->jobs) {
    for (const duck::Dependency& from : job.from.columns.back().from) {
      made_of[job.job] += from.from.column + " ";
    }
  }
  EXPECT_EQ(made_of["notes"], "note ");
  EXPECT_EQ(made_of["noted"], "note ");
  EXPECT_EQ(made_of["copies"], "address ");  // SELECT *, written before there were more
}

// A column comes with the next start, for the queries that name it; the others, and what they
// remember, stay as they were.
TEST(SchemaDrift, AddsColumns) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "name: shop\ntopics: {orders: {partitions: 2}}\n");
  const std::string as_declared = Script("add-column") + R"(
CREATE TABLE copies (id BIGINT, price BIGINT, address ROW<zip STRING>)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'copies');
INSERT INTO copies SELECT * FROM orders;
)";
  Write(directory.path() + "/sql/a.sql", as_declared);
  AppendTo(directory.path(), 0,
           {R"({"id":1,"price":1})", R"({"id":2,"price":10,"note":1,"PRICE":1,"odd":[]})"});
  AppendTo(directory.path(), 1,
           {R"({"id":3,"price":100,"note":2.5,"address":{"zip":"1","street":"x"}})"});
  {
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    EXPECT_EQ(Rows(*runtime,
                   "SELECT field, type, times_seen FROM millrace.drift WHERE job = "
                   "'copies' ORDER BY field"),
              std::vector<std::string>({"PRICE|BIGINT|1|", "address.street|STRING|1|",
                                        "note|DOUBLE|2|", "odd|NULL|1|"}));
    std::vector<std::string> told;
    for (const DriftNote& note : runtime->drift_notes()) {
      told.push_back(note.field + note.text.substr(note.text.find(';')));
    }
    std::sort(told.begin(), told.end());
    ASSERT_EQ(told.size(), 3u);
    EXPECT_EQ(told[0], "PRICE; it cannot become a column: the table has a column of this name");
    EXPECT_EQ(told[1], "address.street; it cannot become a column: it is within a column");
    EXPECT_TRUE(told[2].starts_with("note; it is a column (")) << told[2];
  }
  Write(directory.path() + "/sql/b.sql", R"(
CREATE TABLE notes (id BIGINT, note DOUBLE)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'notes');
INSERT INTO notes SELECT id, note FROM orders;
CREATE TABLE noted
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'noted')
AS SELECT note FROM orders WHERE note IS NOT NULL;
)");
  AppendTo(directory.path(), 1, {R"({"id":4,"price":1000,"note":4,"more":true})"});
  for (int run = 0; run < 2; run++) {  // in the second the table has "more", too
    auto runtime = RunToEnd(directory.path());
    ASSERT_NE(runtime, nullptr);
    // Those whose source has ended.
    EXPECT_EQ(Rows(*runtime, "SELECT * FROM total"), std::vector<std::string>({"1|3|111|"}));
    EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM copies"), std::vector<std::string>({"3|"}));
    EXPECT_EQ(Rows(*runtime, "SELECT * FROM notes"),
              std::vector<std::string>({"1|NULL|", "2|1|", "3|2.5|", "4|4|"}));
    EXPECT_EQ(Rows(*runtime, "SELECT * FROM noted"),
              std::vector<std::string>({"1|", "2.5|", "4|"}));
    // What is known is not told again.
    const auto notes = runtime->drift_notes();
    const bool told = std::any_of(notes.begin(), notes.end(),
                                  [](const DriftNote& note) { return note.field == "note"; });
    EXPECT_FALSE(told);
    EXPECT_EQ(runtime->notes(), std::vector<std::string>());
  }
  LineageKnowsAddedColumns(directory.path());
  // Declared at last, the column is the declaration's.
  Write(directory.path() + "/sql/a.sql", Script("add-column", ", note STRING"));
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  ASSERT_TRUE(faults.empty()) << faults[0].ToString();
  const sql::Table* orders = project->grown_catalog().FindTable("orders");
  EXPECT_EQ(orders->schema.columns.at(3).type.id(), duckdb::LogicalTypeId::VARCHAR);
}

}  // namespace
}  // namespace millrace::project
