#include "connectors/filesystem/file_sink.h"

#include <fstream>
#include <sstream>

#include "connectors/connector_fixture.h"
#include "connectors/filesystem/filesystem.h"
#include "duck/warehouse.h"
#include "env/fault_files.h"

namespace millrace::connectors::filesystem {
namespace {

model::Schema TestSchema() {
  return {{{"n", LogicalType::BIGINT}, {"s", LogicalType::VARCHAR}, {"dt", LogicalType::VARCHAR}}};
}

TableContext Table(const std::string& path, const std::string& format, bool partitioned = true) {
  TableContext table = MakeTable("filesystem", TestSchema(), {{"path", path}, {"format", format}});
  if (partitioned) table.partitioned_by = {"dt"};
  return table;
}

std::vector<Value> Row(int64_t n, const char* dt) {
  return {Value::BIGINT(n), Value("s" + std::to_string(n)), dt ? Value(dt) : Value()};
}

// Visible files below `root`, with their content.
std::map<std::string, std::string> Visible(const std::string& root) {
  std::map<std::string, std::string> files;
  for (auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = std::filesystem::relative(entry.path(), root).string();
    if (!entry.is_regular_file() || name.starts_with(".")) continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    files[name] = text.str();
  }
  return files;
}

TEST(FileSink, HiveDirectoriesAndOneFilePerDirectoryAndCommit) {
  TemporaryDirectory directory;
  auto table = Table(directory.path(), "json");
  auto sink = std::move(*NewFileSink(table));
  ASSERT_TRUE(sink->Open().ok());
  EXPECT_TRUE(sink->GathersEpochs());
  EXPECT_FALSE(sink->WantsCommit());
  ASSERT_TRUE(
      WriteRows(*sink, table.schema, {Row(1, "2024-01-01"), Row(2, nullptr), Row(3, "a/b=c%")})
          .ok());
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(4, "2024-01-01"), Row(5, "")}, {2, 1}).ok());
  EXPECT_TRUE(Visible(directory.path()).empty());
  ASSERT_TRUE(sink->Commit(7).ok());
  auto files = Visible(directory.path());
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files["dt=2024-01-01/part-job-t-0000000007-0.json"],
            "{\"n\":1,\"s\":\"s1\"}\n{\"n\":4,\"s\":\"s4\"}\n{\"n\":4,\"s\":\"s4\"}\n");
  EXPECT_EQ(files["dt=__HIVE_DEFAULT_PARTITION__/part-job-t-0000000007-1.json"],
            "{\"n\":2,\"s\":\"s2\"}\n{\"n\":5,\"s\":\"s5\"}\n");
  EXPECT_EQ(files["dt=a%2Fb%3Dc%25/part-job-t-0000000007-2.json"], "{\"n\":3,\"s\":\"s3\"}\n");
  ASSERT_TRUE(sink->Commit(7).ok());
  ASSERT_TRUE(sink->Commit(9).ok());  // nothing written: only the epoch moves
  EXPECT_EQ(Visible(directory.path()).size(), 3u);
  EXPECT_EQ(WriteRows(*sink, table.schema, {Row(1, "x")}, {-1}).code(), Code::kUnsupported);
  sink = std::move(*NewFileSink(table));
  ASSERT_TRUE(sink->Open().ok());
  EXPECT_EQ(*sink->LastCommitted(), 9);
}

