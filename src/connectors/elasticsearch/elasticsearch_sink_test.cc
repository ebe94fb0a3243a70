// Against a real OpenSearch node; what a node does not do on request (429, a lost answer), a proxy
// in front of it does.
#include <fmt/format.h>
#include <simdjson.h>

#include <map>
#include <random>
#include <set>

#include "connectors/connector_fixture.h"
#include "connectors/elasticsearch/elasticsearch.h"
#include "connectors/http/http_client.h"
#include "tests/support/http_service.h"
#include "tests/support/opensearch_server.h"

namespace millrace::connectors::elasticsearch {
namespace {

test::OpenSearchServer* server = nullptr;

http::HttpAnswer Ask(const std::string& method, const std::string& path,
                     const std::string& body = "") {
  http::HttpClient client({.url = server->Url(), .headers = {}, .timeout_ms = 60'000});
  auto answer = client.Send({.method = method, .path = path, .body = body});
  EXPECT_TRUE(answer.ok()) << answer.status().ToString();
  return answer.ok() ? *answer : http::HttpAnswer();
}

// The documents of all indexes that match, id (without what makes it unique) -> index and source.
std::map<std::string, std::string> Documents(const std::string& indexes) {
  Ask("POST", "/" + indexes + "/_refresh");
  auto answer = Ask("GET", "/" + indexes + "/_search?size=10000");
  std::map<std::string, std::string> documents;
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(answer.body);
  for (simdjson::dom::element hit : root["hits"]["hits"].get_array()) {
    documents[std::string(hit["_id"].get_string().value())] =
        std::string(hit["_index"].get_string().value()) + simdjson::minify(hit["_source"].value());
  }
  return documents;
}

model::Schema TestSchema() {
  return {
      {{"k", LogicalType::INTEGER}, {"n", LogicalType::VARCHAR}, {"kind", LogicalType::VARCHAR}}};
}

class ElasticsearchSinkTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (test::OpenSearchServer::Available()) server = test::OpenSearchServer::Start().release();
  }
  static void TearDownTestSuite() {
    delete server;
    server = nullptr;
  }
  void SetUp() override {
    if (!test::OpenSearchServer::Available()) {
      GTEST_SKIP() << "no OpenSearch node: run scripts/setup.sh, which fetches one";
    }
    ASSERT_NE(server, nullptr);
    Ask("DELETE", "/t*,millrace-commits?ignore_unavailable=true");
    // A column that does not take every text.
    Ask("PUT", "/t", R"({"mappings":{"properties":{"n":{"type":"integer"}}}})");
  }
  TableContext Table(std::vector<std::string> key = {},
                     std::map<std::string, std::string> more = {}) {
    more.try_emplace("hosts", server->Url());
    more.try_emplace("index", "t");
    return MakeTable("opensearch", TestSchema(), more, std::move(key));
  }
  std::unique_ptr<Sink> OpenSink(const TableContext& table) {
    auto sink = NewElasticsearchSink(table);
    EXPECT_TRUE(sink.ok()) << sink.status().ToString();
    Status status = (*sink)->Open();
    // Creating an index takes a busy node longer than the request timeout of some tests.
    for (int i = 0; i < 60 && status.retry() == Retry::kBackoff; i++) status = (*sink)->Open();
    EXPECT_TRUE(status.ok()) << status.ToString();
    return std::move(*sink);
  }
  static std::vector<Value> Row(int k, const std::string& n, const char* kind = "a") {
    return {Value::INTEGER(k), Value(n), kind ? Value(kind) : Value()};
  }
};

TEST_F(ElasticsearchSinkTest, UpsertsAndDeletesByKey) {
  auto table = Table({"k", "kind"}, {{"document-id.key-delimiter", "$"}});
  auto sink = OpenSink(table);
  EXPECT_EQ(*sink->LastCommitted(), 0);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "1"), Row(2, "2"), Row(3, "3")}).ok());
  Status status = sink->Commit(1);
  ASSERT_TRUE(status.ok()) << status.ToString();
  // The removal of an old row may come after the new one.
  ASSERT_TRUE(WriteRows(*sink, table.schema,
                        {Row(1, "10"), Row(1, "1"), Row(2, "2"), Row(3, "3"), Row(3, "3")},
                        {1, -1, -1, -1, 1})
                  .ok());
  ASSERT_TRUE(sink->Commit(2).ok());
  EXPECT_EQ(Documents("t"),
            (std::map<std::string, std::string>{{"1$a", R"(t{"k":1,"n":"10","kind":"a"})"},
                                                {"3$a", R"(t{"k":3,"n":"3","kind":"a"})"}}));
  ASSERT_TRUE(sink->Commit(3).ok());  // nothing written
  EXPECT_EQ(*OpenSink(table)->LastCommitted(), 3);
  // What was deleted comes back in a later epoch.
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(2, "7")}).ok());
  ASSERT_TRUE(sink->Commit(4).ok());
  EXPECT_EQ(Documents("t").count("2$a"), 1u);
}

