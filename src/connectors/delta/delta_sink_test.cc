#include <random>

#include "connectors/delta/compaction.h"
#include "connectors/delta/delta_fixture.h"
#include "connectors/delta/delta_log.h"
#include "connectors/delta/delta_schema.h"
#include "connectors/delta/protocol.h"

namespace millrace::connectors::delta {
namespace {

using DeltaSinkTest = DeltaTest;

// What `id` says, with NULLs in every eleventh.
std::vector<Value> Row(int64_t id) {
  if (id % 11 == 0) return {Value::BIGINT(id), Value(), Value(), Value(), Value(), Value()};
  return {Value::BIGINT(id),
          Value("name of " + std::to_string(id)),
          Value::DECIMAL(id * 7, 12, 2),
          Value::TIMESTAMP(duckdb::timestamp_t(id * 1'000'001)),
          Value::DATE(2026, 1, static_cast<int32_t>(1 + id % 3)),
          Value(id % 2 == 0 ? "a/b = ü%" : "c d")};
}

// Epochs of random rows, some empty, some rows twice, with a process that dies at any step and goes
// on from what the log remembers; files are merged and deleted and checkpoints made all the time.
TEST_F(DeltaSinkTest, HoldsEachRowOnceWhateverDies) {
  constexpr model::Epoch kEpochs = 30;
  for (const std::string name : {"whole", "parts"}) {
    std::mt19937 random(name.size());
    TableContext table = Table({{"path", "lake/" + name},
                                {"maintenance.interval", "1 s"},
                                {"retention", "2 s"},
                                {"checkpoint.versions", "5"}});
    if (name == "parts") table.partitioned_by = {"the day", "mark"};
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
      if (random() % 2 == 0 || epoch == kEpochs) {
        const Status committed = sink->Commit(epoch);
        ASSERT_TRUE(committed.ok()) << committed.ToString();
      }
      if (random() % 8 == 0) AddVersion("{\"commitInfo\":{\"timestamp\":1}}\n", "lake/" + name);
      if (random() % 6 != 0) continue;
      sink.reset();
      LeaveOrphan("lake/" + name);
      sink = OpenSink(table);
      epoch = *sink->LastCommitted();
      deaths++;
    }
    EXPECT_GT(deaths, 1);
    EXPECT_EQ(Ask("SELECT id, count(*) AS copies FROM {} GROUP BY 1 ORDER BY 1", "lake/" + name),
              expected);
    EXPECT_EQ(
        Ask(R"(SELECT count(*) AS wrong FROM {} WHERE (filename, amount, moment, "the day", mark)
                  IS DISTINCT FROM CASE WHEN id % 11 > 0 THEN ('name of ' || id, id * 0.07,
                  make_timestamp(id * 1000001), DATE '2026-01-01' + (id % 3)::INT,
                  if(id % 2 = 0, 'a/b = ü%', 'c d')) ELSE (NULL, NULL, NULL, NULL, NULL) END)",
            "lake/" + name),
        "wrong\n0\n");
    EXPECT_EQ(Files("lake/" + name, ".orphan.parquet"), 0);
    // Merged and deleted, and so is the log: what is left of a few hundred files.
    EXPECT_LT(Files("lake/" + name, ".parquet"), 90);
    EXPECT_LT(Files("lake/" + name + "/_delta_log", ".json"), 30);
  }
}

