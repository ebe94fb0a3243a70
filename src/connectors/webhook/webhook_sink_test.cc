#include <fmt/format.h>
#include <simdjson.h>

#include <map>
#include <mutex>
#include <random>
#include <set>

#include "connectors/connector_fixture.h"
#include "connectors/webhook/webhook.h"
#include "log/log.h"
#include "tests/support/http_service.h"

namespace millrace::connectors::webhook {
namespace {

model::Schema TestSchema() {
  return {{{"k", LogicalType::INTEGER}, {"s", LogicalType::VARCHAR}}};
}

std::string HeaderOf(const test::HttpRequest& request, const std::string& name) {
  const size_t at = request.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t begin = at + name.size() + 4;
  return request.head.substr(begin, request.head.find("\r\n", begin) - begin);
}

// An endpoint that heeds keys: a request that it has taken it answers as before.
class Endpoint {
 public:
  Endpoint() : service_([this](const test::HttpRequest& request) { return Answer(request); }) {}

  std::string Url() const { return service_.Url("/hook"); }
  std::vector<int> Keys() {
    std::lock_guard<std::mutex> lock(mutex_);
    return keys_;
  }

  // What becomes of a request that is not known yet; rows by their k. Default: all are taken.
  std::function<test::HttpAnswer(const std::vector<int>& rows)> decide;
  // Whether the answer gets lost, after the request was taken.
  std::function<bool()> loses_answer = [] { return false; };
  std::vector<test::HttpRequest> requests;

 private:
  test::HttpAnswer Answer(const test::HttpRequest& request) {
    std::lock_guard<std::mutex> lock(mutex_);
    requests.push_back(request);
    const std::string key = HeaderOf(request, "Idempotency-Key");
    auto known = answers_.find(key);
    if (known == answers_.end()) {
      simdjson::dom::parser parser;
      simdjson::dom::element body = parser.parse(request.body);
      std::vector<int> rows;
      for (simdjson::dom::element row : body["rows"].get_array()) {
        rows.push_back(static_cast<int>(row["k"].get_int64().value()));
      }
      test::HttpAnswer answer = decide ? decide(rows) : test::HttpAnswer{};
      if (answer.status >= 429) return answer;
      std::set<int> refused;
      if (answer.status < 300 && !answer.body.empty()) {
        const simdjson::padded_string text(answer.body);
        for (simdjson::dom::element row : parser.parse(text)["rejected"].get_array()) {
          refused.insert(static_cast<int>(row["index"].get_int64().value()));
        }
      }
      for (size_t i = 0; i < rows.size() && answer.status < 300; i++) {
        if (!refused.count(static_cast<int>(i))) keys_.push_back(rows[i]);
      }
      known = answers_.emplace(key, answer).first;
      bodies_[key] = request.body;
    }
    EXPECT_EQ(bodies_[key], request.body) << "another request with the key " << key;
    return loses_answer() ? test::HttpAnswer{503, "lost", 0} : known->second;
  }

