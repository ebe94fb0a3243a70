#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "connectors/connector_fixture.h"
#include "connectors/jdbc/jdbc.h"
#include "connectors/jdbc/postgres_client.h"
#include "tests/support/postgres_server.h"

namespace millrace::connectors::jdbc {
namespace {

test::PostgresServer* server = nullptr;

// Stands between sink and server and cuts the connection around a COMMIT.
class CuttingProxy {
 public:
  enum class Cut { kNever, kBeforeCommitArrives, kBeforeItsAnswer };
  std::atomic<Cut> cut{Cut::kNever};

  explicit CuttingProxy(int target_port) : target_port_(target_port) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_, 8);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~CuttingProxy() {
    stop_ = true;
    thread_.join();
    close(listener_);
  }
  int port() const { return port_; }

 private:
  void Run() {
    while (!stop_) {
      pollfd waiting{listener_, POLLIN, 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      const int client = accept(listener_, nullptr, nullptr);
      const int upstream = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(target_port_));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      if (connect(upstream, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
        Serve(client, upstream);
      }
      close(client);
      close(upstream);
    }
  }
  void Serve(int client, int upstream) {
    char buffer[1 << 16];
    while (!stop_) {
      pollfd both[2] = {{client, POLLIN, 0}, {upstream, POLLIN, 0}};
      if (poll(both, 2, 20) <= 0) continue;
      if (both[0].revents) {
        const ssize_t got = read(client, buffer, sizeof(buffer));
        if (got <= 0) return;
        const bool commit = std::string_view(buffer, static_cast<size_t>(got))
                                .find(std::string_view("COMMIT\0", 7)) != std::string_view::npos;
        if (commit && cut == Cut::kBeforeCommitArrives) {
          cut = Cut::kNever;
          return;
        }
        if (write(upstream, buffer, static_cast<size_t>(got)) != got) return;
        if (commit && cut == Cut::kBeforeItsAnswer) {
          cut = Cut::kNever;
          read(upstream, buffer, sizeof(buffer));  // the server has committed
          return;
        }
      }
      if (both[1].revents) {
        const ssize_t got = read(upstream, buffer, sizeof(buffer));
        if (got <= 0 || write(client, buffer, static_cast<size_t>(got)) != got) return;
      }
    }
  }

  int target_port_, listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

model::Schema TestSchema() {
  return {{{"k", LogicalType::INTEGER}, {"s", LogicalType::VARCHAR}, {"d", LogicalType::DOUBLE}}};
}

class PostgresSinkTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (test::PostgresServer::Available()) server = test::PostgresServer::Start().release();
  }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override {
    if (!test::PostgresServer::Available()) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    ASSERT_NE(server, nullptr);
    Ask("DROP TABLE IF EXISTS t, millrace_commits CASCADE");
  }

