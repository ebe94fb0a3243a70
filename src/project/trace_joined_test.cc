// Traces through joins of streams against removal: a record's partners are just those without which
// DuckDB, over the same records as a batch, does not make the rows any more that it makes of it.
//
// Two partitions a topic, NULL keys, equal records, records that are late (which the batch leaves
// out where the job did), and, at the end, topics without a record.
#include "project/trace_joined.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/strings.h"
#include "project/project_fixture.h"
#include "project/trace_fixture.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using Place = std::tuple<std::string, int, int64_t>;

constexpr const char* kTable = R"(
CREATE TABLE {0} (id INT, k STRING, n INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND) WITH ('connector' = 'kafka', 'topic' = '{0}',
  'properties.bootstrap.servers' = 'x', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
)";
constexpr const char* kSink = R"(
CREATE TABLE {0} (x INT, y INT, m INT) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'stored_{0}');
INSERT INTO {0} {1};
)";
struct Query {
  const char* job;
  const char* text;  // for Flink and DuckDB alike
};
constexpr Query kQueries[] = {
    {"within",
     "SELECT a.id AS x, b.id AS y, b.n AS m FROM a JOIN b ON a.k = b.k AND b.ts BETWEEN "
     "a.ts - INTERVAL '4' SECOND AND a.ts + INTERVAL '4' SECOND"},
    {"kept",
     "SELECT a.id AS x, b.id AS y, b.n - a.n AS m FROM a LEFT JOIN b ON a.k = b.k AND "
     "b.n > a.n AND b.ts BETWEEN a.ts - INTERVAL '5' SECOND AND a.ts + INTERVAL '9' SECOND"},
    {"three",
     "SELECT a.id AS x, c.id AS y, a.n + b.n AS m FROM a JOIN b ON a.k = b.k JOIN c ON "
     "b.n = c.n"},
    {"self",
     "SELECT l.id AS x, r.id AS y, l.n AS m FROM a l JOIN a r ON l.n = r.n AND "
     "l.id < r.id"},
};

class TraceJoinedTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string script;
    std::string config = "name: shop\ntopics:\n";
    for (const char* table : {"a", "b", "c"}) {
      script += fmt::format(fmt::runtime(kTable), table);
      config += fmt::format("  {}: {{partitions: 2}}\n", table);
    }
    for (const Query& query : kQueries) {
      script += fmt::format(fmt::runtime(kSink), query.job, query.text);
    }
    Write(directory_.path() + "/sql/a.sql", script);
    Write(directory_.path() + "/millrace.yml", config);
  }
  void Produce(unsigned seed, int count) {
    auto runtime = Open(directory_.path(), false);
    ASSERT_NE(runtime, nullptr);
    std::mt19937 random(seed);
    auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    int id = 0;
    for (const char* topic : {"a", "b", "c"}) {
      for (int p = 0; p < 2; p++) {
        int64_t ms = 0;
        std::vector<std::string> values;
        for (int i = 0; i < count; i++) {
          ms += pick(3000);
          const int64_t at = std::max<int64_t>(0, ms - (pick(5) == 0 ? 9000 : pick(1500)));
          const std::string k = pick(6) == 0 ? "null" : fmt::format("\"k{}\"", pick(3));
          values.push_back(
              fmt::format(R"({{"id":{},"k":{},"n":{},"ts":"2026-03-01 10:00:{:02}.{:03}"}})", ++id,
                          k, pick(4), at / 1000 % 60, at % 1000));
          if (pick(5) == 0) values.push_back(values.back());
        }
        Append(*runtime, topic, p, values);
      }
    }
  }

  // Records that a job found late.
  static std::set<Place> LateOf(Runtime& runtime, const std::string& job) {
    std::set<Place> late;
    for (const std::string& row :
         Rows(runtime, fmt::format("SELECT topic, \"partition\", \"offset\" FROM "
                                   "millrace.dead_letters WHERE kind = 'late' AND job = '{}'",
                                   job))) {
      const auto parts = Split(row, '|');
      late.emplace(parts[0], std::stoi(parts[1]), std::stoll(parts[2]));
    }
    return late;
  }
  // The records as tables of a batch, one set of them for each job, without those that it found
  // late.
  void LoadBatch(Runtime& runtime, const std::map<Place, TraceRecord>& records) {
    for (const Query& query : kQueries) {
      const std::set<Place> late = LateOf(runtime, query.job);
      for (const char* topic : {"a", "b", "c"}) {
        Run(runtime, fmt::format("CREATE TABLE {}_{} (p INT, o BIGINT, id INT, k VARCHAR, n INT, "
                                 "ts TIMESTAMP)",
                                 query.job, topic));
      }
      for (const auto& [place, record] : records) {
        if (late.count(place)) continue;
        Run(runtime,
            fmt::format("INSERT INTO {}_{} SELECT {}, {}, (j->>'id')::INT, j->>'k', "
                        "(j->>'n')::INT, (j->>'ts')::TIMESTAMP FROM (SELECT {}::JSON AS j)",
                        query.job, record.topic, record.partition, record.offset,
                        QuoteLiteral(*record.value)));
      }
    }
  }
  static void Run(Runtime& runtime, const std::string& sql) {
    auto result = runtime.warehouse().Query(sql);
    ASSERT_TRUE(result.ok()) << sql << "\n" << result.status().ToString();
  }
  // What the batch makes without these records.
  static std::multiset<std::string> Batch(Runtime& runtime, const Query& query,
                                          const std::vector<Place>& without) {
    std::string tables;
    for (const char* topic : {"a", "b", "c"}) {
      std::string left = "TRUE";
      for (const auto& [of, p, o] : without) {
        if (of == topic) left += fmt::format(" AND NOT (p = {} AND o = {})", p, o);
      }
      tables += fmt::format("{}{} AS (SELECT * FROM {}_{} WHERE {})", tables.empty() ? "" : ", ",
                            topic, query.job, topic, left);
    }
    const auto rows = Rows(runtime, "WITH " + tables + " " + query.text);
    return {rows.begin(), rows.end()};
  }
  static std::multiset<std::string> Less(std::multiset<std::string> rows,
                                         const std::multiset<std::string>& without) {
    for (const std::string& row : without) {
      if (auto found = rows.find(row); found != rows.end()) rows.erase(found);
    }
    return rows;
  }
  static const TraceJob* JobOf(const Trace& trace, const std::string& name) {
    for (const TraceTable& table : trace.tables) {
      for (const TraceJob& job : table.jobs) {
        if (job.job == name) return &job;
      }
    }
    return nullptr;
  }
  // Whether a job's stage tells what the batch says of `place`; its partners are counted.
  static void Compare(Runtime& runtime, const Query& query, const TraceStage& stage,
                      const Place& place, const std::map<Place, TraceRecord>& records,
                      size_t& partners, size_t& alone) {
    const auto made = Less(Batch(runtime, query, {}), Batch(runtime, query, {place}));
    std::multiset<std::string> told;
    for (const auto& row : stage.made.rows) {
      std::string text;
      for (const CellText& cell : row) text += cell.value_or("NULL") + "|";
      told.insert(text);
    }
    EXPECT_EQ(told, made);
    std::set<Place> wanted, named;
    for (const auto& [other, record] : records) {
      if (other == place) continue;
      const auto still =
          Less(Batch(runtime, query, {other}), Batch(runtime, query, {other, place}));
      if (!Less(made, still).empty()) wanted.insert(other);
    }
    for (const TraceRecord& one : stage.partners) {
      const Place other(one.topic, one.partition, one.offset);
      named.insert(other);
      EXPECT_EQ(one.value, records.at(other).value);
    }
    EXPECT_EQ(stage.note, "");
    EXPECT_EQ(named, wanted);
    partners += named.size();
    alone += named.empty();
  }
  TempDirectory directory_;
};