  std::mutex mutex_;
  std::map<std::string, test::HttpAnswer> answers_;
  std::map<std::string, std::string> bodies_;
  std::vector<int> keys_;
  test::HttpService service_;
};

class WebhookSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto log = log::Log::Open({.directory = directory_.path()});
    ASSERT_TRUE(log.ok()) << log.status().ToString();
    log_ = std::move(*log);
  }
  TableContext Table(const std::string& url, std::map<std::string, std::string> more = {}) {
    more["url"] = url;
    TableContext table = MakeTable("webhook", TestSchema(), more);
    table.services.log = log_.get();
    return table;
  }
  std::unique_ptr<Sink> OpenSink(const TableContext& table) {
    auto sink = NewWebhookSink(table);
    EXPECT_TRUE(sink.ok()) << sink.status().ToString();
    Status status = (*sink)->Open();
    EXPECT_TRUE(status.ok()) << status.ToString();
    return std::move(*sink);
  }
  static std::vector<std::vector<Value>> RowsOf(const std::vector<int>& keys) {
    std::vector<std::vector<Value>> rows;
    for (int k : keys) rows.push_back({Value::INTEGER(k), Value("r" + std::to_string(k))});
    return rows;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<log::Log> log_;
};

TEST(WebhookSignature, IsTheHmacOfTimeAndBody) {
  // Taken with Python's hmac.
  EXPECT_EQ(Signature("hush", 1700000000, R"({"a":1})"),
            "t=1700000000,v1=7cfd1df542c33ab7251748ffdc6e7fed278c63b83d4ece95a4534b0ad465571b");
}

TEST_F(WebhookSinkTest, SendsSignedBatches) {
  Endpoint endpoint;
  auto table = Table(endpoint.Url(),
                     {{"secret", "hush"}, {"batch.max-rows", "2"}, {"headers.x-tenant", "acme"}});
  auto sink = OpenSink(table);
  EXPECT_EQ(*sink->LastCommitted(), 0);
  ASSERT_TRUE(WriteRows(*sink, table.schema, RowsOf({1, 2, 3})).ok());
  Status status = sink->Commit(1);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(endpoint.requests.size(), 2u);
  const test::HttpRequest& second = endpoint.requests[1];
  EXPECT_EQ(second.body,
            R"({"job":"job","table":"t","epoch":1,"batch":1,"rows":[{"k":3,"s":"r3"}]})");
  EXPECT_EQ(HeaderOf(second, "x-tenant"), "acme");
  const std::string signature = HeaderOf(second, "Millrace-Signature");
  EXPECT_EQ(signature, Signature("hush", std::atoll(signature.c_str() + 2), second.body));
  EXPECT_TRUE(HeaderOf(second, "Idempotency-Key").ends_with("-1-1"));
  ASSERT_TRUE(sink->Commit(2).ok());  // an epoch without rows
  EXPECT_EQ(*OpenSink(table)->LastCommitted(), 2);
}

// Answers of every kind, some lost, and the sink made anew at every step.
TEST_F(WebhookSinkTest, EachRowIsTakenOrRejectedOnce) {
  std::mt19937 random(5);
  Endpoint endpoint;
  endpoint.decide = [&](const std::vector<int>& rows) -> test::HttpAnswer {
    switch (random() % 6) {
      case 0:
        return {503, "busy", 0};
      case 1:
        return {429, "slow down", 0};
      case 2:
        return {422, "no such thing", 0};
      case 3:
        return {200,
                fmt::format(R"({{"rejected":[{{"index":{0},"reason":"bad"}},{{"index":{0}}}]}})",
                            random() % rows.size()),
                0};
      default:
        return {200, "", 0};
    }
  };
  endpoint.loses_answer = [&] { return random() % 4 == 0; };
  auto table = Table(endpoint.Url(), {{"batch.max-rows", "3"}});
  std::vector<int> all, rejected;
  int next = 0;
  int64_t total = 0;
  for (model::Epoch epoch = 1; epoch <= 25; epoch++) {
    std::vector<int> rows;
    for (size_t i = 1 + random() % 9; i > 0; i--) rows.push_back(next++);
    all.insert(all.end(), rows.begin(), rows.end());
    std::unique_ptr<Sink> sink;
    for (bool committed = false; !committed;) {
      sink = OpenSink(table);
      ASSERT_EQ(*sink->LastCommitted(), epoch - 1);
      ASSERT_TRUE(WriteRows(*sink, table.schema, RowsOf(rows)).ok());
      for (size_t tries = random() % 4; tries > 0 && !committed; tries--) {
        Status status = sink->Commit(epoch);
        committed = status.ok();
        if (!committed) {
          ASSERT_EQ(status.retry(), Retry::kBackoff) << status.ToString();
        }
      }
    }
    if (random() % 2) sink = OpenSink(table);  // what it remembers, not what it has in memory
    for (const RejectedRow& row : sink->Rejected().rows) {
      int k = -1;
      ASSERT_EQ(std::sscanf(row.row.c_str(), "{\"k\":%d", &k), 1);
      rejected.push_back(k);
      EXPECT_FALSE(row.reason.empty());
    }
    total += static_cast<int64_t>(sink->Rejected().rows.size());
    EXPECT_EQ(sink->Rejected().total, total);
  }
  std::vector<int> found = endpoint.Keys();
  EXPECT_GT(rejected.size(), 5u);
  found.insert(found.end(), rejected.begin(), rejected.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, all);
}

TEST_F(WebhookSinkTest, ErrorsSayWhatIsWrongWithoutSecrets) {
  Endpoint endpoint;
  endpoint.decide = [](const std::vector<int>&) { return test::HttpAnswer{422, "too big", 0}; };
  auto table = Table(endpoint.Url() + "?token=hush", {{"sink.on-reject", "fail"}});
  auto sink = OpenSink(table);
  ASSERT_TRUE(WriteRows(*sink, table.schema, RowsOf({1})).ok());
  Status status = sink->Commit(1);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.retry(), Retry::kNever);
  EXPECT_NE(status.message().find("status 422: too big"), std::string::npos) << status.ToString();
  EXPECT_EQ(status.ToString().find("hush"), std::string::npos);
  EXPECT_EQ(NewWebhookSink(Table("http://anna:hush@127.0.0.1:1/")).status().ToString().find("hush"),
            std::string::npos);
  EXPECT_EQ(NewWebhookSink(Table("ftp://anna:hush@x/")).status().ToString().find("hush"),
            std::string::npos);
  auto away = Table("http://127.0.0.1:1/?token=hush");
  sink = OpenSink(away);
  ASSERT_TRUE(WriteRows(*sink, away.schema, RowsOf({1})).ok());
  status = sink->Commit(1);
  EXPECT_EQ(status.retry(), Retry::kBackoff);
  EXPECT_EQ(status.ToString().find("hush"), std::string::npos) << status.ToString();
  EXPECT_EQ(WriteRows(*sink, away.schema, RowsOf({1}), {-1}).code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::connectors::webhook
