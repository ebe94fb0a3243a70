#include "connectors/iceberg/bucket.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::connectors::iceberg {
namespace {

// The specification's own vectors: "Appendix B: 32-bit Hash Requirements".
TEST(IcebergBucket, HashesAsTheSpecificationSays) {
  EXPECT_EQ(BucketHash(int64_t{34}), 2017239379);
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(1420)), -500754589);  // decimal 14.20
  EXPECT_EQ(BucketHash(int64_t{17486}), -653330422);           // date 2017-11-16
  EXPECT_EQ(BucketHash(int64_t{81'068'000'000}), -662762989);  // time 22:31:08
  EXPECT_EQ(BucketHash(int64_t{1'510'871'468'000'000}),
            -2047944441);  // timestamp 22:31:08 that day
  EXPECT_EQ(BucketHash(int64_t{1'510'871'468'000'001}), -1207196810);
  EXPECT_EQ(BucketHash(std::string_view("iceberg")), 1210000089);
  const std::string uuid = "\xf7\x9c\x3e\x09\x67\x7c\x4b\xbd\xa4\x79\x3f\x34\x9c\xb7\x85\xe7";
  EXPECT_EQ(BucketHash(std::string_view(uuid)), 1488055340);
  EXPECT_EQ(BucketHash(std::string_view("\0\1\2\3", 4)), -188683207);
}

TEST(IcebergBucket, TakesDecimalsInTheirFewestBytes) {
  const auto of = [](const char* bytes, size_t size) {
    return BucketHash(std::string_view(bytes, size));
  };
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(0)), of("\0", 1));
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(-1)), of("\xFF", 1));
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(127)), of("\x7F", 1));
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(128)), of("\0\x80", 2));
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(-128)), of("\x80", 1));
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(-129)), of("\xFF\x7F", 2));
  EXPECT_EQ(BucketHash(duckdb::hugeint_t(1, 0)), of("\1\0\0\0\0\0\0\0\0", 9));
}

}  // namespace
}  // namespace millrace::connectors::iceberg