TEST(FileSink, RollsBySizeAndTime) {
  TemporaryDirectory directory;
  auto table = MakeTable("filesystem", TestSchema(),
                         {{"path", directory.path()},
                          {"format", "csv"},
                          {"sink.rolling-policy.file-size", "100 b"},
                          {"sink.rolling-policy.rollover-interval", "1 h"}});
  auto sink = std::move(*NewFileSink(table));
  ASSERT_TRUE(sink->Open().ok());
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "x")}).ok());
  EXPECT_FALSE(sink->WantsCommit());
  for (int i = 0; i < 20; i++) ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(i, "x")}).ok());
  EXPECT_TRUE(sink->WantsCommit());
  ASSERT_TRUE(sink->Commit(1).ok());
  EXPECT_FALSE(sink->WantsCommit());
  table = MakeTable("filesystem", TestSchema(),
                    {{"path", directory.path()},
                     {"format", "csv"},
                     {"sink.rolling-policy.rollover-interval", "0 s"}});
  sink = std::move(*NewFileSink(table));
  ASSERT_TRUE(sink->Open().ok());
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "x")}).ok());
  EXPECT_TRUE(sink->WantsCommit());
}

TEST(FileSink, ParquetIsReadableAndPartitioned) {
  TemporaryDirectory directory;
  auto table = Table(directory.path(), "parquet");
  for (int round = 0; round < 2; round++) {  // the second finds what the first left
    auto sink = std::move(*NewFileSink(table));
    Status status = sink->Open();
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_TRUE(WriteRows(*sink, table.schema,
                          {Row(round * 10 + 1, "d1"), Row(round * 10 + 2, "d2"),
                           Row(round * 10 + 3, nullptr)})
                    .ok());
    if (round == 0) {
      sink = std::move(*NewFileSink(table));  // crash with rows gathered
      ASSERT_TRUE(sink->Open().ok());
      ASSERT_TRUE(
          WriteRows(*sink, table.schema, {Row(1, "d1"), Row(2, "d2"), Row(3, nullptr)}).ok());
    }
    status = sink->Commit(*sink->LastCommitted() + 1);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  auto duck = std::move(*duck::Warehouse::Open(""));
  auto rows = duck->Query("SELECT n, s, dt FROM read_parquet('" + directory.path() +
                          "/**/*.parquet', hive_partitioning = true) ORDER BY n");
  ASSERT_TRUE(rows.ok()) << rows.status().ToString();
  EXPECT_EQ(rows->ToCsv(),
            "n,s,dt\r\n1,s1,d1\r\n2,s2,d2\r\n3,s3,\r\n11,s11,d1\r\n12,s12,d2\r\n13,s13,\r\n");
}

// The power fails at every operation of the disk; what was not synced may be lost.
TEST(FileSink, ExactlyOnceAtEveryCrashPoint) {
  for (int fail = 1; fail < 120; fail++) {
    SCOPED_TRACE("operation " + std::to_string(fail));
    env::FaultFileSystem files(static_cast<uint64_t>(fail));
    auto run = [&](bool to_the_end) {
      auto table = Table("/out", "json");
      auto sink = std::move(*NewFileSinkOn(table, files));
      if (!sink->Open().ok()) return false;
      for (model::Epoch epoch = *sink->LastCommitted() + 1; epoch <= 3; epoch++) {
        if (!WriteRows(*sink, table.schema, {Row(epoch * 10, "a"), Row(epoch * 10 + 1, "b")}).ok())
          return false;
        if (!sink->Commit(epoch).ok()) return false;
      }
      return to_the_end;
    };
    files.CrashAt(fail);
    run(false);
    files.Restart();
    ASSERT_TRUE(run(true));
    std::string all;
    for (const char* dt : {"a", "b"}) {
      auto names = files.List(std::string("/out/dt=") + dt);
      ASSERT_TRUE(names.ok());
      for (const std::string& name : *names)
        all += *env::ReadWholeFile(files, std::string("/out/dt=") + dt + "/" + name);
    }
    ASSERT_EQ(all,
              "{\"n\":10,\"s\":\"s10\"}\n{\"n\":20,\"s\":\"s20\"}\n{\"n\":30,\"s\":\"s30\"}\n"
              "{\"n\":11,\"s\":\"s11\"}\n{\"n\":21,\"s\":\"s21\"}\n{\"n\":31,\"s\":\"s31\"}\n");
  }
}

}  // namespace
}  // namespace millrace::connectors::filesystem
