// Joins, subqueries and set operations on streams against the oracle: random queries, each run as a
// stream over generated topics several ways, must equal what DuckDB computes as a batch over the
// same topics.
//
// The input has NULLs, duplicates, several partitions, rows far out of order (a join takes them
// all), and, with seed 0, nothing at all; half of the queries' inputs retract. A query's rows are
// counted by value (c0, c1, … -> copies), so a keyed sink shows the whole bag.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <random>
#include <thread>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr int kQueries = 24;

constexpr const char* kTable = R"(
CREATE TABLE {0} (id INT, k INT, s STRING, n INT, event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '1' SECOND
) WITH ('connector' = 'kafka', 'topic' = '{0}', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
)";

struct Query {
  std::string text;  // for Flink and DuckDB alike
  int columns = 0;   // c0, c1, …: STRING
  bool appends = false;
};

// Makes queries of every kind; each piece is chosen by the seed.
class QueryMaker {
 public:
  explicit QueryMaker(unsigned seed) : random_(seed) {}

  Query Make() {
    switch (Pick(5)) {
      case 0:
      case 1:
        return Joined();
      case 2:
        return Filtered();
      case 3:
        return Valued();
      default:
        return SetOperation();
    }
  }

 private:
  int Pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }
  std::string OneOf(std::initializer_list<const char*> texts) {
    return texts.begin()[Pick(static_cast<int>(texts.size()))];
  }

  // A table expression with columns id, k, s, n.
  std::string Input() {
    std::string table = OneOf({"a", "b"});
    switch (Pick(8)) {
      case 0:
        return fmt::format(
            "(SELECT k AS id, k, MAX(s) AS s, CAST(COUNT(*) AS INT) AS n FROM {} GROUP BY k)",
            table);
      case 1:
        return fmt::format(
            "(SELECT id, MIN(k) AS k, s, CAST(SUM(n) AS INT) AS n FROM {} GROUP BY id, s)", table);
      case 2:
        return fmt::format(
            "(SELECT id, c AS k, MAX(s) AS s, MIN(n) AS n FROM (SELECT id, s, MAX(n) AS n, "
            "CAST(COUNT(*) AS INT) AS c FROM {} GROUP BY id, s) GROUP BY id, c HAVING c > 1)",
            table);
      case 3:
        return "(SELECT id, k, s, n FROM a WHERE n > 1 UNION ALL SELECT k, id, s, n FROM b)";
      case 4:
        return fmt::format(
            "(SELECT l.id, r.k, l.s, l.n FROM {} l LEFT JOIN (SELECT * FROM b WHERE n = 3) r ON "
            "l.k = "
            "r.k AND l.n < 3)",
            table);
      default:
        plain_inputs_++;
        return table;
    }
  }

  std::string Equality() {
    return OneOf({"l.id = r.id", "l.s = r.s", "l.id = r.id AND l.s = r.s", "l.k + 1 = r.k",
                  "l.id IS NOT DISTINCT FROM r.id", "l.s IS NOT DISTINCT FROM r.s AND l.k = r.k"});
  }
  std::string Residual() {
    return OneOf({"l.n < r.n", "MOD(l.n + r.n, 3) = 1", "l.s <> r.s", "l.k = 2", "r.k > 1",
                  "(l.n = r.n OR l.k < r.k)", "l.n BETWEEN r.n - 1 AND r.k"});
  }
  std::string Condition() {
    switch (Pick(6)) {
      case 0:
        return Residual();
      case 1:
      case 2:
        return Equality();
      default:
        return Equality() + " AND " + Residual();
    }
  }

  Query Finish(const std::string& select, const std::vector<std::string>& columns,
               const std::string& rest) {
    Query query;
    query.columns = static_cast<int>(columns.size());
    std::string list;
    for (size_t i = 0; i < columns.size(); i++) {
      list +=
          fmt::format("{}COALESCE(CAST({} AS STRING), '?') AS c{}", i ? ", " : "", columns[i], i);
    }
    query.text = fmt::format("{} {} {}", select, list, rest);
    return query;
  }

  Query Joined() {
    plain_inputs_ = 0;
    std::string kind =
        OneOf({"JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"});
    std::string left = Input();
    std::string right = Input();
    bool appends = kind == "JOIN" && plain_inputs_ == 2;
    std::string from = fmt::format("FROM {} l {} {} r", left, kind, right);
    if (kind != "CROSS JOIN") from += " ON " + Condition();
    if (Pick(4) == 0) from += " WHERE " + OneOf({"l.n > 1", "r.n IS NULL", "l.k <> r.k"});
    std::vector<std::string> columns = {"l.id", "l.s", "r.n"};
    if (Pick(2)) columns.push_back("r.s");
    if (Pick(2)) columns = {"l.n"};
    Query query = Finish("SELECT", columns, from);
    query.appends = appends;
    return query;
  }

  std::string Subquery(const char* value) {
    std::string query = fmt::format("(SELECT {} FROM {} r", value, Input());
    switch (Pick(4)) {
      case 0:
        return query + ")";
      case 1:
        return query + " WHERE " + Equality() + ")";
      case 2:
        return query + " WHERE r.n > 2)";
      default:
        return query + " WHERE " + Condition() + ")";
    }
  }

  // The result of a subquery as a condition.
  std::string Predicate() {
    switch (Pick(9)) {
      case 0:
        return "l.id IN " + Subquery("r.id");
      case 1:
        return "l.id NOT IN " + Subquery("r.k");
      case 2:
        return "EXISTS " + Subquery("1");
      case 3:
        return "NOT EXISTS " + Subquery("r.k");
      case 4:
        return "l.n > " + Subquery("MIN(r.n)");
      case 5:
        return "l.k = " + Subquery("MAX(r.k)");
      case 6:
        return Subquery("COUNT(*)") + " > 3";
      case 7:
        return "(l.s IN " + Subquery("r.s") + " OR l.n = 2)";
      default:
        return "(l.id, l.s) IN (SELECT r.id, r.s FROM " + Input() + " r)";
    }
  }

  Query Filtered() {
    std::string where = Predicate();
    if (Pick(4) == 0) where += " AND " + Predicate();
    return Finish("SELECT", {"l.id", "l.s", "l.n"},
                  fmt::format("FROM {} l WHERE {}", Input(), where));
  }

  Query Valued() {
    std::string value;
    switch (Pick(5)) {
      case 0:
        value = "l.id IN " + Subquery("r.id");
        break;
      case 1:
        value = "l.s NOT IN " + Subquery("r.s");
        break;
      case 2:
        value = "EXISTS " + Subquery("1");
        break;
      case 3:
        value = Subquery("COUNT(*)");
        break;
      default:
        value = Subquery("MAX(r.s)");
    }
    // As text a BOOLEAN is TRUE in Flink and true in DuckDB.
    return Finish("SELECT", {"l.id", "l.k", "UPPER(CAST(v AS STRING))"},
                  fmt::format("FROM (SELECT l.id, l.k, {} AS v FROM {} l) l", value, Input()));
  }

  Query SetOperation() {
    std::string columns = OneOf({"id", "id, s", "id, k, n"});
    std::string op = OneOf({"INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL", "UNION"});
    std::string query = fmt::format("SELECT {0} FROM {1} l {2} SELECT {0} FROM {3} r", columns,
                                    Input(), op, Input());
    std::vector<std::string> names = {"id"};
    if (columns == "id, s") names = {"id", "s"};
    if (columns == "id, k, n") names = {"id", "k", "n"};
    return Finish("SELECT", names, fmt::format("FROM ({}) q", query));
  }

  std::mt19937 random_;
  int plain_inputs_ = 0;
};

