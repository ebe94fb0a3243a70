// Tables whose rows change: the same random history (inserts, updates, removals by key, over
// several partitions) as upsert-kafka, as Debezium's messages with and without a key, and as
// changelog-json. Whatever a query makes of it as a stream must be what DuckDB makes of the table
// that is left in the end. The oracle's table is kept by the test itself, not read through the code
// under test.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "base/strings.h"
#include "project/project_fixture.h"
#include "project/query_generator.h"
#include "sql/rewriter.h"

namespace millrace::project {
namespace {

constexpr const char* kColumns =
    "id BIGINT, k STRING, g INT, n INT, price DECIMAL(10, 2), event_time TIMESTAMP(3), "
    "WATERMARK FOR event_time AS event_time - INTERVAL '{}' SECOND";

// `delay`: of the watermark, in seconds.
std::string Tables(int delay) {
  const std::string columns = fmt::format(fmt::runtime(kColumns), delay);
  const std::string kafka =
      "'properties.bootstrap.servers' = 'x', 'scan.bounded.mode' = "
      "'latest-offset', 'topic' = ";
  const std::string earliest = ", 'scan.startup.mode' = 'earliest-offset'";
  return fmt::format(
      "CREATE TABLE upserts ({0}, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = "
      "'upsert-kafka', {1}'upserts', 'key.format' = 'json', 'value.format' = 'json');\n"
      "CREATE TABLE messages ({0}, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'kafka', "
      "{1}'messages', 'format' = 'debezium-json'{2});\n"
      "CREATE TABLE whole_messages ({0}) WITH ('connector' = 'kafka', {1}'whole_messages', "
      "'format' = 'debezium-json', 'debezium-json.schema-include' = 'true'{2});\n"
      "CREATE TABLE changes ({0}) WITH ('connector' = 'kafka', {1}'changes', 'format' = "
      "'changelog-json'{2});\n",
      columns, kafka, earliest);
}

const std::vector<std::string> kTableNames = {"upserts", "messages", "whole_messages", "changes"};

struct Message {
  std::optional<std::string> key;
  std::optional<std::string> value;
};

// What happened to a table, as each of the four topics tells it.
class History {
 public:
  explicit History(unsigned seed) : random_(seed) {}

  void Make(int partitions, int events) {
    const int keys = 1 + events / 4;
    for (int i = 0; i < events; i++) {
      time_ms_ += Pick(900);
      const int id = Pick(keys);
      const int partition = id % partitions;
      if (Pick(4) == 0) {
        Remove(id, partition);
      } else {
        Put(id, partition);
      }
    }
  }

  // VALUES of the table that is left, as DuckDB reads them.
  std::string Final() const {
    std::vector<std::string> rows = {
        "(NULL::BIGINT, NULL::VARCHAR, NULL::INTEGER, NULL::INTEGER, NULL::DECIMAL(10, 2), "
        "NULL::TIMESTAMP)"};
    for (const auto& [id, row] : rows_) rows.push_back(row.sql);
    return "(SELECT * FROM (VALUES " + Join(rows, ", ") +
           ") AS v(id, k, g, n, price, event_time) WHERE id IS NOT NULL)";
  }

  void Write(log::Log& log) {
    for (auto& [where, messages] : topics_) {
      // In batches, which are what the smallest epoch reads.
      for (size_t i = 0; i < messages.size(); i += 5) {
        std::vector<log::NewRecord> records;
        for (size_t m = i; m < std::min(i + 5, messages.size()); m++) {
          log::NewRecord& record = records.emplace_back();
          if (messages[m].key) record.key = *messages[m].key;
          if (messages[m].value) record.value = *messages[m].value;
        }
        auto written = log.AppendAndWait(where.first, where.second, records);
        ASSERT_TRUE(written.ok()) << written.status().ToString();
      }
    }
  }

 private:
  struct Row {
    std::string json;
    std::string sql;
  };

