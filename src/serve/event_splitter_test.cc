#include "serve/event_splitter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace millrace::serve {
namespace {

using Events = std::vector<std::string>;

Events Split(std::string_view body) {
  std::vector<std::string_view> views;
  SplitEvents(body, views);
  return {views.begin(), views.end()};
}

TEST(SplitEvents, NothingInNothing) {
  EXPECT_EQ(Split(""), Events{});
  EXPECT_EQ(Split(" \r\n\t\n"), Events{});
  EXPECT_EQ(Split("[]"), Events{});
  EXPECT_EQ(Split(" [ \n ] \n"), Events{});
  EXPECT_EQ(Split("\xEF\xBB\xBF"), Events{});
}

TEST(SplitEvents, OneObjectOnOneOrManyLines) {
  EXPECT_EQ(Split(R"({"a":1})"), Events{R"({"a":1})"});
  EXPECT_EQ(Split("\n{\n  \"a\": [1,\n 2],\n \"b\": {\"c\": \"}\"}\n}\n"),
            Events{"{\n  \"a\": [1,\n 2],\n \"b\": {\"c\": \"}\"}\n}"});
  EXPECT_EQ(Split("{\n\"a\":1\n}\n{\n\"a\":2\n}"), (Events{"{\n\"a\":1\n}", "{\n\"a\":2\n}"}));
  EXPECT_EQ(Split("\xEF\xBB\xBF{\"a\":1}"), Events{R"({"a":1})"});
}

TEST(SplitEvents, LinesWithBlanksAndCarriageReturns) {
  EXPECT_EQ(Split("{\"a\":1}\r\n\r\n  {\"a\":2} \n{\"a\":3}"),
            (Events{R"({"a":1})", R"({"a":2})", R"({"a":3})"}));
}

TEST(SplitEvents, OneBrokenLineDoesNotSpoilTheOthers) {
  EXPECT_EQ(Split("{\"a\":1\n{\"b\":2}\n"), (Events{"{\"a\":1", R"({"b":2})"}));
  EXPECT_EQ(Split("{\"a\":\"x\n{\"b\":2}\n{\"c\":3}"),
            (Events{"{\"a\":\"x", R"({"b":2})", R"({"c":3})"}));
  EXPECT_EQ(Split("{\"a\":1}\n{\"b\":\n{\"c\":3}\n"),
            (Events{R"({"a":1})", "{\"b\":", R"({"c":3})"}));
  EXPECT_EQ(Split("garbage\n{\"b\":2}"), (Events{"garbage", R"({"b":2})"}));
  EXPECT_EQ(Split("{\"a\":1}{\"a\":2}"), (Events{R"({"a":1})", R"({"a":2})"}));
}

TEST(SplitEvents, Arrays) {
  EXPECT_EQ(Split(R"([{"a":1},{"a":2}])"), (Events{R"({"a":1})", R"({"a":2})"}));
  EXPECT_EQ(Split("[ {\"a\": [1, {\"b\": \"]},\\\"{[\"}]} ,\n 7 , \"x\",null , [1] ]"),
            (Events{R"({"a": [1, {"b": "]},\"{["}]})", "7", "\"x\"", "null", "[1]"}));
}

TEST(SplitEvents, BrokenArraysKeepEveryByteOfTheRest) {
  EXPECT_EQ(Split(R"([{"a":1},{"a":2)"), (Events{R"({"a":1})", R"({"a":2)"}));
  EXPECT_EQ(Split(R"([{"a":1} {"a":2}])"), (Events{R"({"a":1} {"a":2}])"}));
  EXPECT_EQ(Split(R"([{"a":1},])"), (Events{R"({"a":1})", "]"}));
  EXPECT_EQ(Split(R"([{"a":1},)"), (Events{R"({"a":1})", ","}));
  EXPECT_EQ(Split("["), Events{"["});
  EXPECT_EQ(Split("[,]"), Events{",]"});
  EXPECT_EQ(Split(R"([{"a":1}] tail)"), (Events{R"({"a":1})", "tail"}));
  EXPECT_EQ(Split(R"([{"a":"x])"), Events{R"({"a":"x])"});
  // A bracket of the wrong kind stays within its event.
  EXPECT_EQ(Split(R"([{"a":1],{"b":2}])"), (Events{R"({"a":1])", R"({"b":2})"}));
}

TEST(SplitEvents, EscapesAtTheEdgesOfABlock) {
  for (size_t n = 0; n < 40; n++) {
    std::string event =
        "{\"k\":\"" + std::string(n, 'x') + "\\\"}" + std::string(n, 'y') + "\\\\\"}";
    EXPECT_EQ(Split("[" + event + "," + event + "]"), (Events{event, event})) << n;
  }
}

TEST(SplitEvents, NulsAndBytesThatAreNotUtf8) {
  std::string nul("{\"a\":\"\0\"}", 9);
  EXPECT_EQ(Split("[{\"b\":1}," + nul + "]"), (Events{R"({"b":1})", nul + "]"}));
  std::string latin = "{\"a\":\"\xe9\"}";
  EXPECT_EQ(Split("[" + latin + ",{\"b\":1}]"), (Events{latin, R"({"b":1})"}));
}

TEST(SplitEvents, RandomBytesNeverLeaveTheBody) {
  std::mt19937 random(7);
  const std::string alphabet("{}[]\",:\\ \n\r1ax\0\xff\x1f", 18);
  for (int round = 0; round < 200'000; round++) {
    std::string body;
    size_t size = random() % 40;
    for (size_t i = 0; i < size; i++) body += alphabet[random() % alphabet.size()];
    std::vector<std::string_view> views;
    SplitEvents(body, views);
    const char* last = body.data();
    size_t kept = 0;
    for (std::string_view v : views) {
      ASSERT_FALSE(v.empty());
      ASSERT_GE(v.data(), last);
      last = v.data() + v.size();
      ASSERT_LE(last, body.data() + body.size());
      kept += v.size();
    }
    ASSERT_LE(kept, body.size());
  }
}

}  // namespace
}  // namespace millrace::serve
