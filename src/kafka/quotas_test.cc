// Quotas: whose counts for whom, how long one waits, and what a connection that has to wait does.
#include "kafka/security/quotas.h"

#include <cmath>
#include <random>

#include "kafka/server_fixture.h"

namespace millrace::kafka {
namespace {

using Name = std::optional<std::string>;

TEST(QuotasTest, TheMostSpecificOneCounts) {
  env::FaultFileSystem files(1);
  const auto file = SecurityFile::Open(files, "");
  ASSERT_TRUE(file.ok());
  // By rank; who comes as user "u" with client id "c" is in all of them.
  const std::vector<QuotaEntity> ranked = {
      {"u", "c"}, {"u", ""},          {"u", std::nullopt}, {"", "c"},
      {"", ""},   {"", std::nullopt}, {std::nullopt, "c"}, {std::nullopt, ""}};
  for (unsigned chosen = 0; chosen < 256; chosen++) {
    std::vector<Quota> quotas;
    int64_t expected = 0;
    for (size_t rank = ranked.size(); rank-- > 0;) {
      if ((chosen >> rank & 1) == 0) continue;
      const double rate = 1000.0 * static_cast<double>(rank + 1);
      quotas.push_back({ranked[rank], {rate, 0}});
      // 20 s worth of the best one: a second is free.
      expected = static_cast<int64_t>((20'000 / rate - 1) * 1000);
    }
    Quotas all(**file, quotas);
    EXPECT_EQ(all.Charge(Traffic::kProduce, "u", "c", 20'000, 5000), expected) << chosen;
    EXPECT_EQ(all.Charge(Traffic::kFetch, "u", "c", 20'000, 5000), 0) << "no limit for fetching";
  }
}

TEST(QuotasTest, WhoWaitsAsToldKeepsTheRate) {
  env::FaultFileSystem files(1);
  const auto file = SecurityFile::Open(files, "");
  ASSERT_TRUE(file.ok());
  Quotas quotas(**file, {{{"", std::nullopt}, {0, 10'000}}});
  std::mt19937_64 random(3);
  int64_t now_ms = 1;
  int64_t bytes = 0;
  while (bytes < 1'000'000) {
    const auto more = static_cast<int64_t>(random() % 5000);
    bytes += more;
    now_ms += quotas.Charge(Traffic::kFetch, "u", "c", more, now_ms);
    EXPECT_EQ(quotas.Charge(Traffic::kFetch, "another user", "c", 1, now_ms), 0);
  }
  // A second's worth is free.
  EXPECT_NEAR(static_cast<double>(now_ms), 99'000, 1000);
  EXPECT_EQ(quotas.Charge(Traffic::kFetch, "u", "c", 1LL << 40, now_ms), Quotas::kThrottleMaxMs);
}

class QuotaServerTest : public ServerTest {
 protected:
  static AlterClientQuotasRequest Set(std::vector<QuotaEntityPart> entity, const std::string& key,
                                      double value, bool remove = false) {
    AlterClientQuotasRequest request;
    request.entries = {{std::move(entity), {{key, value, remove}}}};
    return request;
  }
  int16_t Alter(TestClient& client, const AlterClientQuotasRequest& request) {
    const auto answer = client.Ask<AlterClientQuotasResponse>(49, 1, request);
    return answer && answer->entries.size() == 1 ? answer->entries[0].error_code
                                                 : int16_t{kUnknownServerError};
  }
  size_t Found(TestClient& client, std::vector<DescribeClientQuotasRequest::Component> components,
               bool strict) {
    const auto answer = client.Ask<DescribeClientQuotasResponse>(
        48, 1, DescribeClientQuotasRequest{components, strict});
    return answer && answer->entries ? answer->entries->size() : 99;
  }
};

TEST_F(QuotaServerTest, AreSetFoundAndKept) {
  Start();
  TestClient client = Connect();
  EXPECT_EQ(Alter(client, Set({{"user", "a"}}, "producer_byte_rate", 1000)), kNone);
  EXPECT_EQ(Alter(client, Set({{"user", "a"}}, "consumer_byte_rate", 2000)), kNone);
  EXPECT_EQ(Alter(client, Set({{"user", "a"}, {"client-id", "c"}}, "producer_byte_rate", 5)),
            kNone);
  EXPECT_EQ(Alter(client, Set({{"user", std::nullopt}}, "producer_byte_rate", 7)), kNone);
  EXPECT_EQ(Alter(client, Set({{"client-id", "c"}}, "producer_byte_rate", 8)), kNone);
  server_.reset();
  Start();
  TestClient again = Connect();
  EXPECT_EQ(Found(again, {}, false), 4u);
  EXPECT_EQ(Found(again, {{"user", 0, "a"}}, false), 2u);
  EXPECT_EQ(Found(again, {{"user", 0, "a"}}, true), 1u);
  EXPECT_EQ(Found(again, {{"user", 1, std::nullopt}}, true), 1u);
  EXPECT_EQ(Found(again, {{"user", 2, std::nullopt}}, false), 3u);
  EXPECT_EQ(Found(again, {{"user", 2, std::nullopt}, {"client-id", 0, "c"}}, true), 1u);
  EXPECT_EQ(Found(again, {{"ip", 2, std::nullopt}}, false), 0u);
  EXPECT_EQ(Alter(again, Set({{"user", "a"}}, "producer_byte_rate", 0, true)), kNone);
  EXPECT_EQ(Found(again, {{"user", 0, "a"}}, true), 1u) << "the other limit is left";
  EXPECT_EQ(Alter(again, Set({{"user", "a"}}, "consumer_byte_rate", 0, true)), kNone);
  EXPECT_EQ(Found(again, {{"user", 0, "a"}}, true), 0u);
}

TEST_F(QuotaServerTest, WhatCannotBeIsRefused) {
  options_.quotas = {{{"declared", std::nullopt}, {1000, 0}}};
  Start();
  TestClient client = Connect();
  EXPECT_EQ(Found(client, {}, false), 1u);
  for (const auto& bad :
       {Set({{"user", "declared"}}, "producer_byte_rate", 5), Set({}, "producer_byte_rate", 5),
        Set({{"ip", "1.1.1.1"}}, "producer_byte_rate", 5),
        Set({{"user", "a"}, {"user", "b"}}, "producer_byte_rate", 5),
        Set({{"user", ""}}, "producer_byte_rate", 5), Set({{"user", "a"}}, "request_percentage", 5),
        Set({{"user", "a"}}, "producer_byte_rate", 0),
        Set({{"user", "a"}}, "producer_byte_rate", -1),
        Set({{"user", "a"}}, "producer_byte_rate", std::nan(""))}) {
    EXPECT_EQ(Alter(client, bad), kInvalidRequest);
  }
  EXPECT_EQ(Found(client, {}, false), 1u);
}

TEST_F(QuotaServerTest, AConnectionThatHasToWaitIsNotRead) {
  options_.quotas = {{{std::nullopt, "test"}, {10'000, 0}}};
  ASSERT_TRUE(log_->CreateTopic("t", {}).ok());
  Start();
  TestClient client = Connect();
  const std::string bytes(13'000, 'x');  // no batch: it is counted all the same
  ProduceRequest request;
  request.acks = 1;
  request.topics = {{"t", {{0, bytes}}}};
  env::Clock& clock = *env::Clock::System();
  const int64_t start_us = clock.MonotonicMicros();
  const auto first = client.Ask<ProduceResponse>(0, 9, request);
  ASSERT_TRUE(first);
  EXPECT_NEAR(first->throttle_time_ms, 300, 1) << "answered at once, and told to wait";
  ASSERT_TRUE(client.Ask<ApiVersionsResponse>(18, 3, ApiVersionsRequest()));
  EXPECT_GE(clock.MonotonicMicros() - start_us, 299'000) << "it was read when the wait was over";
}

TEST_F(QuotaServerTest, SoAreRequestsThatWereSentBefore) {
  options_.quotas = {{{std::nullopt, "test"}, {10'000, 0}}};
  ASSERT_TRUE(log_->CreateTopic("t", {}).ok());
  Start();
  TestClient client = Connect();
  const std::string bytes(5'000, 'x');
  ProduceRequest request;
  request.acks = 1;
  request.topics = {{"t", {{0, bytes}}}};
  env::Clock& clock = *env::Clock::System();
  const int64_t start_us = clock.MonotonicMicros();
  for (int i = 0; i < 4; i++) client.Send(0, 9, request);
  std::vector<int32_t> waits_ms;
  int64_t third_us = 0;
  for (int i = 0; i < 4; i++) {
    const auto answer = client.Receive<ProduceResponse>(0, 9);
    ASSERT_TRUE(answer);
    waits_ms.push_back(answer->throttle_time_ms);
    if (i == 2) third_us = clock.MonotonicMicros() - start_us;
  }
  // The longer the first three took, the less there is to wait for.
  EXPECT_EQ(waits_ms[0] + waits_ms[1], 0);
  EXPECT_GE(waits_ms[2] + third_us / 1000, 499);
  EXPECT_GE(clock.MonotonicMicros() - start_us, 499'000) << "the third has made the fourth wait";
}

}  // namespace
}  // namespace millrace::kafka
