#include <chrono>
#include <ctime>
#include <fstream>

#include "connectors/connector_fixture.h"
#include "connectors/filesystem/filesystem.h"
#include "connectors/filesystem/record_scanner.h"
#include "duck/warehouse.h"

namespace millrace::connectors::filesystem {
namespace {

class FileSource : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) { return directory_.path() + "/" + name; }
  void Put(const std::string& name, const std::string& text, bool append = false) {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), append ? std::ios::app : std::ios::trunc) << text;
  }
  void Age(const std::string& name, int seconds) {
    std::filesystem::last_write_time(
        Path(name), std::filesystem::file_time_type::clock::now() - std::chrono::seconds(seconds));
  }
  std::unique_ptr<Source> Open(std::map<std::string, std::string> with,
                               const std::vector<size_t>& projection = {0}) {
    if (!with.count("path")) with["path"] = "data";
    table_ =
        MakeTable("filesystem", {{{"a", LogicalType::BIGINT}, {"b", LogicalType::VARCHAR}}}, with);
    table_.services.base_dir = directory_.path();
    auto source = NewFileSource(table_);
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    Status status = (*source)->Open(projection);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return std::move(*source);
  }
  std::vector<std::string> Ids(Source& source) {
    std::vector<std::string> ids;
    const auto splits = source.Splits();
    EXPECT_TRUE(splits.ok()) << splits.status().ToString();
    for (const Split& split : *splits) ids.push_back(split.id);
    return ids;
  }

  TemporaryDirectory directory_;
  TableContext table_;
};

TEST_F(FileSource, ListsFilesDirectoriesAndPatterns) {
  Put("data/b.json", "");
  Put("data/a.json", "");
  Put("data/sub/c.json", "");
  Put("data/.staging/x/1.part", "half");
  Put("data/_SUCCESS", "");
  using Strings = std::vector<std::string>;
  EXPECT_EQ(Ids(*Open({{"format", "json"}})),
            (Strings{"data/a.json", "data/b.json", "data/sub/c.json"}));
  EXPECT_EQ(Ids(*Open({{"format", "json"}, {"path", "data/a.json"}})), Strings{"data/a.json"});
  EXPECT_EQ(Ids(*Open({{"format", "json"}, {"path", "data/?.json"}})),
            (Strings{"data/a.json", "data/b.json"}));
  EXPECT_EQ(Ids(*Open({{"format", "json"}, {"path", "file://" + Path("data/sub")}})),
            Strings{"data/sub/c.json"});
  EXPECT_EQ(Ids(*Open({{"format", "json"}, {"path", "nothing/*.json"}})), Strings{});
  table_ = MakeTable("filesystem", table_.schema, {{"format", "json"}, {"path", "missing"}});
  table_.services.base_dir = directory_.path();
  EXPECT_EQ((*NewFileSource(table_))->Open({}).code(), Code::kNotFound);
}

TEST_F(FileSource, JsonLinesWithOddEnds) {
  Put("data/a", "\xEF\xBB\xBF{1}\r\n\n{22}\n\n\n{333}");
  Put("data/empty", "");
  auto source = Open({{"format", "json"}});
  const std::vector<std::string> all = {"0:{1}", "9:{22}", "16:{333}"};
  for (int64_t budget : {1, 3, 8, 100})
    EXPECT_EQ(ReadAll(*source, {"data/a"}, budget), all) << budget;
  EXPECT_TRUE(ReadAll(*source, {"data/empty"}, 10).empty());
  EXPECT_TRUE((*source->Poll({"data/empty"}, 0, 10)).end);
  EXPECT_FALSE(source->Poll({"data/gone"}, 0, 10).ok());
  EXPECT_EQ(source->Poll({"data/a"}, 1000, 10).status().code(), Code::kFailedPrecondition);
}

TEST_F(FileSource, CsvKeepsQuotedLineEnds) {
  Put("data/a", "1,\"x\ny\"\n2,\"he said \"\"a\nb\"\"\"\r\n3,5\" pipe\n\n4,\"open\n5,plain\n6,z");
  auto source = Open({{"format", "csv"}});
  const std::vector<std::string> all = {"0:1,\"x\ny\"",  "8:2,\"he said \"\"a\nb\"\"\"",
                                        "29:3,5\" pipe", "40:4,\"open",
                                        "48:5,plain",    "56:6,z"};
  for (int64_t budget : {1, 5, 9, 20, 1000})
    EXPECT_EQ(ReadAll(*source, {"data/a"}, budget), all) << budget;
}

TEST_F(FileSource, EveryCutGivesTheSameRows) {
  std::string text;
  for (int i = 0; i < 300; i++) {
    text +=
        std::to_string(i) +
        (i % 3 ? ",\"a\nb\"\n" : ",\"" + std::string(static_cast<size_t>(i % 17), 'x') + "\"\r\n");
  }
  Put("data/a", text);
  auto source = Open({{"format", "csv"}});
  std::vector<model::Offset> boundaries;
  const auto all = ReadAll(*source, {"data/a"}, 1, 0, &boundaries);
  ASSERT_EQ(all.size(), 300u);
  ASSERT_EQ(boundaries.size(), 300u);
  for (model::Offset cut : boundaries) {
    Collected out;
    ASSERT_TRUE(source->Read({"data/a"}, 0, cut, out).ok());
    ASSERT_TRUE(source->Read({"data/a"}, cut, boundaries.back(), out).ok());
    ASSERT_EQ(out.rows, all);
  }
}

