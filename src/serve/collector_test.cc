#include "serve/collector.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "serve/http_server.h"
#include "serve/inflate.h"
#include "serve/testing/fake_backend.h"
#include "serve/testing/memory_log.h"
#include "serve/testing/raw_client.h"

namespace millrace::serve {
namespace {

using Strings = std::vector<std::string>;

std::shared_ptr<TopicSchema> OrdersSchema() {
  auto schema = std::make_shared<TopicSchema>();
  schema->table = "orders";
  schema->schema.columns = {{"user_id", duckdb::LogicalType::VARCHAR, false},
                            {"quantity", duckdb::LogicalType::INTEGER, true},
                            {"ts", duckdb::LogicalType::TIMESTAMP, true}};
  schema->key_column = "user_id";
  schema->check_constraints = [](duckdb::DataChunk& rows, auto& errors) {
    for (uint32_t row = 0; row < rows.size(); row++) {
      duckdb::Value quantity = rows.GetValue(1, row);
      if (!quantity.IsNull() && quantity.GetValue<int32_t>() < 0) {
        errors.push_back(
            {row,
             {0, model::RowErrorKind::kConstraint, "quantity", "CHECK (quantity >= 0) is false"}});
      }
    }
  };
  return schema;
}

class CollectorTest : public testing::Test {
 protected:
  void Start(CollectorOptions options = {}, HttpServerOptions http = {}) {
    ASSERT_TRUE(log_.CreateTopic("orders", {.partitions = 4}).ok());
    ASSERT_TRUE(log_.CreateTopic("free", {.partitions = 2}).ok());
    backend_.schemas["orders"] = OrdersSchema();
    collector_ = std::make_unique<Collector>(backend_, options);
    Router router;
    router.Add(Method::kPost, "/v1/events/{topic}", [this](Request request, Responder responder) {
      collector_->Handle(std::move(request), std::move(responder));
    });
    auto server = HttpServer::Start(http, std::move(router));
    ASSERT_TRUE(server.ok());
    server_ = std::move(*server);
  }
  ~CollectorTest() override {
    log_.Hold(false);
    if (server_) server_->Shutdown(5'000);
  }
  RawAnswer Post(std::string_view topic, std::string_view body, std::string_view headers = "") {
    RawClient client(server_->port());
    return client.Post("/v1/events/" + std::string(topic), body, headers);
  }

  MemoryLog log_;
  FakeBackend backend_{log_};
  std::unique_ptr<Collector> collector_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(CollectorTest, StoresEventsByteForByte) {
  Start();
  const std::string one = R"({ "user_id":"u1",  "quantity": 2e0, "more": [1, {"x":"y"}] })";
  RawAnswer answer = Post("free", one);
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body, R"({"accepted":1,"rejected":0})");
  EXPECT_EQ(log_.Values("free"), Strings{one});

  EXPECT_EQ(Post("orders", "[{\"user_id\":\"a\"} , {\"user_id\":\"a\",\"quantity\":1}]").body,
            R"({"accepted":2,"rejected":0})");
  EXPECT_EQ(log_.Values("orders"),
            (Strings{R"({"user_id":"a"})", R"({"user_id":"a","quantity":1})"}));
  EXPECT_EQ(Post("orders", "{\"user_id\":\"b\"}\n\n{\"user_id\":\"b\"}\r\n").body,
            R"({"accepted":2,"rejected":0})");
}

TEST_F(CollectorTest, EmptyBodies) {
  Start();
  EXPECT_EQ(Post("orders", "").status, 400);
  EXPECT_EQ(Post("orders", " \n ").status, 400);
  RawAnswer none = Post("orders", "[]");
  EXPECT_EQ(none.status, 202);
  EXPECT_EQ(none.body, R"({"accepted":0,"rejected":0})");
}

TEST_F(CollectorTest, BadEventsGoToTheDeadLettersTheOthersToTheTopic) {
  Start();
  const std::string latin = "{\"user_id\":\"\xe9\"}";
  const std::string nul("{\"user_id\":\"\0\"}", 15);
  std::string body = "{\"user_id\":\"a\",\"quantity\":1}\n{\"user_id\":null}\n{\"user_id\":\n" +
                     latin + "\n{\"user_id\":\"b\",\"quantity\":\"abc\"}\n" + nul +
                     "\n{\"user_id\":\"c\",\"quantity\":-4}\n7\n{\"user_id\":\"d\"}";
  RawAnswer answer = Post("orders", body);
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find(R"({"accepted":2,"rejected":7,"errors":[{"index":1,"kind":"null",)"
                             R"("column":"user_id")"),
            std::string::npos)
      << answer.body;
  EXPECT_NE(answer.body.find(R"("index":4,"kind":"type","column":"quantity")"), std::string::npos)
      << answer.body;
  EXPECT_NE(answer.body.find(R"("index":6,"kind":"constraint","column":"quantity")"),
            std::string::npos)
      << answer.body;
  Strings values = log_.Values("orders");
  EXPECT_EQ(std::set<std::string>(values.begin(), values.end()),
            (std::set<std::string>{R"({"user_id":"a","quantity":1})", R"({"user_id":"d"})"}));
  ASSERT_EQ(backend_.dead_letters.size(), 7u);
  EXPECT_EQ(backend_.dead_letters[1].payload, "{\"user_id\":");
  EXPECT_EQ(backend_.dead_letters[2].payload, latin);
  EXPECT_EQ(backend_.dead_letters[4].payload, nul);
  for (const model::DeadLetter& letter : backend_.dead_letters) {
    EXPECT_EQ(letter.stage, "collector");
    EXPECT_EQ(letter.topic, "orders");
    EXPECT_EQ(letter.table, "orders");
    EXPECT_GT(letter.time_ms, 0);
    EXPECT_FALSE(letter.reason.empty());
  }
}

TEST_F(CollectorTest, WithoutATableAnyObjectWillDo) {
  Start();
  RawAnswer answer = Post("free", "[{\"a\":1},1,\"x\",null,[],{},{\"a\":1,\"a\":2},{\"a\" 1}]");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find(R"("accepted":3,"rejected":5)"), std::string::npos) << answer.body;
  EXPECT_EQ(backend_.dead_letters.size(), 5u);
}

TEST_F(CollectorTest, AtMostHundredErrorsAreListedAllAreKept) {
  Start();
  std::string body;
  for (int i = 0; i < 5000; i++) body += "{\"user_id\":" + std::to_string(i % 2) + "}\n[]\n";
  RawAnswer answer = Post("orders", body);
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find(R"("accepted":5000,"rejected":5000)"), std::string::npos);
  EXPECT_NE(answer.body.find("\"index\":199,"), std::string::npos);
  EXPECT_EQ(answer.body.find("\"index\":201,"), std::string::npos);
  EXPECT_EQ(backend_.dead_letters.size(), 5000u);
}