TEST_F(DeltaSinkTest, AddsColumnsToATableThatIsThere) {
  const model::Schema wider = {{{"ID", LogicalType::INTEGER},
                                {"note", LogicalType::VARCHAR},
                                {"at", LogicalType::TIMESTAMP}}};
  const model::Schema narrow = {{{"id", LogicalType::INTEGER}}};
  auto first = MakeChunk(narrow, {{Value::INTEGER(1)}});
  auto second = MakeChunk(
      wider, {{Value::INTEGER(2), Value("new"), Value::TIMESTAMP(duckdb::timestamp_t(0))}});
  auto sink = OpenSink(Table({}, narrow));
  ASSERT_TRUE(sink->Write({first.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  std::map<std::string, std::string> merging = {{"maintenance.interval", "0 s"}};
  sink = OpenSink(Table(merging, wider));
  EXPECT_EQ(*sink->LastCommitted(), 1);
  for (model::Epoch epoch = 2; epoch < 12; epoch++) {
    ASSERT_TRUE(sink->Write({second.get(), nullptr}).ok());
    const Status committed = sink->Commit(epoch);
    ASSERT_TRUE(committed.ok()) << committed.ToString();
  }
  EXPECT_EQ(Ask("SELECT *, count(*) AS copies FROM {} GROUP BY ALL ORDER BY id"),
            "id,note,at,copies\n1,,,1\n2,new,1970-01-01 00:00:00,10\n");
  // What the table has and the job does not write is NULL.
  sink = OpenSink(Table({}, narrow));
  ASSERT_TRUE(sink->Write({first.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(12).ok());
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM {} WHERE note IS NULL"), "n\n2\n");
}

TEST_F(DeltaSinkTest, RefusesWhatDoesNotFit) {
  const auto opened = [&](const TableContext& table) {
    auto sink = NewDeltaSink(table);
    return sink.ok() ? (*sink)->Open() : sink.status();
  };
  ASSERT_TRUE(opened(Table()).ok());
  model::Schema other = kColumns;
  other.columns[2].type = LogicalType::DOUBLE;
  const Status type = opened(Table({}, other));
  EXPECT_EQ(type.code(), Code::kFailedPrecondition);
  EXPECT_NE(type.message().find("\"amount\" is DECIMAL(12,2)"), std::string::npos)
      << type.message();
  TableContext parts = Table();
  parts.partitioned_by = {"mark"};
  EXPECT_EQ(opened(parts).code(), Code::kFailedPrecondition);
  parts.partitioned_by = {"nobody"};
  EXPECT_EQ(opened(parts).code(), Code::kUnknownColumn);
  EXPECT_EQ(opened(Table({{"path", "u"}}, {{{"t", LogicalType::TIME}}})).code(), Code::kType);
  EXPECT_EQ(opened(Table({{"path", "gs://bucket/t"}})).code(), Code::kUnsupported);
  auto sink = OpenSink(Table());
  auto row = MakeChunk(kColumns, {Row(1)});
  std::vector<int32_t> back = {-1};
  EXPECT_EQ(sink->Write({row.get(), &back}).code(), Code::kUnsupported);
}

// Versions of other writers come between: what does not change the table is passed by.
TEST_F(DeltaSinkTest, AppendsBehindOtherWriters) {
  auto row = MakeChunk(kColumns, {Row(1)});
  TableContext other = Table();
  other.job = "other's \"job\"";
  auto sink = OpenSink(Table());
  auto others = OpenSink(other);
  for (model::Epoch epoch = 1; epoch <= 5; epoch++) {
    ASSERT_TRUE(sink->Write({row.get(), nullptr}).ok());
    ASSERT_TRUE(others->Write({row.get(), nullptr}).ok());
    ASSERT_TRUE(sink->Commit(epoch).ok());
    ASSERT_TRUE(others->Commit(epoch + 10).ok());
  }
  EXPECT_EQ(*OpenSink(Table())->LastCommitted(), 5);
  EXPECT_EQ(*OpenSink(other)->LastCommitted(), 15);
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM {}"), "n\n10\n");
  // The same job in another process.
  auto twin = OpenSink(Table());
  for (auto* each : {&sink, &twin}) ASSERT_TRUE((*each)->Write({row.get(), nullptr}).ok());
  ASSERT_TRUE(twin->Commit(6).ok());
  EXPECT_EQ(sink->Commit(6).code(), Code::kFailedPrecondition);
  // A feature that nobody here knows.
  ASSERT_TRUE(twin->Write({row.get(), nullptr}).ok());
  AddVersion(
      "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletion"
      "Vectors\"],\"writerFeatures\":[\"deletionVectors\"]}}\n");
  const Status unknown = twin->Commit(7);
  EXPECT_EQ(unknown.code(), Code::kUnsupported);
  EXPECT_NE(unknown.message().find("\"deletionVectors\""), std::string::npos) << unknown.message();
}

// A job that had nothing to do for longer than another one keeps the log.
TEST_F(DeltaSinkTest, GoesOnBehindALogThatWasDeletedMeanwhile) {
  auto row = MakeChunk(kColumns, {Row(1)});
  TableContext busy =
      Table({{"maintenance.interval", "0 s"}, {"retention", "0 s"}, {"checkpoint.versions", "2"}});
  busy.job = "busy";
  auto idle = OpenSink(Table());
  auto sink = OpenSink(busy);
  for (model::Epoch epoch = 1; epoch <= 9; epoch++) {
    ASSERT_TRUE(sink->Write({row.get(), nullptr}).ok());
    clock_.Advance(1'000'000);
    ASSERT_TRUE(sink->Commit(epoch).ok());
  }
  EXPECT_LT(Files("t/_delta_log", ".json"), 6);
  ASSERT_TRUE(idle->Write({row.get(), nullptr}).ok());
  const Status committed = idle->Commit(1);
  ASSERT_TRUE(committed.ok()) << committed.ToString();
  EXPECT_EQ(Ask("SELECT count(*) AS n FROM {}"), "n\n10\n");
}

TEST(DeltaCompaction, MergesEightAlikeOrAWholeFile) {
  Snapshot table;
  const auto add = [&](int count, int64_t bytes, const char* day) {
    for (int i = 0; i < count; i++) {
      const std::string path = "part-" + std::to_string(table.files.size());
      table.files[path] = {.path = path, .partition = {{"day", day}}, .bytes = bytes};
    }
  };
  EXPECT_TRUE(FilesToMerge(table, 1000).empty());
  add(7, 10, "a");
  add(7, 10, "b");
  add(7, 400, "a");
  add(3, 501, "a");
  auto groups = FilesToMerge(table, 1000);
  ASSERT_EQ(groups.size(), 2u);  // 3 times 400 make a whole file, and again
  EXPECT_EQ(groups[0].size(), 3u);
  EXPECT_EQ(groups[0][0].bytes, 400);
  add(1, 10, "b");
  groups = FilesToMerge(table, 1000);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[2].size(), 8u);
  EXPECT_EQ(groups[2][0].partition.at("day"), "b");
}

TEST(DeltaRetention, IsTheLongerOne) {
  Metadata table;
  const auto kept = [&](const std::string& text) {
    table.configuration["p"] = text;
    return KeptMicros(table, "p", 86'400'000'000);
  };
  EXPECT_EQ(KeptMicros(table, "p", 5), 5);
  EXPECT_EQ(kept("interval 2 days"), 2 * 86'400'000'000);
  EXPECT_EQ(kept("INTERVAL 1 week"), 7 * 86'400'000'000);
  EXPECT_EQ(kept("interval 30 seconds"), 86'400'000'000);
  EXPECT_EQ(kept("P30D"), INT64_MAX);
  EXPECT_EQ(kept("interval 2x days"), INT64_MAX);
}

TEST(DeltaSchema, IsReadBackAsItWasWritten) {
  const auto row = LogicalType::STRUCT({{"x", LogicalType::DOUBLE}, {"y", LogicalType::BLOB}});
  const model::Schema schema = {{{"a \"b\"", LogicalType::TINYINT, false},
                                 {"list", LogicalType::LIST(row)},
                                 {"map", LogicalType::MAP(LogicalType::VARCHAR, LogicalType::DATE)},
                                 {"d", LogicalType::DECIMAL(38, 10)},
                                 {"tz", LogicalType::TIMESTAMP_TZ}}};
  const std::string json = *SchemaJson(schema);
  EXPECT_FALSE(HasLocalTimestamps(schema));
  const model::Schema more = {{{"at", LogicalType::LIST(LogicalType::TIMESTAMP), false}}};
  EXPECT_TRUE(HasLocalTimestamps(more));
  auto read = ParseSchemaJson(*AddColumns(json, more));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  ASSERT_EQ(read->size(), 6u);
  for (size_t i = 0; i < 5; i++) {
    EXPECT_EQ(read->columns[i].name, schema.columns[i].name);
    EXPECT_EQ(read->columns[i].type, schema.columns[i].type);
    EXPECT_EQ(read->columns[i].nullable, schema.columns[i].nullable);
  }
  EXPECT_TRUE(read->columns[5].nullable);
  EXPECT_EQ(ParseSchemaJson("{").status().code(), Code::kCorruption);
  std::string with_rule = json;
  with_rule.replace(json.find("\"metadata\":{}"), 13, "\"metadata\":{\"delta.invariants\":\"x\"}");
  EXPECT_EQ(ParseSchemaJson(with_rule).status().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::connectors::delta
