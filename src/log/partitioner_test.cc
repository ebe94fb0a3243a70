#include "log/partitioner.h"

#include <gtest/gtest.h>

#include "log/log.h"

namespace millrace::log {
namespace {

int32_t Signed(std::string_view key) {
  return static_cast<int32_t>(Murmur2(key));
}

// The values are those of Kafka's own UtilsTest.testMurmur2.
TEST(PartitionerTest, HashesAsKafka) {
  EXPECT_EQ(Signed("21"), -973932308);
  EXPECT_EQ(Signed("foobar"), -790332482);
  EXPECT_EQ(Signed("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(Signed("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(Signed("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(Signed("abc"), 479470107);
  EXPECT_EQ(Signed(""), 275646681);
}

TEST(PartitionerTest, ClearsTheSignBit) {
  EXPECT_EQ(PartitionForKey("21", 7), (-973932308 & 0x7fffffff) % 7);
  EXPECT_EQ(PartitionForKey("abc", 10), 479470107 % 10);
  EXPECT_EQ(PartitionForKey("anything", 1), 0);
}

}  // namespace
}  // namespace millrace::log
