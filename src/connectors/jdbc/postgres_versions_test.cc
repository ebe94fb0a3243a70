// Exchanging a table of a real PostgreSQL: by name, with its grants, once.
#include "connectors/jdbc/postgres_versions.h"

#include "connectors/connector_fixture.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/jdbc/postgres_client.h"
#include "tests/support/postgres_server.h"

namespace millrace::connectors::jdbc {
namespace {

class PostgresVersionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!test::PostgresServer::Available()) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    server_ = test::PostgresServer::Start();
    ASSERT_NE(server_, nullptr);
  }

  // The first column of the rows, joined by ";".
  std::string Ask(const std::string& sql) {
    auto settings = ParseJdbcUrl(server_->JdbcUrl(), server_->user(), "", 5'000'000);
    PostgresClient client(*settings);
    Status status = client.Connect();
    if (!status.ok()) return status.ToString();
    auto result = client.Execute(sql);
    if (!result.ok()) return result.status().ToString();
    std::string text;
    for (int r = 0; r < PQntuples(result->get()); r++) {
      text += (r ? ";" : "") + std::string(PQgetvalue(result->get(), r, 0));
    }
    return text;
  }

  TableContext Table(const std::string& name, const std::string& job) {
    TableContext table;
    table.name = "t";
    table.schema = {{{"k", LogicalType::INTEGER}, {"s", LogicalType::VARCHAR}}};
    table.primary_key = {"k"};
    table.job = job;
    auto options = ParseOptions(
        JdbcConnector().spec,
        {{"url", server_->JdbcUrl()}, {"table-name", name}, {"username", server_->user()}});
    EXPECT_TRUE(options.ok()) << options.status().ToString();
    table.options = *options;
    return table;
  }

  // Writes one row as the job of that version, by the name that its table has.
  void WriteRow(const std::string& name, const std::string& job, int k, model::Epoch epoch) {
    auto sink = NewPostgresSink(Table(name, job));
    ASSERT_TRUE(sink.ok());
    ASSERT_TRUE((*sink)->Open().ok());
    duckdb::DataChunk rows;
    rows.Initialize(duckdb::Allocator::DefaultAllocator(),
                    {LogicalType::INTEGER, LogicalType::VARCHAR});
    rows.SetValue(0, 0, duckdb::Value::INTEGER(k));
    rows.SetValue(1, 0, duckdb::Value(job));
    rows.SetCardinality(1);
    ASSERT_TRUE((*sink)->Write({&rows, nullptr}).ok());
    Status committed = (*sink)->Commit(epoch);
    ASSERT_TRUE(committed.ok()) << committed.ToString();
  }

  std::unique_ptr<TableVersions> Versions() {
    auto versions = OpenPostgresVersions(Table("shop.t", "j"));
    EXPECT_TRUE(versions.ok()) << versions.status().ToString();
    return versions.ok() ? std::move(*versions) : nullptr;
  }

  std::unique_ptr<test::PostgresServer> server_;
};

TEST_F(PostgresVersionsTest, AreExchangedOnceWithTheirGrants) {
  Ask("CREATE SCHEMA shop; CREATE ROLE reader");
  WriteRow("shop.t", "j", 1, 7);
  Ask("GRANT SELECT ON shop.t TO reader; GRANT SELECT ON shop.t TO PUBLIC");
  WriteRow("shop.t__v2", "j@v2", 2, 3);
  auto versions = Versions();
  ASSERT_NE(versions, nullptr);
  EXPECT_EQ(*versions->Serving(), 1);
  EXPECT_EQ(versions->Swap(1, 3).code(), Code::kNotFound);

  Ask("CREATE VIEW seen AS SELECT * FROM shop.t");
  Status held = versions->Swap(1, 2);
  EXPECT_NE(held.message().find("view seen"), std::string::npos) << held.ToString();
  EXPECT_EQ(Ask("SELECT k FROM shop.t"), "1");
  Ask("DROP VIEW seen");

  ASSERT_TRUE(versions->Swap(1, 2).ok());
  ASSERT_TRUE(versions->Swap(1, 2).ok());  // as after a crash before the answer
  EXPECT_EQ(versions->Swap(1, 3).code(), Code::kFailedPrecondition);
  EXPECT_EQ(*Versions()->Serving(), 2);
  EXPECT_EQ(Ask("SELECT k FROM shop.t"), "2");
  EXPECT_EQ(Ask("SELECT k FROM shop.t__v1"), "1");
  EXPECT_EQ(Ask("SELECT has_table_privilege('reader', 'shop.t', 'SELECT')"), "t");

  // Each version goes on with its own epochs.
  WriteRow("shop.t", "j@v2", 3, 4);
  EXPECT_EQ(Ask("SELECT string_agg(k::text, ',' ORDER BY k) FROM shop.t"), "2,3");
  ASSERT_TRUE(versions->Swap(2, 1).ok());
  EXPECT_EQ(Ask("SELECT k FROM shop.t"), "1");
  ASSERT_TRUE(versions->Drop(2, "j@v2").ok());
  ASSERT_TRUE(versions->Drop(2, "j@v2").ok());
  EXPECT_EQ(Ask("SELECT job || epoch FROM millrace_commits"), "j7");
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'shop'"), "1");
}

}  // namespace
}  // namespace millrace::connectors::jdbc