TEST_F(FileSource, LinesLongerThanABlockAndUnclosedQuotes) {
  const std::string longer(3 << 20, 'x');
  Put("data/a", longer + "\nshort\n");
  Put("data/b", "1,\"" + longer + "\n2,b\n3,c\n");
  auto json = Open({{"format", "json"}});
  EXPECT_EQ(ReadAll(*json, {"data/a"}, 100).size(), 2u);
  auto csv = Open({{"format", "csv"}});
  EXPECT_EQ(ReadAll(*csv, {"data/b"}, 100).size(), 3u);
}

TEST_F(FileSource, MonitoredDirectoryGrows) {
  Put("data/a", "{1}\n{2");
  auto source = Open({{"format", "json"}, {"source.monitor-interval", "1 s"}});
  auto ready = source->Poll({"data/a"}, 0, 1000);
  ASSERT_TRUE(ready.ok());
  EXPECT_EQ(ready->to, 4);  // the second line is still being written
  EXPECT_FALSE(ready->end);
  Put("data/a", "2}\n", true);
  Put("data/0", "{0}\n");
  EXPECT_EQ(Ids(*source), (std::vector<std::string>{"data/a", "data/0"}));
  EXPECT_EQ(source->Poll({"data/a"}, 4, 1000)->to, 9);
  EXPECT_FALSE(source->Poll({"data/a"}, 9, 1000)->end);
  Put("data/a", "{tail", true);
  EXPECT_EQ(source->Poll({"data/a"}, 9, 1000)->to, 9);
  Age("data/a", 60);
  EXPECT_EQ(source->Poll({"data/a"}, 9, 1000)->to, 14);
  EXPECT_TRUE(source->Poll({"data/a"}, 9, 1000)->end);
}

TEST_F(FileSource, ParquetByRowNumber) {
  std::filesystem::create_directories(Path("data/dt=2024"));
  auto duck = std::move(*duck::Warehouse::Open(""));
  ASSERT_TRUE(
      duck->Query("COPY (SELECT i::INTEGER AS a, 'r' || i AS c FROM range(10000) t(i)) TO '" +
                  Path("data/dt=2024/x.parquet") + "' (FORMAT parquet, ROW_GROUP_SIZE 2048)")
          .ok());
  model::Schema schema{
      {{"a", LogicalType::BIGINT}, {"c", LogicalType::VARCHAR}, {"dt", LogicalType::VARCHAR}}};
  auto open = [&](std::vector<size_t> projection) {
    auto table = MakeTable("filesystem", schema, {{"path", "data"}, {"format", "parquet"}});
    table.partitioned_by = {"dt"};
    table.services.base_dir = directory_.path();
    auto source = std::move(*NewFileSource(table));
    EXPECT_TRUE(source->Open(projection).ok());
    return source;
  };
  const Split split{"data/dt=2024/x.parquet"};
  auto source = open({2, 0, 1});
  const auto all = ReadAll(*source, split, 1 << 30);
  ASSERT_EQ(all.size(), 10000u);
  EXPECT_EQ(all[9999], "9999:2024,9999,r9999");
  EXPECT_EQ(ReadAll(*source, split, 3000), all);
  for (int64_t cut : {0, 1, 2047, 2048, 2049, 7777, 10000}) {
    Collected out;
    ASSERT_TRUE(source->Read(split, cut, 10000, out).ok());
    Collected head;
    ASSERT_TRUE(source->Read(split, 0, cut, head).ok());
    head.rows.insert(head.rows.end(), out.rows.begin(), out.rows.end());
    ASSERT_EQ(head.rows, all);
  }
  EXPECT_EQ(ReadAll(*open({}), split, 1 << 30).size(), 10000u);  // count(*)
  Put("data/bad.parquet", "not parquet");
  EXPECT_FALSE(source->Poll({"data/bad.parquet"}, 0, 100).ok());
}

TEST_F(FileSource, Speed) {
  std::string block;
  while (block.size() < (1 << 20))
    block += "{\"user\":\"u12345\",\"url\":\"/products/12345\",\"n\":1234567890}\n";
  for (int i = 0; i < 128; i++) Put("data/big", block, true);
  auto source = Open({{"format", "json"}});
  Collected out;
  out.keep = false;
  const std::clock_t begin = std::clock();  // of the processor: other tests may run beside
  model::Offset from = 0;
  while (true) {
    auto ready = *source->Poll({"data/big"}, from, 4 << 20);
    ASSERT_TRUE(source->Read({"data/big"}, from, ready.to, out).ok());
    from = ready.to;
    if (ready.end) break;
  }
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  RecordProperty("mb_per_s", std::to_string(static_cast<double>(from) / 1e6 / seconds));
  std::printf("%.0f MB per CPU second\n", static_cast<double>(from) / 1e6 / seconds);
}

}  // namespace
}  // namespace millrace::connectors::filesystem
