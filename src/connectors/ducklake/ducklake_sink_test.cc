#include <fmt/format.h>

#include <random>

#include "base/strings.h"
#include "connectors/connector_fixture.h"
#include "connectors/ducklake/ducklake.h"
#include "connectors/ducklake/lake_table.h"
#include "duck/extensions.h"
#include "env/hand_clock.h"

namespace millrace::connectors::ducklake {
namespace {

const model::Schema kColumns = {{{"id", LogicalType::BIGINT},
                                 {"name", LogicalType::VARCHAR},
                                 {"amount", LogicalType::DECIMAL(12, 2)},
                                 {"day", LogicalType::DATE}}};

class DuckLakeSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (duck::ExtensionDirectory().empty()) GTEST_SKIP() << "no extensions: scripts/setup.sh";
  }

  TableContext Table(std::map<std::string, std::string> more = {},
                     const model::Schema& schema = kColumns) {
    TableContext table = MakeTable("ducklake", schema, more);
    table.services.base_dir = directory_.path();
    table.services.clock = &clock_;
    return table;
  }

  std::unique_ptr<Sink> OpenSink(const TableContext& table) {
    auto sink = NewDuckLakeSink(table);
    EXPECT_TRUE(sink.ok()) << sink.status().ToString();
    const Status opened = (*sink)->Open();
    EXPECT_TRUE(opened.ok()) << opened.ToString();
    return std::move(*sink);
  }

  // As another client of the lake sees it.
  std::string Ask(const std::string& sql) {
    auto database = duck::Warehouse::Open("");
    auto connection = (*database)->Connect();
    EXPECT_TRUE(duck::UseExtensions(*connection).ok());
    const Status attached = duck::Warehouse::Execute(
        *connection, "ATTACH " +
                         QuoteLiteral("ducklake:sqlite:" + directory_.path() + "/lake.sqlite") +
                         " AS lake (READ_ONLY); USE lake");
    EXPECT_TRUE(attached.ok()) << attached.ToString();
    auto answer = duck::Warehouse::QueryOn(*connection, sql);
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    std::string csv = answer.ok() ? answer->ToCsv() : "";
    std::erase(csv, '\r');
    return csv;
  }

