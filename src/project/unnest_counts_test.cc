// Counts over unnested rows: a stream puts equal rows together before it multiplies them, and must
// still count what DuckDB counts as a batch. Rows, lists and parts of lists repeat a lot here;
// lists hold NULLs beside zeros, are empty, or are NULL themselves.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kTable = R"(
CREATE TABLE posts (
  k STRING, a ARRAY<INT>, b ARRAY<INT>, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) WITH ('connector' = 'kafka', 'topic' = 'posts', 'properties.bootstrap.servers' = 'x',
        'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
)";

struct Case {
  const char* name;
  const char* columns;  // of the sink
  const char* query;    // Flink SQL
  const char* batch;    // the same for DuckDB, over the topic as a table
};

const Case kCases[] = {
    {"one_list", "tag INT, c BIGINT, PRIMARY KEY (tag) NOT ENFORCED",
     "SELECT COALESCE(tag, -1), COUNT(*) FROM posts CROSS JOIN UNNEST(a) AS u(tag) GROUP BY tag",
     "SELECT coalesce(tag, -1), count(*) FROM (SELECT unnest(a) AS tag FROM posts) GROUP BY tag"},
    {"two_lists", "k STRING, x INT, y INT, c BIGINT, PRIMARY KEY (k, x, y) NOT ENFORCED",
     "SELECT COALESCE(k, '?'), COALESCE(x, -1), COALESCE(y, -1), COUNT(*) FROM posts CROSS JOIN "
     "UNNEST(a) AS u(x) CROSS JOIN UNNEST(b) AS "
     "v(y) GROUP BY k, x, y",
     "SELECT coalesce(k, '?'), coalesce(x, -1), coalesce(y, -1), count(*) FROM (SELECT k, x, "
     "unnest(b) AS y FROM (SELECT k, unnest(a) AS x, b FROM posts)) GROUP BY k, x, y"},
    {"windows_of_lists", "we TIMESTAMP(3), tag INT, c BIGINT, n BIGINT",
     "SELECT window_end, tag, COUNT(*), COUNT(k) FROM TABLE(HOP(TABLE posts, DESCRIPTOR(ts), "
     "INTERVAL '5' SECOND, INTERVAL '15' SECOND)) CROSS JOIN UNNEST(a) AS u(tag) GROUP BY "
     "window_start, window_end, tag",
     "SELECT w + INTERVAL 15 SECOND, tag, count(*), count(k) FROM (SELECT k, w, unnest(a) AS tag "
     "FROM (SELECT k, a, unnest(mr_hop_starts(ts, 5000000, 15000000, 0)) AS w FROM posts)) GROUP "
     "BY ALL"},
};

std::string List(std::mt19937& random) {
  if (random() % 6 == 0) return "null";
  std::string text;
  for (unsigned left = static_cast<unsigned>(random() % 4); left > 0; left--) {
    const auto value = random() % 4;
    text += (text.empty() ? "" : ",") + (value == 3 ? "null" : std::to_string(value));
  }
  return "[" + text + "]";
}

class UnnestCounts : public ::testing::TestWithParam<std::tuple<int, Way>> {};

TEST_P(UnnestCounts, EqualTheBatch) {
  const auto [seed, way] = GetParam();
  std::mt19937 random(static_cast<unsigned>(seed) + 11);
  TempDirectory directory;
  std::string script = SettingsOf(way) + kTable;
  for (const Case& c : kCases) {
    script += fmt::format(
        "CREATE TABLE out_{0} ({1}) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', "
        "'table-name' = 'out_{0}');\nINSERT INTO out_{0} {2};\n",
        c.name, c.columns, c.query);
  }
  Write(directory.path() + "/sql/all.sql", script);
  Write(directory.path() + "/millrace.yml", "topics:\n  posts: {partitions: 2}\n");
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    for (int p = 0; p < 2 && seed > 0; p++) {
      std::vector<std::string> values;
      for (unsigned i = 0; i < 80; i++) {
        const std::string key = random() % 3 == 0 ? "null" : random() % 2 == 0 ? "\"x\"" : "\"y\"";
        values.push_back(fmt::format(R"({{"k":{},"a":{},"b":{},"ts":"2026-03-01 10:00:{:02}"}})",
                                     key, List(random), List(random), i / 8));
        while (random() % 2 == 0) values.push_back(values.back());
      }
      Append(*runtime, "posts", p, values);
    }
  }
  RestartOnTheWay(way, directory.path(), random);
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  for (const Case& c : kCases) {
    const auto batch = Rows(*runtime, c.batch);
    EXPECT_EQ(Rows(*runtime, fmt::format("SELECT * FROM out_{}", c.name)), batch) << c.name;
    EXPECT_EQ(batch.empty(), seed == 0) << c.name << ": the case tests nothing";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, UnnestCounts,
                         ::testing::Combine(::testing::Range(0, 3),
                                            ::testing::ValuesIn(kEveryWay)));

}  // namespace
}  // namespace millrace::project
