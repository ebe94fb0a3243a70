#include "sql/catalog.h"

#include <duckdb.hpp>
#include <gtest/gtest.h>

#include "sql/parser.h"

namespace millrace::sql {
namespace {

Status Load(Catalog& catalog, const std::string& text) {
  auto script = ParseScript(text, "f.sql");
  if (!script.ok()) return script.status();
  for (const Statement& statement : *script) MR_RETURN_IF_ERROR(catalog.Apply(statement));
  return Status::Ok();
}

TEST(Catalog, ResolvesATable) {
  Catalog catalog;
  Status status = Load(catalog, R"(CREATE TABLE Orders (
      id BIGINT, price DECIMAL(10, 2), n INT, total AS price * n,
      at TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL, ts TIMESTAMP(3),
      WATERMARK FOR TS AS `ts` - INTERVAL '1:30' MINUTE TO SECOND,
      PRIMARY KEY (ID) NOT ENFORCED, CHECK (n > 0)) WITH ('connector' = 'print', 'k' = 'v'))");
  ASSERT_TRUE(status.ok()) << status.ToString();
  const Table* table = catalog.FindTable("db.orders");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->schema.Names(), (std::vector<std::string>{"id", "price", "n", "ts"}));
  EXPECT_FALSE(table->schema.columns[0].nullable) << "of the primary key";
  EXPECT_EQ(table->column_names,
            (std::vector<std::string>{"id", "price", "n", "total", "at", "ts"}));
  EXPECT_EQ(table->SelectList(),
            R"("id", "price", "n", (price * n) AS "total", "at", "ts")");
  EXPECT_EQ(table->metadata[0].key, "timestamp");
  ASSERT_TRUE(table->watermark);
  EXPECT_EQ(table->watermark->column, (std::vector<std::string>{"ts"}));
  EXPECT_EQ(table->watermark->delay_us, 90'000'000);
  EXPECT_EQ(table->watermark->expression.text, "\"ts\" - INTERVAL '90000000 microseconds'");
  EXPECT_EQ(table->checks[0].expression.text, "n > 0");
  EXPECT_EQ(table->Option("k"), "v");
  EXPECT_EQ(table->Option("none"), "");
}

TEST(Catalog, WatermarkDelays) {
  auto delay = [](const std::string& expression) -> std::optional<int64_t> {
    Catalog catalog;
    Status s = Load(catalog, "CREATE TABLE t (ts TIMESTAMP(3), x INT, WATERMARK FOR ts AS " +
                                 expression + ")");
    EXPECT_TRUE(s.ok()) << s.ToString();
    return s.ok() ? catalog.FindTable("t")->watermark->delay_us : std::nullopt;
  };
  EXPECT_EQ(delay("ts"), 0);
  EXPECT_EQ(delay("ts - INTERVAL '5' SECOND"), 5'000'000);
  EXPECT_EQ(delay("ts - INTERVAL '0.001' SECOND"), 1'000);
  EXPECT_EQ(delay("ts + INTERVAL '5' SECOND"), std::nullopt);
  EXPECT_EQ(delay("ts - INTERVAL '1' MONTH"), std::nullopt);
  EXPECT_EQ(delay("CASE WHEN x > 0 THEN ts END"), std::nullopt);
}

TEST(Catalog, LikeCopies) {
  Catalog catalog;
  Status status = Load(catalog, R"(
      CREATE TABLE a (x INT, y AS x + 1, ts TIMESTAMP(3), WATERMARK FOR ts AS ts,
        PRIMARY KEY (x) NOT ENFORCED) WITH ('connector' = 'kafka', 'topic' = 'a');
      CREATE TABLE b (z STRING) WITH ('topic' = 'b') LIKE a;
      CREATE TABLE c WITH ('connector' = 'print') LIKE a (EXCLUDING ALL);
      CREATE TABLE d (y STRING) LIKE b (EXCLUDING OPTIONS EXCLUDING GENERATED);)");
  ASSERT_TRUE(status.ok()) << status.ToString();
  const Table* b = catalog.FindTable("b");
  EXPECT_EQ(b->column_names, (std::vector<std::string>{"x", "y", "ts", "z"}));
  EXPECT_EQ(b->Option("topic"), "b");
  EXPECT_EQ(b->Option("connector"), "kafka");
  EXPECT_TRUE(b->watermark);
  EXPECT_EQ(b->primary_key, (std::vector<std::string>{"x"}));
  const Table* c = catalog.FindTable("c");
  EXPECT_EQ(c->column_names, (std::vector<std::string>{"x", "ts"}));
  EXPECT_FALSE(c->watermark);
  EXPECT_EQ(c->OptionValues().size(), 1u);
  EXPECT_EQ(catalog.FindTable("d")->column_names,
            (std::vector<std::string>{"x", "ts", "z", "y"}));
  Status twice = Load(catalog, "CREATE TABLE e WITH ('topic' = 'e') LIKE a (INCLUDING OPTIONS)");
  EXPECT_EQ(twice.code(), Code::kBadOption);
}

TEST(Catalog, NamesAndOrder) {
  Catalog catalog;
  EXPECT_EQ(catalog.FindTable(""), nullptr);
  ASSERT_TRUE(Load(catalog, "CREATE TABLE b (x INT); CREATE VIEW v AS SELECT * FROM b; "
                            "CREATE TABLE a (x INT); CREATE TABLE IF NOT EXISTS a (y INT);")
                  .ok());
  EXPECT_EQ(catalog.Names(), (std::vector<std::string>{"b", "v", "a"}));
  EXPECT_EQ(catalog.FindTable("a")->schema.Names(), (std::vector<std::string>{"x"}));
  EXPECT_EQ(Load(catalog, "CREATE TABLE A (x INT)").code(), Code::kAlreadyExists);
  EXPECT_EQ(Load(catalog, "DROP TABLE v").code(), Code::kUnknownTable);
  EXPECT_TRUE(Load(catalog, "DROP TABLE IF EXISTS nope").ok());
  ASSERT_TRUE(Load(catalog, "CREATE OR REPLACE VIEW v AS SELECT `x` FROM b; DROP TABLE a").ok());
  EXPECT_EQ(catalog.FindView("v")->query.text, "SELECT \"x\" FROM b");
  EXPECT_EQ(catalog.Names(), (std::vector<std::string>{"b", "v"}));
  Name name;
  name.parts = {"bb"};
  EXPECT_EQ(catalog.GetTable(name).status().code(), Code::kUnknownTable);
}

TEST(Catalog, RefusesATableWithoutColumns) {
  Catalog catalog;
  EXPECT_EQ(Load(catalog, "CREATE TABLE t WITH ('connector' = 'print')").code(), Code::kBind);
  EXPECT_EQ(Load(catalog, "CREATE TABLE t").code(), Code::kBind);
}

}  // namespace
}  // namespace millrace::sql
