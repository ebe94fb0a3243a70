// Lineage against an oracle: what it says has no influence on a column may be anything, and the
// column stays as it was. And, over a whole project, that it names just the ways there are.
#include "project/lineage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/strings.h"
#include "project/lineage_text.h"
#include "project/project_fixture.h"
#include "project/query_generator.h"
#include "sql/rewriter.h"

namespace millrace::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

std::unique_ptr<Project> Load(const TempDirectory& directory, const std::string& sql) {
  Write(directory.path() + "/sql/a.sql", sql);
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  for (const Status& fault : faults) ADD_FAILURE() << fault.ToString();
  return project;
}

std::string Warehouse(const std::string& name, const std::string& columns) {
  return fmt::format(
      "CREATE TABLE {0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
      "'table-name' = 'stored_{0}');\n",
      name, columns);
}

constexpr const char* kOrders = R"(
CREATE TABLE orders (id BIGINT, user_id STRING, quantity INT, price DECIMAL(10, 2), note STRING,
  total AS quantity * price, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND,
  CONSTRAINT positive CHECK (quantity > 0))
WITH ('connector' = 'kafka', 'topic' = 'orders.in', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
CREATE VIEW large AS SELECT id, user_id, total AS amount, ts FROM orders WHERE price > 10;
CREATE TABLE enriched (id BIGINT, amount DECIMAL(20, 2)) WITH ('connector' = 'kafka',
  'topic' = 'orders.enriched', 'properties.bootstrap.servers' = 'x', 'format' = 'json');
INSERT INTO enriched SELECT id, amount FROM large;
CREATE TABLE enriched_again (id BIGINT, amount DECIMAL(20, 2)) WITH ('connector' = 'kafka',
  'topic' = 'orders.enriched', 'properties.bootstrap.servers' = 'x', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset');
)";

std::vector<std::string> Words(const duck::Dependencies& from) {
  std::vector<std::string> words;
  for (const duck::Dependency& d : from) {
    words.push_back(
        fmt::format("{}.{} {}", d.from.table, d.from.column, duck::InfluenceName(d.influence)));
  }
  return words;
}

std::set<std::string> Places(const Lineage& part) {
  std::set<std::string> places;
  for (const LineageEdge& edge : part.edges) {
    for (const LineagePlace& place : {edge.from, edge.to}) {
      if (!place.column.empty()) places.insert(place.node + "." + place.column);
    }
  }
  return places;
}

class ProjectLineage : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(directory_.path() + "/dashboards");
    Write(directory_.path() + "/dashboards/shop.yml",
          "title: Shop\ncharts:\n  - {id: top, title: Top, type: table, x: user_id, y: [s],"
          " sql: \"SELECT user_id, s / 2 AS half FROM stored_per_user WHERE {{filters}}\"}\n"
          "  - {id: odd, title: Odd, type: table, x: a, y: [a], sql: \"SELECT a FROM nowhere\"}\n");
    project_ = Load(directory_, kOrders +
                                    Warehouse("per_user",
                                              "user_id STRING, s DECIMAL(38, 2), PRIMARY KEY "
                                              "(user_id) NOT ENFORCED") +
                                    "INSERT INTO per_user SELECT user_id, SUM(amount) FROM large "
                                    "GROUP BY user_id;\n");
    auto lineage = LineageOf(*project_);
    ASSERT_TRUE(lineage.ok()) << lineage.status().ToString();
    lineage_ = std::move(*lineage);
  }
  LineageWays Ways(const std::string& name, LineageDirection direction) {
    auto ways = WaysOf(lineage_, name, direction);
    EXPECT_TRUE(ways.ok()) << ways.status().ToString();
    return ways.ok() ? *ways : LineageWays();
  }
  TempDirectory directory_;
  std::unique_ptr<Project> project_;
  Lineage lineage_;
};

TEST_F(ProjectLineage, OfJobsResolvesViewsAndComputedColumns) {
  const JobLineage* job = lineage_.FindJob("per_user");
  ASSERT_NE(job, nullptr);
  EXPECT_THAT(Words(job->from.columns[0].from), ElementsAre("orders.user_id IDENTITY"));
  EXPECT_THAT(Words(job->from.columns[1].from),
              ElementsAre("orders.price AGGREGATION", "orders.quantity AGGREGATION"));
  EXPECT_THAT(Words(job->from.rows), ElementsAre("orders.price FILTER", "orders.quantity FILTER",
                                                 "orders.user_id GROUP_BY"));
}

