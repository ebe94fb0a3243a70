#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

#include <atomic>
#include <barrier>
#include <map>
#include <random>
#include <set>
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
  auto strict = Table(TestSchema(), {"k"}, 0, {{"sink.on-reject", "fail"}});
  EXPECT_EQ(WriteRows(*OpenSink(strict), table.schema, {{Value(), Value("x"), Value()}}).code(),
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
        Table(TestSchema(), keyed ? std::vector<std::string>{"k"} : std::vector<std::string>{}, 0,
              {{"sink.on-reject", "fail"}});
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

// Random rows, keyed or not; a local copy of the rules says which the server must refuse. Commits
// are also lost on the way, and the sink is made anew between them.
TEST_F(PostgresSinkTest, KeepsRefusedRowsWithTheirEpoch) {
  for (const bool keyed : {false, true}) {
    Ask("DROP TABLE IF EXISTS t, millrace_commits");
    Ask("CREATE TABLE t (k integer PRIMARY KEY, s varchar(3), d double precision CHECK (d < 100))");
    auto table =
        Table(TestSchema(), keyed ? std::vector<std::string>{"k"} : std::vector<std::string>{});
    std::mt19937 random(keyed ? 7 : 8);
    std::map<int, std::string> expected;  // key -> s
    int64_t refused = 0;
    auto sink = OpenSink(table);
    for (model::Epoch epoch = 1; epoch <= 30; epoch++) {
      std::map<int, std::vector<Value>> last;  // one row per key: what upserts come to
      std::vector<std::vector<Value>> rows;
      std::multiset<std::string> bad;
      const int count = static_cast<int>(random() % 40);
      for (int i = 0; i < count; i++) {
        const int k = static_cast<int>(random() % 200);
        const char* s = random() % 5 == 0 ? "long" : random() % 4 == 0 ? nullptr : "ok";
        const double d = random() % 6 == 0 ? 500 : 1;
        auto row = Row(k, s, d);
        if (random() % 15 == 0) row[0] = Value();
        if (keyed && (last.count(k) || row[0].IsNull())) {
          if (row[0].IsNull() && !last.count(-1)) last[-1] = row;
          continue;
        }
        last[k] = row;
        rows.push_back(row);
        const std::string shown = s ? s : "~";
        const bool taken = !keyed && expected.count(k);
        if (row[0].IsNull() || shown == "long" || d > 100 || taken) {
          bad.insert(shown);
        } else {
          expected[k] = shown;
        }
      }
      if (keyed && last.count(-1)) {
        rows.push_back(last[-1]);
        bad.insert(last[-1][1].IsNull() ? "~" : last[-1][1].ToString());
      }
      if (rows.empty()) continue;
      ASSERT_TRUE(WriteRows(*sink, table.schema, rows).ok());
      Status status = sink->Commit(epoch);
      ASSERT_TRUE(status.ok()) << status.ToString();
      refused += static_cast<int64_t>(bad.size());
      for (const bool again : {false, true}) {  // as remembered, then as found by the next run
        if (again) sink = OpenSink(table);
        EXPECT_EQ(*sink->LastCommitted(), epoch);
        EXPECT_EQ(sink->Rejected().total, refused);
        std::multiset<std::string> found;
        for (const RejectedRow& row : sink->Rejected().rows) {
          found.insert(row.row.find("\"long\"") != std::string::npos ? "long"
                       : row.row.find("\"ok\"") != std::string::npos ? "ok"
                                                                     : "~");
          EXPECT_FALSE(row.reason.empty());
        }
        EXPECT_EQ(found, bad) << "epoch " << epoch << " keyed " << keyed;
      }
    }
    std::string all;
    for (const auto& [k, s] : expected) all += fmt::format("{}{},{}", all.empty() ? "" : ";", k, s);
    EXPECT_EQ(Ask("SELECT k, s FROM t ORDER BY k"), all);
    EXPECT_GT(refused, 50);
  }
}

TEST_F(PostgresSinkTest, RefusedRowsSayWhyInTheServersWords) {
  Ask("CREATE TABLE t (k integer PRIMARY KEY, s varchar(3) NOT NULL, d double precision CHECK (d < "
      "100))");
  auto table = Table(TestSchema());
  auto sink = OpenSink(table);
  ASSERT_TRUE(
      WriteRows(*sink, table.schema,
                {Row(1, "a"), Row(2, "long"), Row(1, "b"), Row(3, nullptr), Row(4, "d", 500)})
          .ok());
  Status status = sink->Commit(1);
  ASSERT_TRUE(status.ok()) << status.ToString();
  const auto& rows = sink->Rejected().rows;
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].row, R"({"k":2,"s":"long","d":1.5})");
  EXPECT_EQ(rows[0].column, "s");
  EXPECT_EQ(rows[0].reason,
            "PostgreSQL says: value too long for type character varying(3) (22001)");
  EXPECT_EQ(rows[1].reason,
            "PostgreSQL says: duplicate key value violates unique constraint \"t_pkey\" (23505): "
            "Key (k)=(1) already exists.");
  EXPECT_EQ(rows[2].column, "s");
  EXPECT_NE(rows[3].reason.find("check constraint \"t_d_check\""), std::string::npos);
  // The next epoch has none of its own.
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(7, "a")}).ok());
  ASSERT_TRUE(sink->Commit(2).ok());
  EXPECT_TRUE(sink->Rejected().rows.empty());
  EXPECT_EQ(sink->Rejected().total, 4);
  EXPECT_EQ(Ask("SELECT k FROM t ORDER BY k"), "1;7");
}