TEST_F(CollectorTest, KeysChoosePartitionsInOneAppendEach) {
  Start();
  std::string body = "[";
  for (int i = 0; i < 4000; i++) {
    body += std::string(i ? "," : "") + "{\"user_id\":\"user-" + std::to_string(i % 50) +
            "\",\"quantity\":" + std::to_string(i) + "}";
  }
  EXPECT_EQ(Post("orders", body + "]").status, 202);
  EXPECT_EQ(log_.appends(), 4u);
  size_t total = 0;
  for (int p = 0; p < 4; p++) {
    int last = -1;
    for (const MemoryLog::Stored& record : log_.Records("orders", p)) {
      ASSERT_TRUE(record.key.has_value());
      EXPECT_EQ(log::PartitionForKey(*record.key, 4), p);
      EXPECT_NE(record.value->find("\"" + *record.key + "\""), std::string::npos);
      int quantity = std::atoi(record.value->c_str() + record.value->rfind(':') + 1);
      EXPECT_GT(quantity, last);
      last = quantity;
      total++;
    }
  }
  EXPECT_EQ(total, 4000u);
  // Without keys the requests take turns.
  for (int i = 0; i < 4; i++) EXPECT_EQ(Post("free", "[{},{},{}]").status, 202);
  EXPECT_EQ(log_.Records("free", 0).size(), 6u);
  EXPECT_EQ(log_.Records("free", 1).size(), 6u);
  EXPECT_FALSE(log_.Records("free", 1)[0].key.has_value());
}

TEST_F(CollectorTest, UnknownTopicNamesTheClosest) {
  Start();
  RawAnswer answer = Post("ordres", "{}");
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(answer.body.find("did you mean \\\"orders\\\""), std::string::npos) << answer.body;
  EXPECT_EQ(Post("%2e%2e", "{}").status, 404);
}

TEST_F(CollectorTest, TableChangesTakeEffectAtOnce) {
  Start();
  EXPECT_EQ(Post("orders", R"({"user_id":"a","quantity":"x"})").status, 400);
  backend_.schemas["orders"] = nullptr;
  EXPECT_EQ(Post("orders", R"({"user_id":"a","quantity":"x"})").status, 202);
  auto broken = OrdersSchema();
  broken->key_column = "user";
  backend_.schemas["orders"] = broken;
  RawAnswer answer = Post("orders", R"({"user_id":"a"})");
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("MR2104"), std::string::npos) << answer.body;
}

