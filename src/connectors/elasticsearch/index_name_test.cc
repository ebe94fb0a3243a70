#include "connectors/elasticsearch/index_name.h"

#include "connectors/connector_fixture.h"

namespace millrace::connectors::elasticsearch {
namespace {

model::Schema TestSchema() {
  return {{{"kind", LogicalType::VARCHAR},
           {"at", LogicalType::TIMESTAMP},
           {"day", LogicalType::DATE},
           {"n", LogicalType::BIGINT}}};
}

std::string NameOf(const std::string& pattern, const std::vector<Value>& row) {
  auto name = IndexName::Parse(pattern, TestSchema());
  if (!name.ok()) return name.status().message() + " | " + name.status().hint();
  auto rows = MakeChunk(TestSchema(), {row});
  std::string out;
  size_t null_column = 99;
  if (!name->Append(*rows, 0, out, null_column)) return "NULL in " + std::to_string(null_column);
  return out;
}

TEST(IndexName, FollowsItsPattern) {
  const std::vector<Value> row = {Value("web"), Value("2026-03-01 04:05:06.007"),
                                  Value("2026-12-31"), Value::BIGINT(7)};
  EXPECT_EQ(NameOf("orders", row), "orders");
  EXPECT_EQ(NameOf("orders-{kind}-{n}", row), "orders-web-7");
  EXPECT_EQ(NameOf("o-{at|yyyy-MM-dd}", row), "o-2026-03-01");
  EXPECT_EQ(NameOf("{at|yy.MM'x'HH_mm_ss_SSS}", row), "26.03x04_05_06_007");
  EXPECT_EQ(NameOf("o-{day|yyyy}", row), "o-2026");
  EXPECT_EQ(NameOf("o-{day}-{at|}", row), "o-2026_12_31-2026_03_01_04_05_06");
  EXPECT_EQ(NameOf("o-{at|yyyy%MM}", row), "o-2026%03");
  EXPECT_EQ(NameOf("o-{kind}", {Value(), Value(), Value(), Value()}), "NULL in 0");
  EXPECT_EQ(NameOf("o-{at|yyyy}", {Value(), Value(), Value(), Value()}), "NULL in 1");
}

TEST(IndexName, RefusesWhatIsNoPattern) {
  const std::vector<Value> row = {Value(), Value(), Value(), Value()};
  EXPECT_NE(NameOf("o-{knd}", row).find("did you mean \"kind\"?"), std::string::npos);
  EXPECT_NE(NameOf("o-{kind", row).find("not closed"), std::string::npos);
  EXPECT_NE(NameOf("o-{kind|yyyy}", row).find("no DATE or TIMESTAMP"), std::string::npos);
  EXPECT_NE(NameOf("o-{at|EEE}", row).find("\"EEE\""), std::string::npos);
  EXPECT_NE(NameOf("o-{at|'x}", row).find("quote is open"), std::string::npos);
  EXPECT_NE(NameOf("o-{now()|yyyy}", row).find("now() would give another index"),
            std::string::npos);
  EXPECT_NE(NameOf("", row).find("empty"), std::string::npos);
}

}  // namespace
}  // namespace millrace::connectors::elasticsearch
