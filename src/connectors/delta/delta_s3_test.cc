#include <gtest/gtest.h>

#include "connectors/delta/delta_fixture.h"
#include "connectors/s3/s3_options.h"
#include "tests/support/s3_server.h"

namespace millrace::connectors::delta {
namespace {

using test::S3Server;

constexpr const char* kTable = "s3://data-lake/a lake/t";

const model::Schema kRows = {
    {{"id", LogicalType::BIGINT}, {"part", LogicalType::VARCHAR}, {"n", LogicalType::BIGINT}}};

// Tables in a real S3 store, as DuckDB's extension for Delta reads them.
class DeltaS3Test : public DeltaTest {
 protected:
  void SetUp() override {
    DeltaTest::SetUp();
    if (!S3Server::Available()) GTEST_SKIP() << "no S3 server: scripts/setup.sh";
    server_ = S3Server::Start();
    ASSERT_NE(server_, nullptr);
  }

  TableContext TableInStore(std::map<std::string, std::string> more = {},
                            std::vector<std::string> key = {}) {
    more["path"] = kTable;
    more["s3.endpoint"] = server_->Endpoint();
    more["s3.region"] = "us-east-1";
    more["s3.tls"] = "false";
    more["s3.url-style"] = "path";
    more["s3.key-id"] = S3Server::kKeyId;
    more.try_emplace("s3.secret", S3Server::kSecret);
    TableContext table = Table(more, kRows, std::move(key));
    table.partitioned_by = {"part"};
    return table;
  }

  std::unique_ptr<duckdb::DataChunk> RowsOf(int64_t from, int64_t to) {
    std::vector<std::vector<Value>> rows;
    for (int64_t i = from; i < to; i++) {
      rows.push_back({Value::BIGINT(i),
                      i % 3 == 0 ? Value() : Value("a/b% " + std::to_string(i % 3)),
                      Value::BIGINT(i * 10)});
    }
    return MakeChunk(kRows, rows);
  }

  std::string AskStore(const std::string& sql) {
    auto database = duck::Warehouse::Open("");
    auto connection = (*database)->Connect();
    EXPECT_TRUE(s3::UseAccess(*connection, {{"endpoint", server_->Endpoint()},
                                            {"use_ssl", "false"},
                                            {"url_style", "path"},
                                            {"region", "us-east-1"},
                                            {"key_id", S3Server::kKeyId},
                                            {"secret", S3Server::kSecret}})
                    .ok());
    auto answer = duck::Warehouse::QueryOn(
        *connection, fmt::format(fmt::runtime(sql), "delta_scan('" + std::string(kTable) + "')"));
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    return answer.ok() ? answer->Get(0, 0).ToString() : "";
  }

  size_t Objects(const std::string& below, const std::string& ending) {
    size_t objects = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(
             server_->BucketDirectory() + "/a lake/t" + below)) {
      objects += entry.is_regular_file() && entry.path().string().ends_with(ending) ? 1 : 0;
    }
    return objects;
  }

