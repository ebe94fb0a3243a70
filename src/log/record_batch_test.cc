#include "log/record_batch.h"

#include <gtest/gtest.h>

#include "log/crc32c.h"
#include "log/wire.h"

namespace millrace::log {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[static_cast<uint8_t>(c) >> 4];
    hex += kDigits[c & 15];
  }
  return hex;
}

TEST(Crc32cTest, Rfc3720Vectors) {
  std::string ascending;
  for (int i = 0; i < 32; i++) ascending += static_cast<char>(i);
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c(ascending), 0x46dd794eu);
}

TEST(Crc32cTest, HardwareAndTableAgreeAtAllLengths) {
  std::string bytes;
  uint32_t x = 1;
  for (int i = 0; i < 20'000; i++) bytes += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  for (size_t n = 0; n < bytes.size(); n = n < 300 ? n + 1 : n * 9 / 8) {
    for (size_t start = 0; start < 3; start++) {
      const auto part = std::string_view(bytes).substr(start, n);
      ASSERT_EQ(Crc32c(part), Crc32cByTable(part)) << n;
    }
  }
}

TEST(VarintTest, RoundTripAndSizes) {
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{63}, int64_t{64}, int64_t{-64}, int64_t{-65},
        int64_t{8191}, int64_t{8192}, INT64_MAX, INT64_MIN}) {
    char bytes[10];
    char* end = PutVarint(bytes, value);
    EXPECT_EQ(static_cast<size_t>(end - bytes), VarintSize(value));
    int64_t read = 7;
    EXPECT_EQ(GetVarint(bytes, end, &read), end);
    EXPECT_EQ(read, value);
    EXPECT_EQ(GetVarint(bytes, end - 1, &read), nullptr) << "cut off";
  }
  const std::string endless(20, '\xff');
  int64_t value;
  EXPECT_EQ(GetVarint(endless.data(), endless.data() + 20, &value), nullptr);
}

TEST(RecordBatchTest, BytesAreKafkas) {
  BatchBuilder builder;
  builder.Reset(-1, -1);
  builder.Add({.key = "k", .value = "hello"}, 1'600'000'000'000);
  builder.Add({.key = std::nullopt, .value = std::nullopt, .headers = {{"h", "v"}}},
              1'600'000'000'001);
  const std::string batch(builder.Finish(7));
  // Written out by hand from the table in record_batch.h.
  const std::string before_crc =
      "0000000000000007"
      "00000049"
      "00000000"
      "02";
  const std::string after_crc =
      "0000"
      "00000001"
      "00000174876e8000"
      "00000174876e8001"
      "ffffffffffffffff"
      "ffff"
      "ffffffff"
      "00000002"
      "18"
      "00"
      "00"
      "00"
      "02"
      "6b"
      "0a"
      "68656c6c6f"
      "00"
      "14"
      "00"
      "02"
      "02"
      "01"
      "01"
      "02"
      "02"
      "68"
      "02"
      "76";
  EXPECT_EQ(Hex(batch).substr(0, 34), before_crc);
  EXPECT_EQ(Hex(batch).substr(42), after_crc);
  EXPECT_EQ(LoadBig<uint32_t>(batch.data() + 17),
            Crc32cByTable(std::string_view(batch).substr(21)));
}