  // Rows as "a,b;c,d", NULL as "~".
  std::string Ask(const std::string& sql) {
    auto settings = ParseJdbcUrl(server->JdbcUrl(), server->user(), "", 5'000'000);
    PostgresClient client(*settings);
    Status status = client.Connect();
    if (!status.ok()) return status.ToString();
    auto result = client.Execute(sql);
    if (!result.ok()) return result.status().ToString();
    std::string text;
    for (int r = 0; r < PQntuples(result->get()); r++) {
      if (r) text += ";";
      for (int c = 0; c < PQnfields(result->get()); c++) {
        text +=
            (c ? "," : "") +
            std::string(PQgetisnull(result->get(), r, c) ? "~" : PQgetvalue(result->get(), r, c));
      }
    }
    return text;
  }
  TableContext Table(const model::Schema& schema, std::vector<std::string> key = {}, int port = 0,
                     std::map<std::string, std::string> more = {}) {
    more["url"] = port ? "jdbc:postgresql://127.0.0.1:" + std::to_string(port) + "/postgres"
                       : server->JdbcUrl();
    more["table-name"] = "t";
    more["username"] = server->user();
    more["connection.max-retry-timeout"] = "5 s";
    return MakeTable("jdbc", schema, more, std::move(key));
  }
  std::unique_ptr<Sink> OpenSink(const TableContext& table) {
    auto sink = NewPostgresSink(table);
    EXPECT_TRUE(sink.ok()) << sink.status().ToString();
    Status status = (*sink)->Open();
    EXPECT_TRUE(status.ok()) << status.ToString();
    return std::move(*sink);
  }
  static std::vector<Value> Row(int k, const char* s, double d = 1.5) {
    return {Value::INTEGER(k), s ? Value(s) : Value(), Value::DOUBLE(d)};
  }
};

TEST_F(PostgresSinkTest, CreatesTheTableAndKeepsEveryValue) {
  model::Schema schema{{{"b", LogicalType::BOOLEAN},
                        {"i", LogicalType::BIGINT},
                        {"f", LogicalType::FLOAT},
                        {"d", LogicalType::DOUBLE},
                        {"n", LogicalType::DECIMAL(20, 4)},
                        {"s", LogicalType::VARCHAR},
                        {"x", LogicalType::BLOB},
                        {"dt", LogicalType::DATE},
                        {"ts", LogicalType::TIMESTAMP},
                        {"tz", LogicalType::TIMESTAMP_TZ},
                        {"l", LogicalType::LIST(LogicalType::VARCHAR)}}};
  auto table = Table(schema);
  auto sink = OpenSink(table);
  auto nan = Value("nan"), inf = Value("-inf");
  ASSERT_TRUE(WriteRows(*sink, schema,
                        {
                            {Value(true), Value::BIGINT(INT64_MIN), Value("0.1"), nan,
                             Value("-1234567890123456.7891"), Value("tab\tnl\nbs\\ \\N é"),
                             Value::BLOB("\\x00\\xff"), Value("2024-02-29"),
                             Value("2024-01-02 03:04:05.000006"), Value("2024-01-02 03:04:05+00"),
                             Value::LIST({Value("a\"b"), Value(LogicalType::VARCHAR)})},
                            {Value(false), Value(), inf, Value("inf"), Value(),
                             Value(std::string("nul\0here", 8)), Value(), Value("infinity"),
                             Value("0044-03-15 (BC) 00:00:00"), Value("-infinity"), Value()},
                        })
                  .ok());
  Status status = sink->Commit(1);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(
      Ask("SET TimeZone='UTC'; SELECT b, i, f, d, n, replace(replace(s, E'\\t', '<t>'), E'\\n', "
          "'<n>'), x, dt, ts, tz, l FROM t ORDER BY b DESC"),
      "t,-9223372036854775808,0.1,NaN,-1234567890123456.7891,tab<t>nl<n>bs\\ \\N "
      "é,\\x00ff,2024-02-29,2024-01-02 03:04:05.000006,2024-01-02 03:04:05+00,[\"a\\\"b\", null];"
      "f,~,-Infinity,Infinity,~,nul\xEF\xBF\xBDhere,~,infinity,0044-03-15 00:00:00 BC,-infinity,~");
}

TEST_F(PostgresSinkTest, UpsertsNetChanges) {
  auto table = Table(TestSchema(), {"k"});
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "a"), Row(2, "b"), Row(3, "c")}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_TRUE(WriteRows(*sink, table.schema,
                        {Row(1, "A"), Row(1, "a"), Row(2, "b"), Row(3, "c"), Row(3, "c"),
                         Row(4, "x"), Row(4, "x"), Row(5, "p"), Row(5, "p"), Row(5, nullptr)},
                        {1, -1, -1, -1, 1, 1, -1, 1, -1, 1})
                  .ok());
  Status status = sink->Commit(2);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Ask("SELECT k, s FROM t ORDER BY k"), "1,A;3,c;5,~");
  ASSERT_TRUE(sink->Commit(3).ok());  // nothing written
  EXPECT_EQ(Ask("SELECT job, sink, epoch FROM millrace_commits"), "job,t,3");
  EXPECT_EQ(WriteRows(*sink, table.schema, {{Value(), Value("x"), Value()}}).code(),
            Code::kInvalidArgument);
  // A second run finds the table and its key.
  sink = OpenSink(table);
  EXPECT_EQ(*sink->LastCommitted(), 3);
}

TEST_F(PostgresSinkTest, CommitIsRepeatable) {
  auto table = Table(TestSchema());
  auto sink = OpenSink(table);
  for (model::Epoch epoch : {1, 2}) {
    for (const bool dies : {true, false}) {
      sink = OpenSink(table);
      EXPECT_EQ(*sink->LastCommitted(), epoch - 1);
      ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(static_cast<int>(epoch), "x")}).ok());
      if (!dies) {
        ASSERT_TRUE(sink->Commit(epoch).ok());
        ASSERT_TRUE(sink->Commit(epoch).ok());
      }
    }
  }
  // Another sink object that believes epoch 2 is still to do.
  auto late = OpenSink(table);
  Ask("UPDATE millrace_commits SET epoch = 3");
  ASSERT_TRUE(WriteRows(*late, table.schema, {Row(9, "dup")}).ok());
  ASSERT_TRUE(late->Commit(3).ok());
  EXPECT_EQ(Ask("SELECT k FROM t ORDER BY k"), "1;2");
}