  TemporaryDirectory directory_;
  env::HandClock clock_{1'700'000'000'000'000};
};

// What `id` says, with NULLs in every eleventh.
std::vector<Value> Row(int64_t id) {
  if (id % 11 == 0) return {Value::BIGINT(id), Value(), Value(), Value()};
  return {Value::BIGINT(id), Value("name of " + std::to_string(id)), Value::DECIMAL(id * 7, 12, 2),
          Value::DATE(2026, 1, static_cast<int32_t>(1 + id % 3))};
}

size_t FilesBelow(const std::string& directory) {
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  return files;
}

// Epochs of random rows, some empty, some rows twice, with a process that dies at any step and goes
// on from what the lake remembers; the lake is merged, expired and cleaned up all the time.
TEST_F(DuckLakeSinkTest, HoldsEachRowOnceWhateverDies) {
  constexpr model::Epoch kEpochs = 20;
  for (const std::string name : {"whole", "parts"}) {
    std::mt19937 random(name.size());
    TableContext table = Table({{"table-name", "sales." + name},
                                {"maintenance.interval", "1 s"},
                                {"snapshot.retention", "0 s"},
                                {"cleanup.delay", "0 s"},
                                {"target-file-size", "1mb"}});
    if (name == "parts") table.partitioned_by = {"day"};
    std::vector<std::unique_ptr<duckdb::DataChunk>> rows(1);
    std::vector<std::vector<int32_t>> weights(1);
    std::string expected = "id,copies\n";
    for (int64_t id = 0; rows.size() <= kEpochs;) {
      std::vector<std::vector<Value>> values;
      std::vector<int32_t>& counts = weights.emplace_back();
      for (size_t i = random() % 5 == 0 ? 0 : random() % 40; i > 0; i--, id++) {
        values.push_back(Row(id));
        counts.push_back(static_cast<int32_t>(random() % 9) == 0 ? 2 : 1);
        expected += fmt::format("{},{}\n", id, counts.back());
      }
      rows.push_back(MakeChunk(table.schema, values));
    }
    auto sink = OpenSink(table);
    int deaths = 0;
    for (model::Epoch epoch = 1; epoch <= kEpochs; epoch++) {
      const auto at = static_cast<size_t>(epoch);
      ASSERT_TRUE(sink->Write({rows[at].get(), &weights[at]}).ok());
      clock_.Advance(300'000);
      if (random() % 3 == 0 || epoch == kEpochs) {
        const Status committed = sink->Commit(epoch);
        ASSERT_TRUE(committed.ok()) << committed.ToString();
      }
      if (random() % 4 != 0) continue;
      sink.reset();
      sink = OpenSink(table);
      epoch = *sink->LastCommitted();
      deaths++;
    }
    EXPECT_GT(deaths, 1);
    EXPECT_EQ(Ask("SELECT id, count(*) AS copies FROM sales." + name + " GROUP BY 1 ORDER BY 1"),
              expected);
    EXPECT_EQ(Ask("SELECT count(*) AS wrong FROM sales." + name +
                  " WHERE name IS DISTINCT FROM CASE WHEN id % 11 > 0 THEN 'name of ' || id END OR "
                  "amount IS DISTINCT FROM CASE WHEN id % 11 > 0 THEN id * 0.07 END"),
              "wrong\n0\n");
    // Merged and cleaned up: at most what came since, in each of the partitions.
    EXPECT_LT(FilesBelow(directory_.path() + "/lake.files/sales/" + name), 40);
  }
}

TEST_F(DuckLakeSinkTest, AddsColumnsAndWidensTypesOfATableThatIsThere) {
  const model::Schema narrow = {{{"id", LogicalType::INTEGER}}};
  const model::Schema wide = {{{"id", LogicalType::BIGINT}, {"note", LogicalType::VARCHAR}}};
  auto first = MakeChunk(narrow, {{Value::INTEGER(1)}});
  auto second = MakeChunk(wide, {{Value::BIGINT(1LL << 40), Value("new")}});
  auto sink = OpenSink(Table({{"table-name", "t"}}, narrow));
  ASSERT_TRUE(sink->Write({first.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  sink = OpenSink(Table({{"table-name", "t"}}, wide));
  EXPECT_EQ(*sink->LastCommitted(), 1);
  ASSERT_TRUE(sink->Write({second.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(2).ok());
  EXPECT_EQ(Ask("FROM t ORDER BY id"), "id,note\n1,\n1099511627776,new\n");
  // As it was.
  const std::string version = Ask(
      "SELECT min(snapshot_id) AS v FROM lake.snapshots() WHERE commit_extra_info LIKE '%job%'");
  EXPECT_EQ(Ask("FROM t AT (VERSION => " + millrace::Split(version, '\n')[1] + ")"), "id\n1\n");
  // A type that cannot become the declared one.
  auto refused = NewDuckLakeSink(Table({{"table-name", "t"}}, {{{"id", LogicalType::DATE}}}));
  const Status opened = (*refused)->Open();
  EXPECT_EQ(opened.code(), Code::kFailedPrecondition) << opened.ToString();
  EXPECT_NE(opened.message().find("\"id\""), std::string::npos) << opened.ToString();
}

// Two jobs write one table: each goes on from its own epoch, though the other's are newer.
TEST_F(DuckLakeSinkTest, KeepsTheNewestSnapshotOfEachJob) {
  std::map<std::string, std::string> options = {
      {"table-name", "t"}, {"maintenance.interval", "0 s"}, {"snapshot.retention", "0 s"}};
  TableContext one = Table(options), other = Table(options);
  other.job = "other's \"job\"";
  auto row = MakeChunk(kColumns, {Row(1)});
  auto sink = OpenSink(one);
  ASSERT_TRUE(sink->Write({row.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(7).ok());
  sink = OpenSink(other);
  for (model::Epoch epoch = 1; epoch <= 5; epoch++) {
    ASSERT_TRUE(sink->Write({row.get(), nullptr}).ok());
    ASSERT_TRUE(sink->Commit(epoch).ok());
  }
  EXPECT_EQ(*OpenSink(one)->LastCommitted(), 7);
  EXPECT_EQ(*OpenSink(other)->LastCommitted(), 5);
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM t"), "n\n6\n");
}

TEST_F(DuckLakeSinkTest, RefusesRowsTakenBackAndOtherCatalogs) {
  auto sink = OpenSink(Table());
  auto row = MakeChunk(kColumns, {Row(1)});
  std::vector<int32_t> back = {-1};
  EXPECT_EQ(sink->Write({row.get(), &back}).code(), Code::kUnsupported);
  EXPECT_EQ(NewDuckLakeSink(Table({{"catalog", "mongo:x"}})).status().code(), Code::kBadOption);
}

}  // namespace
}  // namespace millrace::connectors::ducklake