TEST(RecordBatchTest, ReadsABatchThatAnotherProgramWrote) {
  // One record, key null, value "hello", headers none, as the Java client sends it.
  std::string batch;
  const std::string hex =
      "000000000000000000000039ffffffff02a5a5a5a50000000000000000016d1a2b3c4d0000016d1a2b3c4d"
      "ffffffffffffffffffffffffffff00000001"
      "16000000010a68656c6c6f00";
  for (size_t i = 0; i < hex.size(); i += 2) {
    batch += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  StoreBig<int32_t>(batch.data() + 8, static_cast<int32_t>(batch.size() - 12));
  StoreBig<uint32_t>(batch.data() + 17, Crc32cByTable(std::string_view(batch).substr(21)));
  const auto header = ParseBatchHeader(batch);
  ASSERT_TRUE(header);
  EXPECT_TRUE(ChecksumHolds(batch));
  RecordCursor cursor(batch, *header);
  model::Record record;
  ASSERT_TRUE(cursor.Next(&record));
  EXPECT_FALSE(record.has_key);
  EXPECT_EQ(record.value, "hello");
  EXPECT_EQ(record.timestamp_ms, 0x16d1a2b3c4d);
  EXPECT_FALSE(cursor.Next(&record));
  EXPECT_TRUE(cursor.status().ok());
}

TEST(RecordBatchTest, RoundTripWithNullsEmptiesAndHeaders) {
  BatchBuilder builder;
  for (int round = 0; round < 2; round++) {  // the buffer is used again
    builder.Reset(42, (1LL << 31) + 5);
    const std::string large(100'000, 'z');
    builder.Add({.key = "", .value = ""}, 10);
    builder.Add({.key = std::nullopt, .value = large}, -5);
    builder.Add({.key = std::string_view("\0\xff", 2),
                 .value = std::nullopt,
                 .headers = {{"a", ""}, {"", "b"}}},
                INT64_MAX);
    const auto batch = builder.Finish(1LL << 40);
    const auto header = ParseBatchHeader(batch);
    ASSERT_TRUE(header && ChecksumHolds(batch));
    EXPECT_EQ(header->size_bytes, static_cast<int64_t>(batch.size()));
    EXPECT_EQ(header->end_offset(), (1LL << 40) + 3);
    EXPECT_EQ(header->producer_id, 42);
    EXPECT_EQ(header->base_sequence, 5) << "31 bits";
    EXPECT_EQ(header->max_timestamp_ms, INT64_MAX);
    RecordCursor cursor(batch, *header);
    model::Record record;
    ASSERT_TRUE(cursor.Next(&record));
    EXPECT_TRUE(record.has_key && record.has_value && record.key.empty() && record.value.empty());
    EXPECT_TRUE(record.headers.empty());
    ASSERT_TRUE(cursor.Next(&record));
    EXPECT_TRUE(!record.has_key && record.value == large);
    EXPECT_EQ(record.timestamp_ms, -5);
    ASSERT_TRUE(cursor.Next(&record));
    EXPECT_EQ(record.key, std::string_view("\0\xff", 2));
    EXPECT_FALSE(record.has_value);
    EXPECT_EQ(record.timestamp_ms, INT64_MAX);
    EXPECT_EQ(Hex(record.headers),
              "04"
              "0261"
              "00"
              "00"
              "0262");
    EXPECT_FALSE(cursor.Next(&record));
    EXPECT_TRUE(cursor.status().ok());
  }
}

TEST(RecordBatchTest, GarbageIsRefused) {
  EXPECT_FALSE(ParseBatchHeader(""));
  EXPECT_FALSE(ParseBatchHeader(std::string(60, '\0')));
  EXPECT_FALSE(ParseBatchHeader(std::string(200, '\0')));
  EXPECT_FALSE(ParseBatchHeader(std::string(200, '\xff')));
  BatchBuilder builder;
  builder.Reset(-1, -1);
  builder.Add({.key = "key", .value = "value", .headers = {{"h", "v"}}}, 1);
  builder.Add({.value = "another"}, 2);
  const std::string good(builder.Finish(0));
  // Whatever byte behind the header is wrong: no crash, and the end is reached or refused.
  for (size_t i = kBatchHeaderSize; i < good.size(); i++) {
    for (const int bit : {0, 3, 7}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_FALSE(ChecksumHolds(bad));
      const auto header = ParseBatchHeader(bad);
      ASSERT_TRUE(header);
      RecordCursor cursor(bad, *header);
      model::Record record;
      while (cursor.Next(&record)) {
      }
    }
  }
}

}  // namespace
}  // namespace millrace::log
