// The circuit breaker, and the counts beside it, under a clock that the test moves.
#include "job/circuit_breaker.h"

#include <gtest/gtest.h>

#include "job/lookup_meter.h"

namespace millrace::job {
namespace {

TEST(CircuitBreaker, OpensAfterFailuresInARowAndLetsOneTry) {
  CircuitBreaker breaker(3, 1000);
  for (int64_t now = 0; now < 2; now++) {
    ASSERT_TRUE(breaker.MayAsk(now));
    EXPECT_FALSE(breaker.OnFailure(now));
  }
  breaker.OnAnswer();  // not in a row any more
  for (int64_t now = 2; now < 4; now++) EXPECT_FALSE(breaker.OnFailure(now));
  EXPECT_EQ(breaker.state(), CircuitState::kClosed);
  EXPECT_TRUE(breaker.OnFailure(10));
  EXPECT_EQ(breaker.state(), CircuitState::kOpen);
  EXPECT_FALSE(breaker.MayAsk(10));
  EXPECT_FALSE(breaker.OnFailure(900));  // was on its way; prolongs nothing
  EXPECT_FALSE(breaker.MayAsk(1009));
  EXPECT_TRUE(breaker.MayAsk(1010));
  EXPECT_EQ(breaker.state(), CircuitState::kTrying);
  EXPECT_FALSE(breaker.MayAsk(5000));  // one tries, the others wait
  EXPECT_TRUE(breaker.OnFailure(5000));
  EXPECT_FALSE(breaker.MayAsk(5999));
  EXPECT_TRUE(breaker.MayAsk(6000));
  breaker.OnAnswer();
  EXPECT_EQ(breaker.state(), CircuitState::kClosed);
  EXPECT_TRUE(breaker.MayAsk(6001));
  EXPECT_FALSE(breaker.OnFailure(6001));
}

TEST(LookupMeter, CountsAndSaysHowLongItWaits) {
  LookupMeter meter;
  EXPECT_EQ(meter.Status(7).waiting_ms, 0);
  for (int64_t i = 1; i <= 1000; i++) {
    meter.Begin(0);
    meter.Answered(0, i * 1000, {.keys = 2, .missing = i % 2, .unusable = 0, .version = "v"});
  }
  meter.Begin(5'000'000);
  meter.Begin(6'000'000);
  meter.Begin(6'000'000);
  meter.Failed(5'000'000, 6'000'000);
  const LookupStatus status = meter.Status(8'000'000);
  EXPECT_EQ(status.requests, 1001);
  EXPECT_EQ(status.errors, 1);
  EXPECT_EQ(status.keys, 2000);
  EXPECT_EQ(status.missing, 500);
  EXPECT_EQ(status.version, "v");
  EXPECT_EQ(status.waiting_ms, 2000);  // for the two that are left
  EXPECT_DOUBLE_EQ(status.busy_seconds, 501.5);
  EXPECT_GT(status.latency_p50_ms, 700);  // of the last 512
  EXPECT_EQ(status.latency_p99_ms, 996);
}

}  // namespace
}  // namespace millrace::job