// Between sink and node: answers 429 or 503, loses answers of requests that the node has carried
// out, and refuses some items in place of the node.
class Proxy {
 public:
  explicit Proxy(uint32_t seed)
      : random_(seed),
        service_([this](const test::HttpRequest& request) { return Pass(request); }) {}
  std::string Url() const { return service_.Url(""); }

 private:
  test::HttpAnswer Pass(const test::HttpRequest& request) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (random_() % 6 == 0) return {random_() % 2 ? 429 : 503, R"({"error":"busy"})", 0};
    const size_t space = request.head.find(' ');
    const std::string path =
        request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
    http::HttpClient client({.url = server->Url(), .headers = {}, .timeout_ms = 60'000});
    auto answer =
        client.Send({.method = request.head.substr(0, space),
                     .path = path,
                     .content_type = path == "/_bulk" ? "application/x-ndjson" : "application/json",
                     .headers = {},
                     .body = request.body});
    if (!answer.ok() || random_() % 6 == 0) return {504, "lost", 0};
    // As a node whose queue is full does for some of the items.
    std::string body = answer->body;
    for (size_t at = 0; path == "/_bulk" && (at = body.find("\"status\":201}", at)) != body.npos;) {
      if (random_() % 3 == 0) {
        body.replace(at, 13,
                     R"("status":429,"error":{"type":"es_rejected_execution_exception",)"
                     R"("reason":"queue full"}})");
      }
      at++;
    }
    return {answer->status, body, 0};
  }

  std::mutex mutex_;
  std::mt19937 random_;
  test::HttpService service_;
};

// Random changes; failures on the way and a new sink at any step. Each row is in the index as the
// last epoch left it, or rejected, once.
TEST_F(ElasticsearchSinkTest, EveryEpochOnceWhateverHappens) {
  for (const bool keyed : {true, false}) {
    Ask("DELETE", "/t*,millrace-commits?ignore_unavailable=true");
    Ask("PUT", "/t", R"({"mappings":{"properties":{"n":{"type":"integer"}}}})");
    Proxy proxy(keyed ? 3 : 4);
    std::mt19937 random(9);
    auto table = Table(keyed ? std::vector<std::string>{"k"} : std::vector<std::string>{},
                       {{"hosts", proxy.Url()}, {"sink.bulk-flush.max-actions", "4"}});
    std::map<int, std::string> current;   // what the query says
    std::map<int, std::string> expected;  // what the index must hold
    std::multiset<std::string> appended, found_appended;
    int64_t total = 0, bad_total = 0;
    auto open = [&] {
      auto sink = NewElasticsearchSink(table);
      EXPECT_TRUE(sink.ok());
      while (true) {
        Status status = (*sink)->Open();
        if (status.ok()) return std::move(*sink);
        EXPECT_EQ(status.retry(), Retry::kBackoff) << status.ToString();
      }
    };
    for (model::Epoch epoch = 1; epoch <= 12; epoch++) {
      std::vector<std::vector<Value>> rows;
      std::vector<int32_t> weights;
      std::multiset<std::string> bad;
      for (int k = 0; k < 25; k++) {
        if (random() % 2) continue;
        const std::string n =
            random() % 5 ? std::to_string(random() % 50) : "bad" + std::to_string(k);
        const bool is_bad = n[0] == 'b';
        if (!keyed) {
          rows.push_back(Row(k, n));
          weights.push_back(1);
          if (is_bad) {
            bad.insert(n);
          } else {
            appended.insert(n);
          }
          continue;
        }
        const bool there = current.count(k);
        if (there) {
          rows.push_back(Row(k, current[k]));
          weights.push_back(-1);
        }
        if (there && random() % 3 == 0) {
          current.erase(k);
          expected.erase(k);
          continue;
        }
        rows.push_back(Row(k, n));
        weights.push_back(1);
        if (there && current[k] == n) continue;
        current[k] = n;
        if (is_bad) {
          bad.insert(n);
        } else {
          expected[k] = n;
        }
      }
      std::unique_ptr<Sink> sink;
      for (bool committed = false; !committed;) {
        sink = open();
        if (*sink->LastCommitted() == epoch) break;  // its answer got lost
        ASSERT_EQ(*sink->LastCommitted(), epoch - 1);
        ASSERT_TRUE(WriteRows(*sink, table.schema, rows, weights).ok());
        for (size_t tries = random() % 6; tries > 0 && !committed; tries--) {
          Status status = sink->Commit(epoch);
          committed = status.ok();
          if (!committed) {
            ASSERT_EQ(status.retry(), Retry::kBackoff) << status.ToString();
          }
        }
      }
      bad_total += static_cast<int64_t>(bad.size());
      std::multiset<std::string> found;
      for (const RejectedRow& row : sink->Rejected().rows) {
        const size_t at = row.row.find("\"n\":\"") + 5;
        found.insert(row.row.substr(at, row.row.find('"', at) - at));
        EXPECT_EQ(row.column, "n");
        EXPECT_NE(row.reason.find("failed to parse field [n]"), std::string::npos) << row.reason;
      }
      EXPECT_EQ(found, bad) << "epoch " << epoch;
      total += static_cast<int64_t>(found.size());
      EXPECT_EQ(sink->Rejected().total, total);
    }
    EXPECT_GT(bad_total, 5);
    std::map<int, std::string> found;
    for (const auto& [id, document] : Documents("t")) {
      const size_t at = document.find("\"n\":\"") + 5;
      const std::string n = document.substr(at, document.find('"', at) - at);
      if (keyed) {
        found[std::stoi(id)] = n;
      } else {
        found_appended.insert(n);
      }
    }
    EXPECT_EQ(found, expected);
    EXPECT_EQ(found_appended, appended);
  }
}

TEST_F(ElasticsearchSinkTest, RowsThatNoIndexCanHoldAreRejected) {
  auto table = Table({"n"}, {{"index", "t-{kind}"}});
  auto sink = OpenSink(table);
  const std::string long_key(600, 'x');
  auto null_key = Row(3, "");
  null_key[1] = Value();
  ASSERT_TRUE(WriteRows(*sink, table.schema,
                        {Row(1, "ok"), Row(2, long_key), null_key, Row(4, ""),
                         Row(5, "null index", nullptr), Row(6, "upper", "B"), Row(7, "fine", "b")})
                  .ok());
  Status status = sink->Commit(1);
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(sink->Rejected().rows.size(), 5u);
  EXPECT_EQ(Documents("t-*"),
            (std::map<std::string, std::string>{{"ok", R"(t-a{"k":1,"n":"ok","kind":"a"})"},
                                                {"fine", R"(t-b{"k":7,"n":"fine","kind":"b"})"}}));
  // A row that moves to another index leaves the old one.
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "ok"), Row(1, "ok", "b")}, {-1, 1}).ok());
  ASSERT_TRUE(sink->Commit(2).ok());
  EXPECT_EQ(Documents("t-a").size(), 0u);
  EXPECT_EQ(Documents("t-b").size(), 2u);
}