  int Pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  Row NewRow(int id) {
    const int64_t at = time_ms_ - Pick(4000);
    const auto seconds = static_cast<std::time_t>(at / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    const std::string time = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
                                         parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                                         parts.tm_hour, parts.tm_min, parts.tm_sec, at % 1000);
    const int k = Pick(6), g = Pick(3), n = Pick(8);
    const std::string text = std::string(static_cast<size_t>(k) * 4, 'a');
    const std::string price = fmt::format("{}.{}", Pick(5), Pick(3) + 10);
    const std::string number = n == 7 ? "null" : std::to_string(n);
    return {fmt::format(R"({{"id":{},"k":{},"g":{},"n":{},"price":{},"event_time":"{}"}})", id,
                        k == 5 ? "null" : "\"" + text + "\"", g, number, price, time),
            fmt::format("({}, {}, {}, {}, {}, TIMESTAMP '{}')", id,
                        k == 5 ? "NULL" : "'" + text + "'", g, number, price, time)};
  }

  void Say(const std::string& topic, int partition, std::optional<std::string> value,
           std::optional<std::string> key = std::nullopt) {
    topics_[{topic, partition}].push_back({std::move(key), std::move(value)});
  }

  std::string Debezium(const std::string& before, const std::string& after, const char* op) {
    return fmt::format(
        R"({{"before":{},"after":{},"source":{{"version":"3.6.1.Final","connector":"postgresql",)"
        R"("name":"shop","ts_ms":{},"snapshot":"false","db":"shop","schema":"public","table":"t",)"
        R"("txId":7,"lsn":1,"xmin":null}},"transaction":null,"op":"{}","ts_ms":{}}})",
        before, after, time_ms_, op, time_ms_ + 20);
  }

  void Put(int id, int partition) {
    const Row row = NewRow(id);
    const auto old = rows_.find(id);
    const bool known = old != rows_.end();
    const std::string key = fmt::format(R"({{"id":{}}})", id);
    const std::string before = known ? old->second.json : "null";
    const char* op = known ? "u" : Pick(2) ? "c" : "r";
    const bool before_known = Pick(2) == 0;  // REPLICA IDENTITY FULL, or not
    for (int copies = Pick(8) == 0 ? 2 : 1; copies > 0; copies--) {
      Say("upserts", partition, row.json, key);
      Say("messages", partition, Debezium(before_known ? before : "null", row.json, op), key);
    }
    Say("whole_messages", partition,
        fmt::format(R"({{"schema":{{"type":"struct","fields":[]}},"payload":{}}})",
                    Debezium(before, row.json, op)));
    if (known) Say("changes", partition, fmt::format(R"({{"data":{},"op":"-U"}})", before));
    Say("changes", partition,
        fmt::format(R"({{"data":{},"op":"{}"}})", row.json, known ? "+U" : "+I"));
    rows_[id] = row;
  }

  void Remove(int id, int partition) {
    const auto old = rows_.find(id);
    const std::string key = fmt::format(R"({{"id":{}}})", id);
    Say("upserts", partition, std::nullopt, key);
    const bool whole = old != rows_.end() && Pick(2) == 0;
    Say("messages", partition, Debezium(whole ? old->second.json : key, "null", "d"), key);
    Say("messages", partition, std::nullopt, key);
    if (old == rows_.end()) return;
    Say("whole_messages", partition,
        fmt::format(R"({{"schema":null,"payload":{}}})", Debezium(old->second.json, "null", "d")));
    Say("changes", partition, fmt::format(R"({{"data":{},"op":"-D"}})", old->second.json));
    rows_.erase(old);
  }