TEST_F(PostgresSinkTest, LostConnectionAroundCommit) {
  for (auto cut : {CuttingProxy::Cut::kBeforeCommitArrives, CuttingProxy::Cut::kBeforeItsAnswer}) {
    for (const bool keyed : {false, true}) {
      Ask("DROP TABLE IF EXISTS t, millrace_commits");
      CuttingProxy proxy(server->port());
      auto table =
          Table(TestSchema(), keyed ? std::vector<std::string>{"k"} : std::vector<std::string>{},
                proxy.port());
      auto sink = OpenSink(table);
      for (model::Epoch epoch = 1; epoch <= 3; epoch++) {
        ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(static_cast<int>(epoch), "x")}).ok());
        proxy.cut = cut;
        Status status = sink->Commit(epoch);
        EXPECT_EQ(status.retry(), Retry::kReconnect) << status.ToString();
        for (int i = 0; i < 50 && !status.ok(); i++) status = sink->Commit(epoch);
        ASSERT_TRUE(status.ok()) << status.ToString();
      }
      EXPECT_EQ(Ask("SELECT k FROM t ORDER BY k"), "1;2;3");
    }
  }
}

TEST_F(PostgresSinkTest, ServerCrashesAndComesBack) {
  auto table = Table(TestSchema(), {"k"});
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "a")}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(2, "b")}).ok());
  ASSERT_TRUE(server->Crash());
  Status status = sink->Commit(2);
  EXPECT_EQ(status.code(), Code::kUnavailable) << status.ToString();
  EXPECT_EQ(sink->Commit(2).retry(), Retry::kReconnect);
  EXPECT_EQ((*NewPostgresSink(table))->Open().code(), Code::kUnavailable);
  ASSERT_TRUE(server->Restart());
  status = sink->Commit(2);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Ask("SELECT k, s FROM t ORDER BY k"), "1,a;2,b");
}

TEST_F(PostgresSinkTest, RefusedRowsAreNamed) {
  Ask("CREATE TABLE t (k integer PRIMARY KEY, s varchar(3), d double precision CHECK (d < 100), "
      "extra text)");
  for (const bool keyed : {false, true}) {
    auto table =
        Table(TestSchema(), keyed ? std::vector<std::string>{"k"} : std::vector<std::string>{});
    auto sink = OpenSink(table);
    ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "ok"), Row(2, "too long")}).ok());
    Status status = sink->Commit(1);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.detail().find("2\ttoo long"), std::string::npos) << status.ToString();
    sink = OpenSink(table);
    ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(3, "x", 500)}).ok());
    status = sink->Commit(1);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.detail().find("(3, x, 500"), std::string::npos) << status.ToString();
    EXPECT_EQ(status.retry(), Retry::kNever);
    EXPECT_EQ(Ask("SELECT count(*) FROM t"), "0");
  }
}

TEST_F(PostgresSinkTest, ChecksAnExistingTable) {
  auto error = [&](const std::string& create, std::vector<std::string> key = {}) {
    Ask("DROP TABLE IF EXISTS t");
    EXPECT_EQ(Ask(create), "");
    auto sink = NewPostgresSink(Table(TestSchema(), std::move(key)));
    return (*sink)->Open();
  };
  EXPECT_NE(error("CREATE TABLE t (k integer, ss text, d float8)").hint().find("\"ss\""),
            std::string::npos);
  EXPECT_NE(error("CREATE TABLE t (k smallint, s text, d float8)").message().find("smallint"),
            std::string::npos);
  EXPECT_NE(
      error("CREATE TABLE t (k int, s text, d float8, x int NOT NULL)").message().find("\"x\""),
      std::string::npos);
  EXPECT_NE(error("CREATE TABLE t (k int, s text, d float8)", {"k"}).hint().find("ADD PRIMARY KEY"),
            std::string::npos);
  EXPECT_TRUE(
      error("CREATE TABLE t (d float8, s varchar, k bigint UNIQUE, x int NOT NULL DEFAULT 1)",
            {"k"})
          .ok());
}

TEST_F(PostgresSinkTest, ConnectionErrors) {
  TableContext table = Table(TestSchema());
  auto with_url = [&](const std::string& url) {
    auto made = MakeTable("jdbc", TestSchema(),
                          {{"url", url}, {"table-name", "t"}, {"username", server->user()}});
    auto sink = NewPostgresSink(made);
    return sink.ok() ? (*sink)->Open() : sink.status();
  };
  EXPECT_EQ(with_url("jdbc:mysql://x/y").code(), Code::kUnsupported);
  EXPECT_EQ(with_url("postgresql://x/y").code(), Code::kBadOption);
  EXPECT_EQ(with_url("jdbc:postgresql://127.0.0.1:abc/y").code(), Code::kBadOption);
  EXPECT_EQ(with_url("jdbc:postgresql://127.0.0.1:1/y").retry(), Retry::kReconnect);
  EXPECT_EQ(
      with_url("jdbc:postgresql://127.0.0.1:" + std::to_string(server->port()) + "/nope").code(),
      Code::kNotFound);
  EXPECT_EQ(with_url(server->JdbcUrl() + "?aplicationName=x").code(), Code::kBadOption);
  EXPECT_TRUE(
      with_url(server->JdbcUrl() + "?ApplicationName=x&currentSchema=public&sslmode=disable").ok());
}

}  // namespace
}  // namespace millrace::connectors::jdbc