TEST_F(ProjectLineage, GoesUpToTheCollectorAndDownToDashboardsAndTopics) {
  const Lineage up = Ways("per_user.s", LineageDirection::kUp).up;
  EXPECT_THAT(Places(up), UnorderedElementsAre("table:per_user.s", "view:large.amount",
                                               "view:large.user_id", "table:orders.total",
                                               "table:orders.quantity", "table:orders.price",
                                               "table:orders.user_id", "topic:orders.in.quantity",
                                               "topic:orders.in.price", "topic:orders.in.user_id"));
  EXPECT_NE(up.Find("collector"), nullptr);
  EXPECT_EQ(up.Find("table:enriched"), nullptr);
  // The topic's name has a dot, too. What its price decides is which rows there are, for all.
  const Lineage down = Ways("orders.in.price", LineageDirection::kDown).down;
  EXPECT_THAT(Places(down), UnorderedElementsAre(
                                "topic:orders.in.price", "table:orders.price", "table:orders.total",
                                "view:large.amount", "table:per_user.s", "dashboard:shop.top.half",
                                "dashboard:shop.top.user_id", "table:enriched.amount",
                                "topic:orders.enriched.amount", "table:enriched_again.amount"));
  EXPECT_THAT(Places(Ways("orders.note", LineageDirection::kDown).down), IsEmpty());
  // A topic that a job writes is no collector's.
  for (const auto& [from, to] : lineage_.links) {
    EXPECT_TRUE(from != "collector" || to == "topic:orders.in") << to;
  }
}

TEST_F(ProjectLineage, ReconciliationsCompareTheirTwoSides) {
  std::filesystem::create_directories(directory_.path() + "/reconcile");
  Write(directory_.path() + "/reconcile/copies.yml",
        "source: orders\ndestination-query: SELECT user_id, s AS total, ts FROM stored_per_user, "
        "(SELECT max(ts) AS ts FROM orders)\nby: checksum\nkey: user_id\ncolumns: [total]\n"
        "time: ts\n");
  Write(directory_.path() + "/reconcile/counted.yml",
        "source: enriched_again\ndestination: stored_per_user\n");
  Write(directory_.path() + "/reconcile/lost.yml", "source: orders\ndestination: nowhere\n");
  auto lineage = LineageOf(*project_);
  ASSERT_TRUE(lineage.ok()) << lineage.status().ToString();
  lineage_ = std::move(*lineage);
  std::map<std::string, const CheckLineage*> checks;
  for (const CheckLineage& check : lineage_.checks) checks[check.check] = &check;
  ASSERT_EQ(checks.size(), 3u);
  EXPECT_THAT(checks["copies"]->sources, ElementsAre("orders"));
  EXPECT_THAT(checks["copies"]->destinations, ElementsAre("orders", "per_user"));
  EXPECT_THAT(checks["counted"]->sources, ElementsAre("enriched_again"));
  EXPECT_THAT(checks["counted"]->destinations, ElementsAre("per_user"));
  const LineageNode* copies = lineage_.Find("check:copies");
  ASSERT_NE(copies, nullptr);
  EXPECT_EQ(copies->note, "");
  const std::set<LineageEdge> edges(lineage_.edges.begin(), lineage_.edges.end());
  for (const auto& [from, to, how] :
       {std::tuple{LineagePlace{"table:orders", "total"}, "total", duck::Influence::kIdentity},
        std::tuple{LineagePlace{"table:per_user", "s"}, "total", duck::Influence::kIdentity},
        std::tuple{LineagePlace{"table:orders", "ts"}, "", duck::Influence::kFilter}}) {
    EXPECT_TRUE(edges.count({from, {"check:copies", to}, how, false, "check:copies"}))
        << from.node << "." << from.column << " to " << to;
  }
  // A side that cannot be bound is said; the other is there.
  EXPECT_THAT(lineage_.Find("check:lost")->note, HasSubstr("nowhere"));
  EXPECT_THAT(checks["lost"]->sources, ElementsAre("orders"));
  EXPECT_THAT(LineageText(lineage_, Ways("per_user.s", LineageDirection::kDown)),
              HasSubstr("-> check copies.total"));
}