  std::mt19937 random_;
  int64_t time_ms_ = 1'700'000'000'000;
  std::map<int, Row> rows_;
  std::map<std::pair<std::string, int>, std::vector<Message>> topics_;
};

std::string Replace(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

std::string BatchText(const GeneratedQuery& query, const std::string& table) {
  if (!query.batch.empty()) return Replace(query.batch, "{t}", table);
  sql::Fragment fragment;
  fragment.text = Replace(query.text, "{t}", table);
  auto rewritten = sql::RewriteQuery(fragment);
  if (!rewritten.ok()) ADD_FAILURE() << fragment.text << "\n" << rewritten.status().ToString();
  return rewritten.ok() ? rewritten->text : "";
}

std::string Topics(int partitions) {
  std::string config = "topics:\n";
  for (const std::string& name : kTableNames) {
    config += fmt::format("  {}: {{partitions: {}}}\n", name, partitions);
  }
  return config;
}

std::string JdbcTable(const std::string& name, const std::string& columns) {
  return fmt::format(
      "CREATE TABLE {0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
      "'table-name' = '{0}');\n",
      name, columns);
}

// Queries over one table; {t} stands for it.
std::vector<GeneratedQuery> MakeQueries(unsigned seed) {
  QueryGenerator generator(seed);
  std::vector<GeneratedQuery> queries = {
      {"all", "id BIGINT, k STRING, n INT, t TIMESTAMP(3), PRIMARY KEY (id) NOT ENFORCED",
       "SELECT id, k, n, event_time FROM {t}"},
      {"filtered", "id BIGINT, k STRING, PRIMARY KEY (id) NOT ENFORCED",
       "SELECT id, UPPER(k) FROM {t} WHERE n > 3"},
      {"distinct", "g INT, n INT, PRIMARY KEY (g, n) NOT ENFORCED",
       "SELECT DISTINCT g, COALESCE(n, -1) FROM {t}"},
      {"self_join", "l BIGINT, r BIGINT, p DECIMAL(10, 2), PRIMARY KEY (l, r) NOT ENFORCED",
       "SELECT l.id, COALESCE(r.id, -1), r.price FROM {t} l LEFT JOIN {t} r ON l.k = r.k AND "
       "l.n < r.n AND l.g = r.g"},
      {"exists", "id BIGINT, PRIMARY KEY (id) NOT ENFORCED",
       "SELECT id FROM {t} a WHERE NOT EXISTS (SELECT 1 FROM {t} b WHERE b.n = a.n AND b.g > a.g)"},
      {"except", "g INT, PRIMARY KEY (g) NOT ENFORCED",
       "SELECT n FROM {t} WHERE n IS NOT NULL EXCEPT SELECT g FROM {t} WHERE k = 'aaaa'"},
      {"window", "e TIMESTAMP(3), k STRING, c BIGINT, s BIGINT, lo DECIMAL(10, 2), d BIGINT",
       "SELECT window_end, k, COUNT(*), SUM(n), MIN(price), COUNT(DISTINCT g) FROM "
       "TABLE(TUMBLE(TABLE {t}, DESCRIPTOR(event_time), INTERVAL '10' SECOND)) GROUP BY "
       "window_start, window_end, k"},
      {"hop", "e TIMESTAMP(3), c BIGINT, a DOUBLE",
       "SELECT window_end, COUNT(*), AVG(CAST(n AS DOUBLE)) FROM TABLE(HOP(TABLE {t}, "
       "DESCRIPTOR(event_time), INTERVAL '5' SECOND, INTERVAL '15' SECOND)) GROUP BY "
       "window_start, window_end"}};
  for (int i = 0; i < 2; i++) {
    queries.push_back(generator.TopN());
    queries.push_back(generator.TopNOfUpdates());
    queries.push_back(generator.SumOfTopN());
    queries.push_back(generator.Limit());
    queries.push_back(generator.GroupWindow());
    queries.push_back(generator.GroupingSets());
    queries.push_back(generator.Aggregates());
  }
  // Ties are broken by their rows there, which a batch does not know.
  return queries;
}

class ChangingTables : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(ChangingTables, EqualTheBatchOverWhatIsLeft) {
  const auto [seed, way] = GetParam();
  TempDirectory directory;
  // Nothing is late: windows close when the input ends.
  std::string script = Tables(86'400) + SettingsOf(way);
  const std::vector<GeneratedQuery> queries = MakeQueries(static_cast<unsigned>(seed) * 17u + 3);
  auto sink = [](size_t table, size_t query) { return fmt::format("out_{}_{}", table, query); };
  auto is_asked = [&](size_t table, size_t query) {  // every query of some table
    return query < 8 || (query + static_cast<size_t>(seed)) % kTableNames.size() == table;
  };
  for (size_t t = 0; t < kTableNames.size(); t++) {
    for (size_t q = 0; q < queries.size(); q++) {
      if (!is_asked(t, q)) continue;
      script += JdbcTable(sink(t, q), queries[q].columns);
      script += fmt::format("INSERT INTO {} {};\n", sink(t, q),
                            Replace(queries[q].text, "{t}", kTableNames[t]));
    }
  }
  Write(directory.path() + "/sql/all.sql", script);
  Write(directory.path() + "/millrace.yml", Topics(1 + seed % 3));
  History history(static_cast<unsigned>(seed) * 7919u + 1);
  history.Make(1 + seed % 3, seed == 0 ? 0 : way == Way::kTinyEpochs ? 60 : 250);
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    history.Write(runtime->log());
  }
  std::mt19937 random(static_cast<unsigned>(seed));
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  for (size_t q = 0; q < queries.size(); q++) {
    const auto expected = Rows(*runtime, BatchText(queries[q], history.Final()));
    for (size_t t = 0; t < kTableNames.size(); t++) {
      if (!is_asked(t, q)) continue;
      EXPECT_EQ(Rows(*runtime, "SELECT * FROM " + sink(t, q)), expected)
          << kTableNames[t] << ", " << queries[q].name << ": " << queries[q].text;
    }
  }
  // Asked as a table, a topic is what is left, too.
  for (const std::string& table : kTableNames) {
    EXPECT_EQ(Rows(*runtime, "SELECT id, k, g, n, price, event_time FROM " + table),
              Rows(*runtime, "SELECT * FROM " + history.Final()))
        << table;
  }
  EXPECT_EQ(Rows(*runtime, "SELECT reason FROM millrace.dead_letters"), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Seeds, ChangingTables,
                         ::testing::Combine(::testing::Range(0, 4),
                                            ::testing::ValuesIn(kEveryWay)));

// An updating query written to a topic and read back as a table is the same table.
class RoundTrip : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(RoundTrip, OfAnUpdatingQuery) {
  const auto [seed, way] = GetParam();
  TempDirectory directory;
  const std::string columns = "k STRING, g INT, c BIGINT, s BIGINT, p DECIMAL(10, 2)";
  const std::string key = ", PRIMARY KEY (k, g) NOT ENFORCED";
  const std::string query =
      "SELECT COALESCE(k, '?'), g, COUNT(*), SUM(n), MAX(price) FROM {t} GROUP BY COALESCE(k, "
      "'?'), g";
  struct Target {
    const char* name;
    std::string key;
    std::string with;
  };
  const std::vector<Target> targets = {
      {"rt_upsert", key,
       "'connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = 'json'"},
      {"rt_short", key,
       "'connector' = 'upsert-kafka', 'key.format' = 'csv', 'value.format' = 'json', "
       "'value.fields-include' = 'EXCEPT_KEY'"},
      {"rt_debezium", "", "'connector' = 'kafka', 'format' = 'debezium-json'"},
      {"rt_debezium_key", key, "'connector' = 'kafka', 'format' = 'debezium-json'"},
      {"rt_changelog", "", "'connector' = 'kafka', 'format' = 'changelog-json'"},
      {"rt_changelog_key", key, "'connector' = 'kafka', 'format' = 'changelog-json'"}};
  std::string script = Tables(0) + SettingsOf(way);
  std::string back = SettingsOf(way);
  std::string config = Topics(1 + seed % 3);
  for (const Target& target : targets) {
    config += fmt::format("  {}: {{partitions: {}}}\n", target.name, 1 + (seed + 1) % 3);
    const bool upsert = target.with.find("upsert") != std::string::npos;
    script += fmt::format(
        "CREATE TABLE {0} ({1}{2}) WITH ({3}, 'topic' = '{0}', "
        "'properties.bootstrap.servers' = 'x');\nINSERT INTO {0} {4};\n",
        target.name, columns, target.key, target.with,
        Replace(query, "{t}", kTableNames[static_cast<size_t>(seed) % 4]));
    back += fmt::format(
        "CREATE TABLE {0}_in ({1}{2}) WITH ({3}, 'topic' = '{0}', "
        "'properties.bootstrap.servers' = 'x', 'scan.bounded.mode' = "
        "'latest-offset'{4});\n{5}INSERT INTO {0}_back SELECT * FROM {0}_in;\n",
        target.name, columns, target.key, target.with,
        upsert ? "" : ", 'scan.startup.mode' = 'earliest-offset'",
        JdbcTable(std::string(target.name) + "_back", columns + key));
  }
  Write(directory.path() + "/sql/a.sql", script);
  Write(directory.path() + "/millrace.yml", config);
  History history(static_cast<unsigned>(seed) * 31u + 5);
  history.Make(1 + seed % 3, way == Way::kTinyEpochs ? 60 : 200);
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    history.Write(runtime->log());
  }
  std::mt19937 random(static_cast<unsigned>(seed));
  RestartOnTheWay(way, directory.path(), random);
  ASSERT_NE(RunToEnd(directory.path()), nullptr);
  Write(directory.path() + "/sql/b.sql", back);
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  GeneratedQuery asked;
  asked.text = query;
  const auto expected = Rows(*runtime, BatchText(asked, history.Final()));
  EXPECT_FALSE(expected.empty());
  for (const Target& target : targets) {
    EXPECT_EQ(Rows(*runtime, fmt::format("SELECT * FROM {}_back", target.name)), expected)
        << target.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RoundTrip,
                         ::testing::Combine(::testing::Range(0, 4),
                                            ::testing::ValuesIn(kEveryWay)));

// Rows that change when their window is closed: the window is final, and which rows were too late
// does not depend on the pace.
TEST(ChangingTable, JudgesLateChangesTheSameInEveryWay) {
  for (int seed : {1, 2}) {
    std::vector<std::string> straight;
    for (Way way : kEveryWay) {
      TempDirectory directory;
      std::string script = Tables(2) + SettingsOf(way);
      for (const std::string& table : kTableNames) {
        script += JdbcTable("w_" + table, "e TIMESTAMP(3), c BIGINT, s BIGINT");
        script += fmt::format(
            "INSERT INTO w_{0} SELECT window_end, COUNT(*), SUM(id) FROM "
            "TABLE(TUMBLE(TABLE {0}, DESCRIPTOR(event_time), INTERVAL '10' "
            "SECOND)) GROUP BY window_start, window_end;\n",
            table);
      }
      Write(directory.path() + "/sql/all.sql", script);
      Write(directory.path() + "/millrace.yml", Topics(1 + seed % 3));
      History history(static_cast<unsigned>(seed) * 13u + 1);
      history.Make(1 + seed % 3, 120);
      {
        auto runtime = Open(directory.path(), false);
        ASSERT_NE(runtime, nullptr);
        history.Write(runtime->log());
      }
      std::mt19937 random(static_cast<unsigned>(seed));
      RestartOnTheWay(way, directory.path(), random);
      auto runtime = RunToEnd(directory.path());
      ASSERT_NE(runtime, nullptr);
      std::vector<std::string> results;
      for (const std::string& table : kTableNames) {
        for (const std::string& row : Rows(*runtime, "SELECT * FROM w_" + table)) {
          results.push_back(table + ": " + row);
        }
      }
      if (straight.empty()) straight = results;
      EXPECT_EQ(results, straight) << seed << " " << static_cast<int>(way);
      EXPECT_FALSE(results.empty());
    }
  }
}

// What is no change message goes to the dead letters with its bytes, and changes nothing.
TEST(ChangingTable, RefusesWhatIsNoChange) {
  TempDirectory directory;
  const std::string bounded =
      "'properties.bootstrap.servers' = 'x', 'scan.bounded.mode' = "
      "'latest-offset', 'topic' = ";
  Write(directory.path() + "/sql/a.sql",
        fmt::format("CREATE TABLE d (id BIGINT NOT NULL, n INT NOT NULL, CHECK (n > 0)) WITH "
                    "('connector' = 'kafka', 'format' = 'debezium-json', 'scan.startup.mode' = "
                    "'earliest-offset', {0}'d');\n"
                    "CREATE TABLE u (id BIGINT, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH "
                    "('connector' = 'upsert-kafka', 'key.format' = 'json', 'value.format' = "
                    "'json', {0}'u');\n{1}{2}INSERT INTO from_d SELECT id, n FROM d;\nINSERT INTO "
                    "from_u SELECT id, n FROM u;\n",
                    bounded, JdbcTable("from_d", "id BIGINT, n INT, PRIMARY KEY (id) NOT ENFORCED"),
                    JdbcTable("from_u", "id BIGINT, n INT, PRIMARY KEY (id) NOT ENFORCED")));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    auto put = [&](const std::string& topic, std::optional<std::string> key,
                   std::optional<std::string> value) {
      log::NewRecord record;
      if (key) record.key = *key;
      if (value) record.value = *value;
      ASSERT_TRUE(runtime->log().AppendAndWait(topic, 0, {&record, 1}).ok());
    };
    for (const char* value : {R"({"before":null,"after":{"id":1,"n":10},"op":"c"})", R"({"after":)",
                              R"({"before":null,"after":{"id":1,"n":11},"op":"u"})",
                              R"({"before":null,"after":null,"op":"t"})", R"({"id":1,"n":2})",
                              R"({"before":{"id":1,"n":"x"},"after":null,"op":"d"})",
                              R"({"before":{"id":1},"after":null,"op":"d"})",
                              R"({"before":null,"after":{"id":2,"n":-1},"op":"c"})",
                              R"({"before":{"id":2,"n":-1},"after":{"id":2,"n":5},"op":"u"})"}) {
      put("d", std::nullopt, value);
    }
    put("u", R"({"id":1})", R"({"id":1,"n":10})");
    put("u", std::nullopt, R"({"id":1,"n":11})");
    put("u", R"({"id":null})", R"({"id":1,"n":12})");
    put("u", R"({"id":"x"})", std::nullopt);
    put("u", R"({"id":1})", R"({"id":1,"n":[]})");
    put("u", R"({"id":3})", std::nullopt);
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM from_d"), (std::vector<std::string>{"1|10|", "2|5|"}));
  EXPECT_EQ(Rows(*runtime, "SELECT * FROM from_u"), (std::vector<std::string>{"1|10|"}));
  EXPECT_EQ(Rows(*runtime,
                 "SELECT \"table\", \"offset\", kind, \"column\", value IS NOT NULL FROM "
                 "millrace.dead_letters"),
            (std::vector<std::string>{
                "d|1|malformed|NULL|true|", "d|2|malformed|NULL|true|", "d|3|malformed|NULL|true|",
                "d|4|malformed|NULL|true|", "d|5|type|before|true|", "d|6|null|n|true|",
                "d|7|constraint|NULL|true|", "u|1|malformed|NULL|true|", "u|2|null|id|true|",
                "u|3|type|id|true|", "u|4|type|n|true|"}));
  EXPECT_EQ(Rows(*runtime,
                 "SELECT count(*) FROM millrace.dead_letters WHERE reason LIKE '%REPLICA IDENTITY "
                 "FULL%' AND reason LIKE '%PRIMARY KEY%'"),
            (std::vector<std::string>{"1|"}));
}

}  // namespace
}  // namespace millrace::project
