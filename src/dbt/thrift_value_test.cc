// The messages in hex are made by Apache Thrift's own library (PyPI thrift) from
// TCLIService.thrift.
#include "dbt/thrift_value.h"

#include <gtest/gtest.h>

#include <cstring>

namespace millrace::dbt {
namespace {

std::string FromHex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return out;
}

Result<ThriftMessage> Read(const std::string& bytes) {
  size_t at = 0;
  return ReadThriftMessage([&](char* to, size_t count) {
    if (count > bytes.size() - at) return Status(Code::kUnavailable, "the end");
    std::memcpy(to, bytes.data() + at, count);
    at += count;
    return Status::Ok();
  });
}

constexpr const char* kExecuteStatement =
    "80010001000000104578656375746553746174656d656e74000000070c00010c00010c00010b0001000000060067"
    "756964ff0b00020000000373656300000b00020000000853454c45435420310200040100"
    "00";
constexpr const char* kFetchResults =
    "800100020000000c4665746368526573756c7473000000090c00000c0001080001000000000f00020b0000000100"
    "0000017800020002000c00030a000100000000000000000f00020c000000000f00030c000000040c00050f00010a"
    "000000030000000000000001fffffffffffffffe00000000000000000b0002000000010400000c00070f00010b00"
    "00000300000001610000000000000002c3a90b0002000000010200000c00060f000104000000033fe00000000000"
    "00fe37e43c8800759c00000000000000000b0002000000010000000c00010f000102000000030100010b00020000"
    "00000000000000";

TEST(ThriftWriter, CallsAreThriftsOwnBytes) {
  ThriftWriter call;
  call.Call("ExecuteStatement", 7).Struct(1).Struct(1).Struct(1);
  call.Bytes(1, std::string("\0guid\xff", 6)).Bytes(2, "sec").End().End();
  call.Bytes(2, "SELECT 1").Bool(4, true).End().End();
  EXPECT_EQ(call.bytes(), FromHex(kExecuteStatement));
}

TEST(ThriftReader, ReadsWhatThriftWrites) {
  auto message = Read(FromHex(kFetchResults));
  ASSERT_TRUE(message.ok()) << message.status().message();
  EXPECT_EQ(message->kind, ThriftMessage::kReply);
  EXPECT_EQ(message->name, "FetchResults");
  EXPECT_EQ(message->number, 9);
  const ThriftValue& answer = message->body[0];
  EXPECT_EQ(answer[1][2].list()[0].bytes(), "x");
  const ThriftValue::List& columns = answer[3][3].list();
  ASSERT_EQ(columns.size(), 4U);
  EXPECT_EQ(columns[0][5][1].list()[1].whole(), -2);
  EXPECT_EQ(columns[0][5][2].bytes(), "\x04");
  EXPECT_EQ(columns[1][7][1].list()[2].bytes(), "\xc3\xa9");
  EXPECT_EQ(columns[2][6][1].list()[0].number(), 0.5);
  EXPECT_EQ(columns[2][6][1].list()[1].number(), -1e300);
  EXPECT_EQ(columns[3][1][1].list()[0].whole(), 1);
  EXPECT_TRUE(answer[9][9][9].is_null());
}

TEST(ThriftReader, WhatIsCutOffIsAnError) {
  const std::string whole = FromHex(kFetchResults);
  for (size_t size = 0; size < whole.size(); size++) {
    EXPECT_FALSE(Read(whole.substr(0, size)).ok()) << size;
  }
}

TEST(ThriftReader, AnyOtherBytesAreReadOrRefused) {
  const std::string whole = FromHex(kFetchResults);
  int refused = 0;
  for (size_t at = 0; at < whole.size(); at++) {
    for (const int byte : {0x00, 0x0c, 0x0f, 0x7f, 0x80, 0xff}) {
      std::string other = whole;
      other[at] = static_cast<char>(byte);
      refused += Read(other).ok() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(ThriftReader, LengthsTypesAndDepthsAreBounded) {
  const auto fault = [](const std::string& bytes) { return Read(bytes).status().message(); };
  EXPECT_EQ(fault(std::string("HTTP/1.1 400", 12)),
            "the answer is no Thrift message: it begins with 48545450");
  const std::string head = FromHex("800100020000000000000001");
  EXPECT_EQ(fault(head + FromHex("0b00017fffffff")),
            "the answer is no Thrift message: a text of 2147483647 bytes");
  EXPECT_EQ(fault(head + FromHex("0b0001ffffffff")),
            "the answer is no Thrift message: a text of -1 bytes");
  EXPECT_EQ(fault(head + FromHex("0f000102") + FromHex("40000000")),
            "the answer is no Thrift message: a list of 1073741824");
  EXPECT_EQ(fault(head + FromHex("070001")), "the answer is no Thrift message: there is no type 7");
  std::string deep = head;
  for (int i = 0; i < 100; i++) deep += FromHex("0c0001");
  EXPECT_EQ(fault(deep), "the answer is no Thrift message: it is nested too deep");
}

}  // namespace
}  // namespace millrace::dbt