TEST_F(ProjectLineage, SaysWhatItDoesNotKnow) {
  const LineageNode* shop = lineage_.Find("dashboard:shop");
  ASSERT_NE(shop, nullptr);
  EXPECT_THAT(shop->note, HasSubstr("odd"));
  auto none = WaysOf(lineage_, "per_usr", LineageDirection::kBoth);
  EXPECT_EQ(none.status().code(), Code::kNotFound);
  EXPECT_THAT(none.status().hint(), HasSubstr("per_user"));
  auto column = WaysOf(lineage_, "orders.prise", LineageDirection::kBoth);
  EXPECT_EQ(column.status().code(), Code::kUnknownColumn);
  EXPECT_THAT(column.status().hint(), HasSubstr("price"));
  EXPECT_FALSE(ParseLineageDirection("sideways").ok());
}

TEST_F(ProjectLineage, Texts) {
  const LineageWays ways = Ways("per_user", LineageDirection::kBoth);
  EXPECT_THAT(LineageText(lineage_, ways), HasSubstr("<- view large.amount  AGGREGATION"));
  EXPECT_THAT(LineageText(lineage_, ways), HasSubstr("-> dashboard shop.top.half"));
  EXPECT_THAT(LineageDot(UnionOf(ways)), HasSubstr("subgraph \"cluster_table:orders\""));
  const std::string yaml = LineageYaml(*project_, UnionOf(ways));
  EXPECT_THAT(yaml, HasSubstr("lineage:\n  source:\n    system: "));
  EXPECT_THAT(yaml, HasSubstr("    topic: \"orders.in\"\n  transformations:\n    - step: "
                              "\"schema_validation\"\n      version: \""));
  EXPECT_THAT(yaml, HasSubstr("    - step: \"large\"\n"));
  EXPECT_THAT(yaml, HasSubstr("  destination:\n    table: \"per_user\"\n"));
  EXPECT_THAT(yaml, Not(HasSubstr("enriched")));
}

TEST(ProjectLineageOfNothing, IsEmpty) {
  TempDirectory directory;
  auto lineage = LineageOf(*Load(directory, ""));
  ASSERT_TRUE(lineage.ok());
  EXPECT_THAT(lineage->nodes, IsEmpty());
}

// ---- against the oracle ------------------------------------------------------------------------

constexpr const char* kTables = R"(
CREATE TABLE t (
  id BIGINT, k STRING, g INT, n INT, price DECIMAL(10, 2), event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE late_t WITH ('topic' = 'late_t') LIKE t;
CREATE TABLE unique_t WITH ('topic' = 'unique_t') LIKE t;
)";

// A value of each column for row i; `seed` makes others of the same kind.
std::map<std::string, std::string> ValuesOf(int i, unsigned seed) {
  std::mt19937 random(seed * 7919 + static_cast<unsigned>(i));
  auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  std::map<std::string, std::string> values;
  values["id"] = std::to_string(seed * 1000 + static_cast<unsigned>(i));
  values["k"] = pick(5) == 0 ? "NULL" : fmt::format("'k{}'", pick(4));
  values["g"] = std::to_string(pick(3));
  values["n"] = pick(6) == 0 ? "NULL" : std::to_string(pick(7));
  values["price"] = fmt::format("{}.{}", pick(5), 10 + pick(9));
  // No ties: ROWS tells rows of one time apart by their place.
  values["event_time"] =
      fmt::format("TIMESTAMP '2026-03-01 10:{:02}:{:02}.{:03}'", pick(4), pick(60), i);
  return values;
}