  std::unique_ptr<S3Server> server_;
};

TEST_F(DeltaS3Test, AppendsMergesAndForgets) {
  clock_.Advance(4'000'000'000'000'000);  // after the objects' own times
  auto table = TableInStore(
      {{"maintenance.interval", "0 s"}, {"retention", "0 s"}, {"checkpoint.versions", "4"}});
  auto other = table;
  other.job = "other";
  auto sink = OpenSink(table), others = OpenSink(other);
  for (model::Epoch epoch = 1; epoch <= 10; epoch++) {
    auto rows = RowsOf(epoch * 10, epoch * 10 + 10);
    auto more = RowsOf(-epoch, -epoch + 1);
    ASSERT_TRUE(sink->Write({rows.get(), nullptr}).ok());
    ASSERT_TRUE(others->Write({more.get(), nullptr}).ok());
    const Status committed = sink->Commit(epoch);
    ASSERT_TRUE(committed.ok()) << committed.ToString();
    const Status others_committed = others->Commit(epoch);
    ASSERT_TRUE(others_committed.ok()) << others_committed.ToString();
    clock_.Advance(1'000'000);
  }
  EXPECT_EQ(AskStore("SELECT [count(*), count(DISTINCT id), sum(n), count(part)] FROM {}"),
            "[110, 110, 58950, 74]");
  EXPECT_EQ(*OpenSink(table)->LastCommitted(), 10);
  EXPECT_GE(Objects("/_delta_log", ".checkpoint.parquet"), 1u);
  EXPECT_LT(Objects("/_delta_log", ".json"), 22u);
  EXPECT_EQ(Objects("", ".probe"), 0u);
  EXPECT_LT(Objects("/part=a%2Fb%25%201", ".parquet"), 12u);  // merged, and the old ones gone
}

TEST_F(DeltaS3Test, ChangesByKey) {
  auto sink = OpenSink(TableInStore({}, {"id"}));
  auto rows = RowsOf(0, 50);
  ASSERT_TRUE(sink->Write({rows.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  auto changed = MakeChunk(kRows, {{Value::BIGINT(1), Value("a/b% 1"), Value::BIGINT(10)},
                                   {Value::BIGINT(1), Value("moved"), Value::BIGINT(7)},
                                   {Value::BIGINT(2), Value("a/b% 2"), Value::BIGINT(20)}});
  const std::vector<int32_t> weights = {-1, 1, -1};
  ASSERT_TRUE(sink->Write({changed.get(), &weights}).ok());
  const Status committed = sink->Commit(2);
  ASSERT_TRUE(committed.ok()) << committed.ToString();
  EXPECT_EQ(AskStore("SELECT [count(*), sum(n), count(*) FILTER (part = 'moved')] FROM {}"),
            "[49, 12227, 1]");
}

// A commit whose answer is lost: the store may have done it, or not.
TEST_F(DeltaS3Test, WaitsForTheStore) {
  auto sink = OpenSink(TableInStore());
  auto rows = RowsOf(0, 5);
  ASSERT_TRUE(sink->Write({rows.get(), nullptr}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_TRUE(sink->Write({rows.get(), nullptr}).ok());
  server_->Kill();
  const Status away = sink->Commit(2);
  EXPECT_EQ(away.retry(), Retry::kBackoff) << away.ToString();
  EXPECT_NE(away.ToString().find(server_->Endpoint()), std::string::npos) << away.ToString();
  ASSERT_TRUE(server_->Restart());
  const Status back = sink->Commit(2);
  ASSERT_TRUE(back.ok()) << back.ToString();
  EXPECT_EQ(AskStore("SELECT count(*) FROM {}"), "10");
}

// An earlier process sent a commit that arrives after the next one has looked.
TEST_F(DeltaS3Test, FindsACommitThatArrivesLate) {
  auto late = OpenSink(TableInStore()), sink = OpenSink(TableInStore());
  auto rows = RowsOf(0, 5);
  ASSERT_TRUE(sink->Write({rows.get(), nullptr}).ok());
  ASSERT_TRUE(late->Write({rows.get(), nullptr}).ok());
  ASSERT_TRUE(late->Commit(1).ok());
  const Status overtaken = sink->Commit(1);
  EXPECT_EQ(overtaken.retry(), Retry::kBackoff) << overtaken.ToString();
  const Status again = sink->Commit(1);
  ASSERT_TRUE(again.ok()) << again.ToString();
  EXPECT_EQ(AskStore("SELECT count(*) FROM {}"), "5");
  // Nothing of what others may still be about to commit is deleted.
  EXPECT_EQ(Objects("", ".parquet"), 6u);
}

TEST_F(DeltaS3Test, RefusesWhatItCannotReach) {
  const auto opened = [&](const TableContext& table) {
    auto sink = NewDeltaSink(table);
    return sink.ok() ? (*sink)->Open() : sink.status();
  };
  const Status stranger = opened(TableInStore({{"s3.secret", "wrong"}}));
  EXPECT_NE(stranger.hint().find("s3.key-id"), std::string::npos) << stranger.ToString();
  EXPECT_EQ(opened(Table({{"path", "s3://data-lake/a*b"}})).code(), Code::kBadOption);
  EXPECT_EQ(opened(Table({{"path", "s3://"}})).code(), Code::kBadOption);
}

}  // namespace
}  // namespace millrace::connectors::delta