void Produce(log::Log& log, const std::string& topic, int partitions, int events,
             std::mt19937& random) {
  auto number = [&](int n) {
    int k = static_cast<int>(random() % static_cast<unsigned>(n + 1));
    return k == n ? std::string("null") : std::to_string(k);
  };
  for (int i = 0; i < events; i++) {
    std::string s = number(4);
    if (s != "null") s = "\"s" + s + "\"";
    std::string value =
        fmt::format(R"({{"id":{},"k":{},"s":{},"n":{},"event_time":"2026-03-01 10:{:02}:{:02}"}})",
                    number(8), number(5), s, number(6), random() % 60, random() % 60);
    int copies = random() % 10 == 0 ? 2 : 1;
    for (int c = 0; c < copies; c++) {
      log::NewRecord record;
      record.value = value;
      auto written = log.AppendAndWait(
          topic, static_cast<int>(random() % static_cast<unsigned>(partitions)), {&record, 1});
      ASSERT_TRUE(written.ok()) << written.status().ToString();
    }
  }
}

std::string Columns(int count, const std::string& suffix) {
  std::string list;
  for (int i = 0; i < count; i++) list += fmt::format("{}c{}{}", i ? ", " : "", i, suffix);
  return list;
}

class JoinOracle : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(JoinOracle, EveryQueryEqualsItsBatch) {
  auto [seed, way] = GetParam();
  std::mt19937 random(static_cast<unsigned>(seed) * 104729u + 7);
  TempDirectory directory;
  std::string script =
      fmt::format(fmt::runtime(kTable), "a") + fmt::format(fmt::runtime(kTable), "b");
  script += SettingsOf(way);
  std::vector<Query> queries;
  QueryMaker maker(static_cast<unsigned>(seed) * 31u + 5);
  for (int i = 0; i < kQueries; i++) {
    queries.push_back(maker.Make());
    const Query& q = queries.back();
    std::string sink = fmt::format(
        "CREATE TABLE out_{} ({}{}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{}');\n",
        i, Columns(q.columns, " STRING"),
        q.appends
            ? ""
            : fmt::format(", copies BIGINT, PRIMARY KEY ({}) NOT ENFORCED", Columns(q.columns, "")),
        i);
    script += sink;
    script += q.appends ? fmt::format("INSERT INTO out_{} {};\n", i, q.text)
                        : fmt::format(
                              "INSERT INTO out_{0} SELECT {1}, COUNT(*) FROM ({2}) GROUP BY {1};\n",
                              i, Columns(q.columns, ""), q.text);
  }
  Write(directory.path() + "/sql/all.sql", script);
  Write(directory.path() + "/millrace.yml",
        fmt::format("topics:\n  a: {{partitions: {}}}\n  b: {{partitions: 2}}\n", 1 + seed % 3));
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    int events = seed == 0 ? 0 : way == Way::kTinyEpochs ? 40 : 120;
    Produce(runtime->log(), "a", 1 + seed % 3, events, random);
    Produce(runtime->log(), "b", 2, events, random);
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  int with_rows = 0;
  for (int i = 0; i < kQueries; i++) {
    const Query& q = queries[static_cast<size_t>(i)];
    std::string batch = q.appends ? q.text
                                  : fmt::format("SELECT {0}, count(*) FROM ({1}) GROUP BY ALL",
                                                Columns(q.columns, ""), q.text);
    auto expected = Rows(*runtime, batch);
    EXPECT_EQ(Rows(*runtime, fmt::format("SELECT * FROM out_{}", i)), expected) << q.text;
    with_rows += !expected.empty();
  }
  // On no input a query gives at most what its aggregates say of nothing.
  EXPECT_GT(with_rows, seed == 0 ? -1 : kQueries / 2) << "the queries test too little";
  EXPECT_EQ(Rows(*runtime, "SELECT count(*) FROM millrace.dead_letters"),
            std::vector<std::string>{"0|"});
}