TEST_F(CollectorTest, AnswersOnlyAfterTheLogHasIt) {
  Start();
  log_.Hold(true);
  RawClient client(server_->port());
  client.Write(RawClient::PostText("/v1/events/free", "{}"));
  EXPECT_FALSE(client.ReadSome(300));
  log_.Hold(false);
  EXPECT_EQ(client.ReadAnswer().status, 202);
}

TEST_F(CollectorTest, FullDiskAndFailingDeadLetters) {
  Start();
  log_.FailWith(Status(Code::kResourceExhausted, "the disk is full").WithRetry(Retry::kBackoff));
  RawAnswer answer = Post("free", "{}");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.head.find("Retry-After"), std::string::npos);
  EXPECT_NE(answer.body.find("the disk is full"), std::string::npos);
  log_.FailWith(Status(Code::kFailedPrecondition, "the log is closing"));
  EXPECT_EQ(Post("free", "{}").status, 503);
  log_.FailWith({});
  backend_.dead_letter_status = Status(Code::kIo, "no dead letters today");
  EXPECT_EQ(Post("free", "[{},1]").status, 500);
  EXPECT_EQ(Post("free", "[{}]").status, 202);
}

TEST_F(CollectorTest, TooMuchInFlight) {
  Start({.bytes_in_flight_max = 1000, .events_in_flight_max = 5});
  log_.Hold(true);
  RawClient first(server_->port());  // alone, it may be larger than the limit
  first.Write(RawClient::PostText("/v1/events/free", "[{},{},{},{},{},{},{},{}]"));
  for (int i = 0; i < 6000 && log_.waiting() == 0; i++) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_NE(log_.waiting(), 0u) << "the first request did not arrive";
  EXPECT_FALSE(first.ReadSome(200));
  RawAnswer answer = Post("free", "{}");
  EXPECT_EQ(answer.status, 429);
  EXPECT_NE(answer.head.find("Retry-After: 1"), std::string::npos);
  EXPECT_EQ(Post("free", "{\"a\":\"" + std::string(2000, 'x') + "\"}").status, 429);
  log_.Hold(false);
  EXPECT_EQ(first.ReadAnswer().status, 202);
  EXPECT_EQ(Post("free", "{}").status, 202);
}

TEST_F(CollectorTest, CompressedBodies) {
  Start({.inflated_bytes_max = 100'000});
  std::string body = "{\"a\":\"" + std::string(50'000, 'x') + "\"}";
  EXPECT_EQ(Post("free", Gzip(body), "Content-Encoding: gzip\r\n").status, 202);
  EXPECT_EQ(log_.Values("free"), Strings{body});
  EXPECT_EQ(Post("free", Gzip(std::string(50 << 20, ' ')), "Content-Encoding: gzip\r\n").status,
            413);
  EXPECT_EQ(Post("free", "not gzip", "Content-Encoding: gzip\r\n").status, 400);
  EXPECT_EQ(Post("free", "", "Content-Encoding: gzip\r\n").status, 400);
  std::string cut = Gzip(body);
  cut.resize(cut.size() / 2);
  EXPECT_EQ(Post("free", cut, "Content-Encoding: gzip\r\n").status, 400);
  EXPECT_EQ(Post("free", body, "Content-Encoding: br\r\n").status, 415);
  EXPECT_EQ(log_.Values("free").size(), 1u);
}

TEST_F(CollectorTest, ShutdownUnderLoadLosesNothingAcknowledged) {
  Start();
  std::atomic<int> acknowledged{0};
  std::atomic<int> sent{0};
  std::vector<std::thread> clients;
  std::vector<Strings> accepted(8);
  for (size_t c = 0; c < accepted.size(); c++) {
    clients.emplace_back([&, c] {
      RawClient client(server_->port());
      for (int i = 0; i < 100'000; i++) {
        std::string event = "{\"user_id\":\"" + std::to_string(c) + "-" + std::to_string(i) + "\"}";
        if (!client.Write(RawClient::PostText("/v1/events/orders", event))) return;
        sent++;
        if (client.ReadAnswer().status != 202) return;
        accepted[c].push_back(event);
        acknowledged++;
      }
    });
  }
  while (acknowledged < 2000) std::this_thread::yield();
  EXPECT_EQ(server_->Shutdown(60'000), 0);
  for (std::thread& client : clients) client.join();
  Strings values = log_.Values("orders");
  std::set<std::string> stored(values.begin(), values.end());
  EXPECT_EQ(stored.size(), values.size());
  for (const Strings& events : accepted) {
    for (const std::string& event : events) ASSERT_TRUE(stored.count(event)) << event;
  }
  EXPECT_EQ(stored.size(), static_cast<size_t>(acknowledged));  // nor was an answer lost
}

}  // namespace
}  // namespace millrace::serve
