#include "model/dead_letter.h"

#include <gtest/gtest.h>

#include "base/version.h"

namespace millrace::model {
namespace {

std::string Start(int time_ms) {
  return "{\"time_ms\":" + std::to_string(time_ms) + ",\"version\":\"" + kVersion + "\",";
}

TEST(DeadLetter, CarriesEveryField) {
  DeadLetter letter{.time_ms = 5,
                    .stage = "decode",
                    .job = "j",
                    .table = "t",
                    .topic = "orders",
                    .partition = 2,
                    .offset = 17,
                    .kind = RowErrorKind::kType,
                    .column = "quantity",
                    .reason = "\"abc\" is not an INT",
                    .key = "o17",
                    .payload = "{\"quantity\":\"abc\"}"};
  EXPECT_EQ(letter.ToJson(),
            Start(5) +
                R"("stage":"decode","job":"j","table":"t","topic":"orders","partition":2,)"
                R"("offset":17,"kind":"type","column":"quantity","reason":"\"abc\" is not an INT",)"
                R"("key":"o17","value":"{\"quantity\":\"abc\"}"})");
}

TEST(DeadLetter, UnknownPlacesAreNull) {
  DeadLetter letter{.stage = "collector", .payload = ""};
  EXPECT_EQ(letter.ToJson(),
            Start(0) +
                R"("stage":"collector","job":null,"table":null,"topic":null,)"
                R"("partition":null,"offset":null,"kind":"malformed","column":null,"reason":null,)"
                R"("value":""})");
}

TEST(DeadLetter, BytesThatAreNotTextComeAsBase64) {
  DeadLetter letter{.payload = std::string("\xff\x00\x01", 3)};
  EXPECT_NE(letter.ToJson().find(R"("value_base64":"/wAB")"), std::string::npos);
  DeadLetter nul{.payload = std::string("a\0b", 3)};
  EXPECT_NE(nul.ToJson().find(R"("value":"a\u0000b")"), std::string::npos);
}

}  // namespace
}  // namespace millrace::model