INSTANTIATE_TEST_SUITE_P(Seeds, JoinOracle,
                         ::testing::Combine(::testing::Range(0, 6),
                                            ::testing::ValuesIn(kEveryWay)));

constexpr const char* kNexmark = R"(
CREATE TABLE auction (id BIGINT, itemName VARCHAR, reserve BIGINT, `dateTime` TIMESTAMP(3), expires TIMESTAMP(3),
  seller BIGINT, category BIGINT, WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) WITH ({0});
CREATE TABLE bid (auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` TIMESTAMP(3),
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) WITH ({0});
CREATE TABLE person (id BIGINT, name VARCHAR, state VARCHAR, `dateTime` TIMESTAMP(3),
  WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND) WITH ({0});
)";

std::string Explain(const std::string& script) {
  TempDirectory directory;
  Write(directory.path() + "/sql/all.sql",
        fmt::format(fmt::runtime(kNexmark),
                    "'connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'x', "
                    "'format' = 'json'") +
            script);
  auto runtime = Open(directory.path(), true);
  std::shared_ptr<job::Job> job = runtime ? runtime->FindJob("out") : nullptr;
  return job ? job->explain() : "";
}

TEST(JoinPlans, ABoundInTimeMakesAnIntervalJoinAndNoBoundARegularOne) {
  constexpr const char* kSink =
      "CREATE TABLE out (a BIGINT, b BIGINT, PRIMARY KEY (a) NOT ENFORCED) WITH "
      "('connector' = 'blackhole');\nINSERT INTO out ";
  struct Plan {
    const char* query;
    const char* op;         // in EXPLAIN
    const char* changelog;  // of the result
  };
  const Plan plans[] = {
      // q3, q20: a stream with a stream
      {"SELECT P.id, A.id FROM auction A JOIN person P ON A.seller = P.id WHERE A.category = 10 "
       "AND P.state = 'OR'",
       "RegularJoin", "append"},
      // q4: the auction's end is a column without a watermark
      {"SELECT category, AVG(final) FROM (SELECT MAX(B.price) AS final, A.category FROM auction A, "
       "bid B WHERE A.id = "
       "B.auction AND B.`dateTime` BETWEEN A.`dateTime` AND A.expires GROUP BY A.id, A.category) "
       "GROUP BY category",
       "RegularJoin", "updates"},
      // q7
      {"SELECT B.auction, B.price FROM bid B JOIN (SELECT MAX(price) AS maxprice, window_end AS t "
       "FROM TABLE(TUMBLE(TABLE "
       "bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) M "
       "ON B.price = M.maxprice "
       "WHERE B.`dateTime` BETWEEN M.t - INTERVAL '10' SECOND AND M.t",
       "IntervalJoin", "append"},
      // q8
      {"SELECT P.id, A.seller FROM (SELECT id, window_start AS s, window_end AS e FROM "
       "TABLE(TUMBLE(TABLE person, "
       "DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND)) GROUP BY id, window_start, window_end) P "
       "JOIN (SELECT seller, "
       "window_start AS s, window_end AS e FROM TABLE(TUMBLE(TABLE auction, "
       "DESCRIPTOR(`dateTime`), INTERVAL '10' "
       "SECOND)) GROUP BY seller, window_start, window_end) A ON P.id = A.seller AND P.s = A.s AND "
       "P.e = A.e",
       "IntervalJoin", "append"},
      {"SELECT A.id, B.price FROM auction A LEFT JOIN bid B ON A.id = B.auction AND A.category = 3 "
       "AND B.`dateTime` "
       "BETWEEN A.`dateTime` AND A.`dateTime` + INTERVAL '1' HOUR",
       "IntervalJoin", "append"},
      {"SELECT id, seller FROM auction WHERE id IN (SELECT auction FROM bid WHERE price > 9)",
       "semi", "append"},
      {"SELECT id, seller FROM auction A WHERE EXISTS (SELECT 1 FROM bid B WHERE B.auction = A.id "
       "AND B.price > A.reserve)",
       "semi", "append"},
      {"SELECT id, seller FROM auction A WHERE NOT EXISTS (SELECT 1 FROM bid B WHERE B.auction = "
       "A.id AND B.`dateTime` "
       "BETWEEN A.`dateTime` AND A.`dateTime` + INTERVAL '1' HOUR)",
       "IntervalJoin", "append"},
      {"SELECT id, seller FROM auction A LEFT JOIN bid B ON A.id = B.auction", "left", "updates"},
      {"SELECT id, seller FROM auction INTERSECT SELECT auction, bidder FROM bid", "intersect",
       "append"},
  };
  for (const Plan& plan : plans) {
    std::string text = Explain(std::string(kSink) + plan.query + ";");
    EXPECT_NE(text.find(plan.op), std::string::npos) << plan.query << "\n" << text;
    EXPECT_NE(text.find(std::string("result: ") + plan.changelog), std::string::npos)
        << plan.query << "\n"
        << text;
    bool groups = std::string(plan.query).find("GROUP BY") != std::string::npos;
    EXPECT_EQ(text.find("Aggregate") != std::string::npos, groups) << text;
    bool grows = text.find("grows with the input") != std::string::npos;
    EXPECT_EQ(grows, text.find("RegularJoin") != std::string::npos) << text;
    std::string bounded =
        Explain("SET 'table.exec.state.ttl' = '1 h';\n" + std::string(kSink) + plan.query + ";");
    EXPECT_EQ(bounded.find("grows with the input"), std::string::npos) << bounded;
  }
}

}  // namespace
}  // namespace millrace::project