TEST_F(PostgresSinkTest, RowsThatReferToEachOtherAreNotRefusedBecauseOfOthers) {
  Ask("CREATE TABLE t (k integer PRIMARY KEY, s varchar(3), d double precision, parent integer "
      "REFERENCES t)");
  model::Schema schema = TestSchema();
  schema.columns.push_back({"parent", LogicalType::INTEGER});
  auto table = Table(schema, {"k"});
  auto sink = OpenSink(table);
  auto row = [](int k, const char* s, int parent) {
    return std::vector<Value>{Value::INTEGER(k), Value(s), Value(),
                              parent ? Value::INTEGER(parent) : Value()};
  };
  // 5 needs 2, which needs 1, which come later; 4 needs 3, which is refused itself.
  ASSERT_TRUE(
      WriteRows(*sink, schema,
                {row(5, "e", 2), row(4, "c", 3), row(3, "long", 1), row(2, "b", 1), row(1, "a", 0)})
          .ok());
  Status status = sink->Commit(1);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Ask("SELECT k FROM t ORDER BY k"), "1;2;5");
  EXPECT_EQ(sink->Rejected().total, 2);
  // A row that others refer to cannot be deleted, and stays.
  ASSERT_TRUE(WriteRows(*sink, schema, {row(1, "a", 0), row(5, "e", 2)}, {-1, -1}).ok());
  status = sink->Commit(2);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(Ask("SELECT k FROM t ORDER BY k"), "1;2");
  ASSERT_EQ(sink->Rejected().rows.size(), 1u);
  EXPECT_NE(sink->Rejected().rows[0].reason.find("still referenced"), std::string::npos);
}

TEST_F(PostgresSinkTest, WhatNoRowIsToBlameForIsNoRejection) {
  Ask("CREATE TABLE t (k integer PRIMARY KEY, s text, d double precision)");
  auto table = Table(TestSchema());
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "a")}).ok());
  Ask("ALTER TABLE t RENAME COLUMN s TO other");
  EXPECT_EQ(sink->Commit(1).code(), Code::kFailedPrecondition);
  EXPECT_EQ(sink->Rejected().total, 0);
  Ask("ALTER TABLE t RENAME COLUMN other TO s");
  EXPECT_TRUE(sink->Commit(1).ok());
  EXPECT_EQ(Ask("SELECT k FROM t"), "1");
}

TEST_F(PostgresSinkTest, TakesOverMillraceCommitsOfAnEarlierVersion) {
  Ask("CREATE TABLE millrace_commits (job text NOT NULL, sink text NOT NULL, epoch bigint NOT "
      "NULL, PRIMARY KEY (job, sink)); INSERT INTO millrace_commits VALUES ('job', 't', 4)");
  auto table = Table(TestSchema());
  auto sink = OpenSink(table);
  EXPECT_EQ(*sink->LastCommitted(), 4);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "a")}).ok());
  EXPECT_TRUE(sink->Commit(5).ok());
  EXPECT_EQ(*OpenSink(table)->LastCommitted(), 5);
}

TEST_F(PostgresSinkTest, ManySinksCreateTheirTableAtOnce) {
  const auto table = Table(TestSchema(), {"k"});
  for (int round = 0; round < 20; round++) {
    Ask("DROP TABLE IF EXISTS t, millrace_commits CASCADE");
    std::barrier all_start(8);
    std::vector<std::jthread> jobs;
    for (int i = 0; i < 8; i++) {
      jobs.emplace_back([&] {
        all_start.arrive_and_wait();
        OpenSink(table);
      });
    }
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