TEST_F(TraceJoinedTest, PartnersAreThoseWhoseRemovalChangesTheRows) {
  Produce(5, 4);
  auto runtime = RunToEnd(directory_.path());
  ASSERT_NE(runtime, nullptr);
  runtime->Stop();
  std::map<Place, TraceRecord> records;
  for (const char* topic : {"a", "b", "c"}) {
    for (int p = 0; p < 2; p++) {
      for (const TraceRecord& record : RecordsOf(*runtime, topic, p)) {
        records[{topic, p, record.offset}] = record;
      }
    }
  }
  LoadBatch(*runtime, records);
  size_t partners = 0, alone = 0;
  for (const Place& place :
       {Place("a", 0, 0), Place("a", 1, 2), Place("b", 0, 1), Place("b", 1, 0), Place("c", 1, 1)}) {
    auto trace = TraceOf(runtime->project(), records.at(place), AccessTo(*runtime));
    ASSERT_TRUE(trace.ok()) << trace.status().ToString();
    for (const Query& query : kQueries) {
      const TraceJob* job = JobOf(*trace, query.job);
      if (!job || LateOf(*runtime, query.job).count(place)) continue;
      SCOPED_TRACE(query.job + std::string("\n") + trace->ToText());
      Compare(*runtime, query, job->stages.back(), place, records, partners, alone);
    }
  }
  EXPECT_GT(partners, 0u);
  EXPECT_GT(alone, 0u);
}

TEST_F(TraceJoinedTest, AmongNoOthers) {
  auto runtime = Open(directory_.path(), false);
  ASSERT_NE(runtime, nullptr);
  const TraceRecord record{
      "a", 0, 0, 1'772'359'200'000, {}, R"({"id":1,"k":"k1","n":1,"ts":"2026-03-01 10:00:00"})"};
  auto trace = TraceOf(runtime->project(), record, AccessTo(*runtime));
  ASSERT_TRUE(trace.ok()) << trace.status().ToString();
  EXPECT_THAT(JobOf(*trace, "within")->stages.back().made.rows, IsEmpty());
  EXPECT_THAT(JobOf(*trace, "self")->stages.back().made.rows, IsEmpty());
  const TraceStage& kept = JobOf(*trace, "kept")->stages.back();
  EXPECT_THAT(kept.made.rows, testing::SizeIs(1));
  EXPECT_THAT(kept.partners, IsEmpty());
}

TEST(FewestTest, FindsWhatIsNeededAndGivesUpInTime) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; round++) {
    const size_t count = random() % 60;
    std::set<size_t> needed;
    while (count > 0 && needed.size() < std::min<size_t>(count, random() % 5)) {
      needed.insert(random() % count);
    }
    int calls = 0;
    const auto holds = [&](const std::vector<size_t>& some) -> Result<bool> {
      calls++;
      return std::includes(some.begin(), some.end(), needed.begin(), needed.end());
    };
    auto fewest = Fewest(count, 1000, holds);
    ASSERT_TRUE(fewest.ok() && *fewest);
    EXPECT_EQ(**fewest, std::vector<size_t>(needed.begin(), needed.end()));
    EXPECT_LE(calls, 2 * 6 * static_cast<int>(needed.size()) + 3);
    auto given_up = Fewest(count, calls - 1, holds);
    EXPECT_TRUE(given_up.ok() && !*given_up);
  }
}

}  // namespace
}  // namespace millrace::project