TEST_F(ElasticsearchSinkTest, FailsAtARowWhenAskedTo) {
  auto table = Table({"k"}, {{"sink.on-reject", "fail"}});
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "1"), Row(2, "two")}).ok());
  Status status = sink->Commit(1);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find("failed to parse field [n]"), std::string::npos);
  EXPECT_EQ(*OpenSink(table)->LastCommitted(), 0);
}

TEST_F(ElasticsearchSinkTest, SomebodyElsesNewerDocumentIsNotOverwritten) {
  auto table = Table({"k"});
  auto sink = OpenSink(table);
  const std::string far = "9000000000000000000";
  Ask("PUT", "/t/_doc/1?version=" + far + "&version_type=external", R"({"n":5})");
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "1"), Row(2, "2")}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_EQ(sink->Rejected().rows.size(), 1u);
  EXPECT_NE(sink->Rejected().rows[0].reason.find(far), std::string::npos);
  // A job that starts over writes above the versions of its former self.
  Ask("DELETE", "/millrace-commits");
  sink = OpenSink(table);
  EXPECT_EQ(*sink->LastCommitted(), 0);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(2, "22")}).ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  EXPECT_TRUE(sink->Rejected().rows.empty());
  EXPECT_EQ(Documents("t")["2"], R"(t{"k":2,"n":"22","kind":"a"})");
}

TEST_F(ElasticsearchSinkTest, WaitsForWhatNoRowIsToBlameFor) {
  auto table = Table({"k"}, {{"connection.request-timeout", "1 s"}});
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, table.schema, {Row(1, "1")}).ok());
  server->Freeze();
  Status status = sink->Commit(1);
  server->Thaw();
  EXPECT_EQ(status.retry(), Retry::kBackoff) << status.ToString();
  Ask("PUT", "/t/_settings", R"({"index.blocks.write":true})");
  status = sink->Commit(1);
  EXPECT_EQ(status.retry(), Retry::kBackoff) << status.ToString();
  Ask("PUT", "/t/_settings", R"({"index.blocks.write":false})");
  for (int i = 0; i < 60 && !status.ok(); i++) status = sink->Commit(1);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(sink->Rejected().total, 0);
  EXPECT_EQ(Documents("t").size(), 1u);
}

TEST(ElasticsearchOptions, Errors) {
  auto error = [](std::map<std::string, std::string> with) {
    with.try_emplace("index", "t");
    auto table = MakeTable("elasticsearch-7", TestSchema(), with);
    return NewElasticsearchSink(table).status();
  };
  EXPECT_EQ(error({{"hosts", "http://anna:hush@x:1"}}).ToString().find("hush"), std::string::npos);
  EXPECT_EQ(error({{"hosts", "x:1"}}).code(), Code::kBadOption);
  EXPECT_EQ(error({{"hosts", " ; "}}).code(), Code::kBadOption);
  EXPECT_EQ(error({{"hosts", "http://x:1"}, {"index", "{nope}"}}).code(), Code::kUnknownColumn);
  EXPECT_TRUE(error({{"hosts", "http://x:1; https://y:2/"}}).ok());
}

}  // namespace
}  // namespace millrace::connectors::elasticsearch