// Each column of the query's result, as sorted text; then the rows.
std::vector<std::vector<std::string>> Answer(duck::Planner& planner, const std::string& query,
                                             const std::string& table,
                                             const std::string& other_column) {
  auto run = [&](const std::string& sql) {
    auto result = planner.connection().Query(sql);
    EXPECT_FALSE(result->HasError()) << sql << "\n" << result->GetError();
    return result;
  };
  std::vector<std::string> rows;
  for (int i = 0; i < 60; i++) {
    auto values = ValuesOf(i, 1);
    if (!other_column.empty()) values[other_column] = ValuesOf(i, 2)[other_column];
    rows.push_back(fmt::format("({}, {}, {}, {}, {}, {})", values["id"], values["k"], values["g"],
                               values["n"], values["price"], values["event_time"]));
  }
  run("DELETE FROM " + table);
  run("INSERT INTO " + table + " VALUES " + Join(rows, ", "));
  auto result = run(query);
  std::vector<std::vector<std::string>> columns(result->ColumnCount() + 1);
  for (duckdb::idx_t r = 0; r < result->RowCount(); r++) {
    for (duckdb::idx_t c = 0; c < result->ColumnCount(); c++) {
      columns[c].push_back(result->GetValue(c, r).ToString());
    }
    columns.back().push_back("row");
  }
  for (auto& column : columns) std::sort(column.begin(), column.end());
  return columns;
}

bool Reads(const duck::Dependencies& from, const std::string& column) {
  return std::any_of(from.begin(), from.end(),
                     [&](const duck::Dependency& d) { return d.from.column == column; });
}

TEST(LineageOracle, WhatHasNoInfluenceMayBeAnything) {
  size_t without = 0;
  for (unsigned seed = 1; seed <= 3; seed++) {
    QueryGenerator generator(seed);
    std::vector<GeneratedQuery> queries = {
        generator.TopN(),       generator.TopNOfUpdates(),   generator.SumOfTopN(),
        generator.Limit(),      generator.WindowTopN(),      generator.Over(),
        generator.Session(),    generator.GroupWindow(),     generator.GroupingSets(),
        generator.Aggregates(), generator.UpdatingWindows(), generator.UpdatingOver(),
        generator.TimeSort(),   generator.NotInSeveral(),    generator.TotalOfUpdates()};
    TempDirectory directory;
    std::string script = kTables;
    for (size_t i = 0; i < queries.size(); i++) {
      std::string text = queries[i].text;
      for (size_t at; (at = text.find("{t}")) != std::string::npos;) {
        text.replace(at, 3, queries[i].table);
      }
      queries[i].text = text;
      const std::string name = fmt::format("out_{}", i);
      script += Warehouse(name, queries[i].columns) + "INSERT INTO " + name + " " + text + ";\n";
    }
    auto project = Load(directory, script);
    auto lineage = LineageOf(*project);
    ASSERT_TRUE(lineage.ok()) << lineage.status().ToString();
    auto planner = duck::Planner::Create();
    ASSERT_TRUE(planner.ok());
    for (const char* table : {"t", "late_t", "unique_t"}) {
      ASSERT_TRUE((*planner)
                      ->Define(fmt::format("CREATE TEMP TABLE {} (id BIGINT, k VARCHAR, g INTEGER, "
                                           "n INTEGER, price DECIMAL(10, 2), event_time TIMESTAMP)",
                                           table))
                      .ok());
    }
    for (size_t i = 0; i < queries.size(); i++) {
      SCOPED_TRACE(queries[i].name + ": " + queries[i].text);
      const JobLineage* job = lineage->FindJob(fmt::format("out_{}", i));
      ASSERT_NE(job, nullptr) << lineage->Find(fmt::format("job:out_{}", i))->note;
      std::string batch = queries[i].batch;
      if (batch.empty()) {
        sql::Fragment fragment;
        fragment.text = queries[i].text;
        auto rewritten = sql::RewriteQuery(fragment);
        ASSERT_TRUE(rewritten.ok()) << rewritten.status().ToString();
        batch = rewritten->text;
      }
      for (size_t at; (at = batch.find("{t}")) != std::string::npos;) {
        batch.replace(at, 3, queries[i].table);
      }
      const auto before = Answer(**planner, batch, queries[i].table, "");
      for (const char* column : {"id", "k", "g", "n", "price", "event_time"}) {
        if (Reads(job->from.rows, column)) continue;
        const auto after = Answer(**planner, batch, queries[i].table, column);
        EXPECT_EQ(before.back(), after.back()) << "the rows depend on " << column;
        for (size_t c = 0; c < job->from.columns.size(); c++) {
          if (Reads(job->from.columns[c].from, column)) continue;
          without++;
          EXPECT_EQ(before[c], after[c])
              << "column " << job->from.columns[c].name << " depends on " << column;
        }
      }
    }
  }
  EXPECT_GT(without, 100u);  // it says of many pairs that there is none
}

}  // namespace
}  // namespace millrace::project
