#include "dbt/csv_rows.h"

#include <gtest/gtest.h>

namespace millrace::dbt {
namespace {

std::string Parsed(const std::string& text) {
  auto rows = ParseCsvRows(text);
  return rows.ok() ? rows->ToJson() : rows.status().message();
}

TEST(CsvRows, CellsQuotesAndNulls) {
  EXPECT_EQ(Parsed("id, name\n1,\"a, \"\"b\"\"\"\n2,\n\n3,\"x\ny\"\r\n"),
            R"([{"id":"1","name":"a, \"b\""},{"id":"2","name":null},{"id":"3","name":"x\ny"}])");
  EXPECT_EQ(Parsed("id\n"), "[]");
  EXPECT_EQ(Parsed(""), "[]");
}

TEST(CsvRows, RowsHaveTheHeadersCells) {
  EXPECT_EQ(Parsed("id,name\n1,a\n2\n"), "row 2 of the CSV has 1 cells, its header has 2");
}

}  // namespace
}  // namespace millrace::dbt
