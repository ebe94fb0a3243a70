#include "serve/api_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "job/ledger_entry.h"
#include "serve/assets.h"
#include "serve/testing/fake_backend.h"
#include "serve/testing/memory_log.h"
#include "serve/testing/raw_client.h"

namespace millrace::serve {
namespace {

using namespace std::chrono_literals;

class ApiServerTest : public testing::Test {
 protected:
  void SetUp() override {
    ApiServerOptions options;
    options.live_interval_ms = 250;
    options.live_refresh_ms = 60'000;
    auto server = ApiServer::Start(backend_, options);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(*server);
    client_ = std::make_unique<RawClient>(server_->port());
  }

  MemoryLog log_;
  FakeBackend backend_{log_};
  std::unique_ptr<ApiServer> server_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(ApiServerTest, ViewsComeFromTheBackend) {
  EXPECT_EQ(client_->Get("/api/pipeline").body, R"({"n":1})");
  EXPECT_EQ(client_->Get("/api/dashboards").body, "[]");
  EXPECT_EQ(client_->Get("/api/dashboards/a%20b").body, R"({"name":"a b"})");
  EXPECT_EQ(client_->Get("/api/dashboards/shop/data?country=DE&since=15m&country=FR").body,
            R"("shop;country=FR;since=15m")");
  EXPECT_EQ(client_->Get("/api/dead-letters").body, "100");
  EXPECT_EQ(client_->Get("/api/lineage?of=t.c&direction=up").body,
            R"({"of":"t.c","direction":"up"})");
  EXPECT_EQ(client_->Get("/api/dead-letters?limit=99999").body, "1000");
  EXPECT_EQ(client_->Get("/api/dead-letters?limit=x").status, 400);
  RawAnswer missing = client_->Get("/api/jobs/nope");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, R"({"error":{"code":"MR1002","message":"job \"nope\" does not exist",)"
                          R"("hint":"see the jobs"}})");
}

TEST_F(ApiServerTest, Ledger) {
  EXPECT_EQ(client_->Get("/api/ledger").body, R"({"jobs":[],"entries":[]})");
  EXPECT_EQ(client_->Get("/api/ledger?job=orders").status, 404);
  EXPECT_EQ(client_->Get("/api/ledger?entries=few").status, 400);
  ASSERT_TRUE(log_.CreateTopic(job::kLedgerTopic, {}).ok());
  for (int64_t from : {0, 5, 8}) {  // the last leaves a hole of one
    job::LedgerEntry entry;
    entry.job = "orders";
    entry.run = "orders/1";
    entry.from_epoch = entry.to_epoch = from + 1;
    entry.splits.push_back({0, "orders", "orders", "0", from, from == 0 ? 5 : 7});
    if (from == 8) entry.splits[0].to = 9;
    entry.stages.push_back({"orders", "source"});
    const std::string json = entry.ToJson();
    log::NewRecord record;
    record.value = json;
    ASSERT_TRUE(log_.AppendAndWait(job::kLedgerTopic, 0, {&record, 1}).ok());
  }
  const std::string all = client_->Get("/api/ledger?job=orders&entries=1").body;
  EXPECT_NE(all.find(R"("entries":3,"missing":1,"closes":false)"), std::string::npos) << all;
  EXPECT_NE(all.find("offsets [7, 8) were not read"), std::string::npos) << all;
  EXPECT_NE(all.find(R"("entries":[{"job":"orders","run":"orders/1","from_epoch":9)"),
            std::string::npos)
      << all;
}

TEST_F(ApiServerTest, Sql) {
  EXPECT_EQ(client_->Post("/api/sql", R"({"sql":"SELECT 1"})").body, "\"SELECT 1\"");
  EXPECT_EQ(client_->Post("/api/sql", "").status, 400);
  EXPECT_EQ(client_->Post("/api/sql", "[1]").status, 400);
  EXPECT_EQ(client_->Post("/api/sql", "{\"sql\":1}").status, 400);
  EXPECT_EQ(client_->Post("/api/sql", "\xff\xfe").status, 400);
  RawAnswer slip = client_->Post("/api/sql", R"({"sqll":"x"})");
  EXPECT_NE(slip.body.find("did you mean"), std::string::npos) << slip.body;
  EXPECT_EQ(client_->Post("/api/sql", R"({"sql":"throw"})").status, 500);
  EXPECT_EQ(client_->Get("/api/sql").status, 405);
}

TEST_F(ApiServerTest, Topics) {
  EXPECT_EQ(client_->Get("/api/topics").body, "[]");
  RawAnswer made = client_->Post("/api/topics/t", R"({"partitions":2,"retention_ms":5000})");
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(made.body,
            R"({"name":"t","partitions":[{"partition":0,"start_offset":0,"end_offset":0,)"
            R"("size_bytes":0},{"partition":1,"start_offset":0,"end_offset":0,"size_bytes":0}],)"
            R"("retention_ms":5000,"records":0,"size_bytes":0,"rate_in":null})");
  EXPECT_EQ(client_->Post("/api/topics/t", "{}").status, 409);
  EXPECT_EQ(client_->Post("/api/topics/u", R"({"partitions":0})").status, 400);
  EXPECT_EQ(client_->Post("/api/topics/u", R"({"partition":1})").status, 400);
  EXPECT_EQ(client_->Get("/api/topics/x").status, 404);

  EXPECT_EQ(client_
                ->Post("/api/topics/t/records",
                       R"({"records":[{"key":"k","value":"a\u0000b","partition":1},)"
                       R"({"key":null,"value":null,"partition":1},{"value":"c","partition":1}]})")
                .body,
            R"({"written":3})");
  EXPECT_EQ(client_->Post("/api/topics/t/records", R"({"records":[]})").body, R"({"written":0})");
  EXPECT_EQ(client_->Post("/api/topics/t/records", R"({"records":[{"partition":2}]})").status, 400);
  EXPECT_EQ(client_->Post("/api/topics/t/records", "{}").status, 400);
  EXPECT_EQ(client_->Get("/api/topics/t/records?partition=1&offset=-3&limit=2").body,
            R"([{"partition":1,"offset":0,"timestamp_ms":1000,"key":"k","value":"a\u0000b"},)"
            R"({"partition":1,"offset":1,"timestamp_ms":1001,"key":null,"value":null}])");
  // Internal topics take records from nobody, whether they are there or not.
  for (const char* path : {"/api/topics/__consumer_offsets/records", "/v1/events/__x"}) {
    const auto refused = client_->Post(path, R"({"records":[{"value":"x"}]})");
    EXPECT_EQ(refused.status, 400) << path;
    EXPECT_NE(refused.body.find("is internal"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(client_->Get("/api/topics/t/records?partition=1&offset=99").body, "[]");
  EXPECT_EQ(client_->Get("/api/topics/t/records?partition=0").body, "[]");
  EXPECT_EQ(client_->Get("/api/topics/t/records?partition=2").status, 404);
  EXPECT_EQ(client_->Get("/api/topics/t/records?partition=x").status, 400);
  std::string bytes("\xff\x01", 2);
  log::NewRecord record;
  record.value = bytes;
  ASSERT_TRUE(log_.AppendAndWait("t", 0, {&record, 1}).ok());
  EXPECT_NE(client_->Get("/api/topics/t/records").body.find(R"("value_base64":"/wE=")"),
            std::string::npos);
}

TEST_F(ApiServerTest, HealthAndMetrics) {
  EXPECT_EQ(client_->Get("/healthz").status, 200);
  EXPECT_EQ(client_->Get("/readyz").status, 200);
  backend_.ready = Status(Code::kFailedPrecondition, "job \"a\" has not started");
  RawAnswer answer = client_->Get("/readyz");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(answer.body.find("has not started"), std::string::npos);
  ASSERT_TRUE(log_.CreateTopic("t", {}).ok());
  EXPECT_EQ(client_->Post("/v1/events/t", "[{},1]").status, 400);
  std::string text = client_->Get("/metrics").body;
  for (const char* line :
       {"millrace_http_requests_total{method=\"GET\",route=\"/readyz\",status=\"503\"} 1",
        "millrace_collector_events_total{result=\"accepted\",topic=\"t\"} 1",
        "millrace_collector_events_total{result=\"rejected\",topic=\"t\"} 1",
        "millrace_http_connections 1", "millrace_collector_in_flight_events 0"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST_F(ApiServerTest, LiveUpdates) {
  RawClient live(server_->port());
  live.Write("GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(live.ReadUntil("Content-Type: text/event-stream"));
  ASSERT_TRUE(live.ReadUntil("event: pipeline\ndata: {\"n\":1}\n\n"));
  const auto begin = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::steady_clock::now() - begin; };
  int announced = 0;
  while (elapsed() < 1s || (backend_.pipelines < 3 && elapsed() < 60s)) {
    backend_.Announce({true, {announced++ % 2 ? "a" : "b"}});
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(live.ReadUntil("event: data\ndata: {\"tables\":[\"a\",\"b\"]}\n\n"));
  const int pipelines = backend_.pipelines;
  EXPECT_GE(pipelines, 3);
  EXPECT_LE(pipelines, 3 + elapsed() / 250ms);  // 4 a second, whatever was announced
  server_->Shutdown(5'000);
  EXPECT_FALSE(live.ReadEnd());  // ended, with events in between
}

TEST_F(ApiServerTest, ThePage) {
  RawAnswer page = client_->Get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_NE(page.head.find("text/html"), std::string::npos);
  EXPECT_NE(page.head.find("Content-Security-Policy: default-src 'self'"), std::string::npos);
  EXPECT_NE(page.body.find("<html"), std::string::npos);
  EXPECT_EQ(client_->Get("/dashboards/shop").body, page.body);  // the page's own routes
  size_t at = page.head.find("ETag: ") + 6;
  std::string tag = page.head.substr(at, page.head.find("\r\n", at) - at);
  EXPECT_EQ(client_->Get("/", "If-None-Match: " + tag + "\r\n").status, 304);
  RawAnswer small = client_->Get("/", "Accept-Encoding: br, gzip\r\n");
  EXPECT_NE(small.head.find("Content-Encoding: gzip"), std::string::npos);
  EXPECT_EQ(small.body.substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(client_->Get("/", "Accept-Encoding: gzip;q=0\r\n").body, page.body);
  RawAnswer api = client_->Get("/api/nothing");
  EXPECT_EQ(api.status, 404);
  EXPECT_NE(api.head.find("application/json"), std::string::npos);
  EXPECT_EQ(client_->Get("/../../etc/passwd").body, page.body);
}

TEST(Assets, TypesAndMissingIndex) {
  const EmbeddedFile files[] = {{"app.js", "1"}, {"pic/a.png", "x"}};
  Assets assets(files);
  Request request;
  request.path = "/app.js";
  EXPECT_EQ(assets.Get(request).content_type, "text/javascript; charset=utf-8");
  request.path = "/pic/a.png";
  EXPECT_EQ(assets.Get(request).content_type, "image/png");
  request.path = "/other";
  EXPECT_EQ(assets.Get(request).status, 404);
}

}  // namespace
}  // namespace millrace::serve
