// Conditions of joins that fail on a pair (a cast): the pair is a dead letter, the other pairs go
// through, and a row that is in the dead letters is not shown without partner as well. Generated
// rows, against DuckDB over the same rows, in every way of running.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kScript = R"(
CREATE TABLE a (id INT, k STRING, d STRING, ms BIGINT, pit AS TO_TIMESTAMP_LTZ(ms, 3), p AS PROCTIME(),
  WATERMARK FOR pit AS pit - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'a',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
CREATE TABLE b (id INT, k STRING, d STRING, ms BIGINT, pit AS TO_TIMESTAMP_LTZ(ms, 3),
  WATERMARK FOR pit AS pit - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = 'b',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
CREATE TABLE asked (id INT, k STRING, d STRING) WITH ('connector' = 'filesystem', 'path' = 'asked.csv',
  'format' = 'csv');
CREATE TABLE inner_pairs (a INT, b INT) WITH ('connector' = 'warehouse');
CREATE TABLE left_pairs (a INT, b INT) WITH ('connector' = 'warehouse');
CREATE TABLE with_partner (a INT) WITH ('connector' = 'warehouse');
CREATE TABLE looked_up (a INT, b INT) WITH ('connector' = 'warehouse');
INSERT INTO inner_pairs SELECT a.id, b.id FROM a JOIN b ON a.k = b.k AND b.pit BETWEEN a.pit AND
  a.pit + INTERVAL '3' SECOND AND CAST(a.d || b.d AS INT) > 20;
INSERT INTO left_pairs SELECT a.id, b.id FROM a LEFT JOIN b ON a.k = b.k AND b.pit BETWEEN a.pit AND
  a.pit + INTERVAL '3' SECOND AND CAST(a.d || b.d AS INT) > 20;
INSERT INTO with_partner SELECT a.id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE a.k = b.k AND
  b.pit BETWEEN a.pit AND a.pit + INTERVAL '3' SECOND AND CAST(a.d || b.d AS INT) > 20);
INSERT INTO looked_up SELECT a.id, r.id FROM a LEFT JOIN asked FOR SYSTEM_TIME AS OF a.p AS r
  ON a.k = r.k AND CAST(a.d || r.d AS INT) > 20;
)";

constexpr const char* kPairs =
    "WITH p AS (SELECT a.id AS a, b.id AS b, TRY_CAST(a.d || b.d AS INT) AS v FROM a JOIN b ON a.k "
    "= b.k AND b.ms BETWEEN a.ms AND a.ms + 3000), q AS (SELECT a.id AS a, r.id AS b, TRY_CAST(a.d "
    "|| r.d AS INT) AS v FROM a JOIN (VALUES (1, 'k0', '1'), (2, 'k1', 'z'), (3, 'k1', '9')) AS "
    "r(id, k, d) ON a.k = r.k) ";

void Produce(Runtime& runtime, const char* topic, int partitions, std::mt19937& random) {
  int id = 0;
  for (int p = 0; p < partitions; p++) {
    std::vector<std::string> values;
    int64_t ms = 1'700'000'000'000;
    for (int i = 0; i < 80; i++) {
      ms += static_cast<int64_t>(random() % 600);
      const std::string k = random() % 9 == 0 ? "null" : fmt::format("\"k{}\"", random() % 4);
      const std::string d = random() % 5 == 0 ? "x" : std::to_string(random() % 10);
      values.push_back(fmt::format(R"({{"id":{},"k":{},"d":"{}","ms":{}}})", id++, k, d,
                                   ms - static_cast<int64_t>(random() % 3000)));
    }
    Append(runtime, topic, p, values);
  }
}

class FailingConditions : public ::testing::TestWithParam<Way> {};

TEST_P(FailingConditions, BuryThePairAlone) {
  const Way way = GetParam();
  std::mt19937 random(11);
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", SettingsOf(way) + kScript);
  Write(directory.path() + "/asked.csv", "1,k0,1\n2,k1,z\n3,k1,9\n");
  Write(directory.path() + "/millrace.yml",
        "topics:\n  a: {partitions: 2}\n  b: {partitions: 3}\n");
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Produce(*runtime, "a", 2, random);
    Produce(*runtime, "b", 3, random);
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  auto same = [&](const std::string& streamed, const std::string& batch) {
    auto expected = Rows(*runtime, kPairs + batch);
    EXPECT_FALSE(expected.empty()) << batch;
    EXPECT_EQ(Rows(*runtime, streamed), expected) << batch;
  };
  same("SELECT * FROM inner_pairs", "SELECT a, b FROM p WHERE v > 20");
  same("SELECT * FROM left_pairs",
       "SELECT a, b FROM p WHERE v > 20 UNION ALL SELECT id, NULL FROM a WHERE id NOT IN (SELECT a "
       "FROM p WHERE v > 20 OR v IS NULL)");
  same("SELECT * FROM with_partner", "SELECT DISTINCT a FROM p WHERE v > 20");
  same("SELECT * FROM looked_up",
       "SELECT a, b FROM q WHERE v > 20 UNION ALL SELECT id, NULL FROM a WHERE id NOT IN (SELECT a "
       "FROM q WHERE v > 20 OR v IS NULL)");
  const char* letters = "SELECT count(*) FROM millrace.dead_letters WHERE kind = 'type' AND job = ";
  for (const char* job : {"'inner_pairs'", "'left_pairs'"}) {
    same(std::string(letters) + job, "SELECT count(*) FROM p WHERE v IS NULL");
  }
  same(std::string(letters) + "'looked_up'", "SELECT count(*) FROM q WHERE v IS NULL");
}

INSTANTIATE_TEST_SUITE_P(Ways, FailingConditions, ::testing::ValuesIn(kEveryWay));

}  // namespace
}  // namespace millrace::project
