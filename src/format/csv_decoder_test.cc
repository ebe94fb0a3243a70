#include "format/csv_decoder.h"

#include "format/row_fixture.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

model::Schema Orders() {
  return {{{"id", LogicalType::INTEGER, false},
           {"name", LogicalType::VARCHAR},
           {"price", LogicalType::DECIMAL(10, 2)},
           {"at", LogicalType::TIMESTAMP}}};
}

std::string Row(RowFixture& rows, const std::string& line) {
  const std::string first = rows.One(line);
  if (rows.size() != 1) return first;
  std::string out;
  for (size_t i = 0; i < rows.chunk().ColumnCount(); i++) {
    out += (i ? "|" : "") + rows.Value(i, 0).ToString();
  }
  return out;
}

TEST(CsvDecoder, Lines) {
  RowFixture rows("csv", Orders());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1,apple,2.50,2024-01-02 03:04:05", "1|apple|2.50|2024-01-02 03:04:05"},
      {"1,apple,2.50,2024-01-02 03:04:05\r\n", "1|apple|2.50|2024-01-02 03:04:05"},
      {" 2 ,,,", "2||NULL|NULL"},
      {R"(3,"a ""quoted"", text",1,)", R"(3|a "quoted", text|1.00|NULL)"},
      {"4,\"two\nlines\",1,", "4|two\nlines|1.00|NULL"},
      {R"("5",in"side,"1",)", R"(5|in"side|1.00|NULL)"},
      {"6, kept blanks ,1,", "6| kept blanks |1.00|NULL"},
      {"7,Köln and a text that is not inlined,1,",
       "7|Köln and a text that is not inlined|1.00|NULL"},
      {"", "malformed: empty record"},
      {"\n", "malformed: empty record"},
      {"1,2,3", "malformed: 3 fields, but the table has 4 columns"},
      {"x", "malformed: 1 field, but the table has 4 columns"},
      {"1,2,3,4,5", "malformed: 5 fields, but the table has 4 columns"},
      {R"(1,"open,2,)", "malformed: not CSV: the quotes of field 2 are not closed"},
      {R"(1,"a"b,2,)", "malformed: not CSV: field 2 goes on after its closing quote"},
      {"1,\xff,2,", "malformed: not CSV: the bytes are not valid UTF-8"},
      {"x,a,1,", R"(type id: "x" is not an INT)"},
      {"3000000000,a,1,", R"(type id: "3000000000" does not fit into an INT)"},
      {",a,1,", "null id: null in a NOT NULL column"},
      {"#1,a,1,", R"(type id: "#1" is not an INT)"}};
  for (const auto& [line, expected] : cases) EXPECT_EQ(Row(rows, line), expected) << line;
}

TEST(CsvDecoder, Options) {
  RowFixture rows("csv", Orders(),
                  {{"csv.field-delimiter", "\\t"},
                   {"csv.quote-character", "'"},
                   {"csv.null-literal", "NULL"},
                   {"csv.allow-comments", "true"},
                   {"csv.ignore-parse-errors", "true"}});
  EXPECT_EQ(Row(rows, "1\t'it''s\t'\tNULL\t"), "1|it's\t|NULL|NULL");
  EXPECT_EQ(Row(rows, "1\t'NULL'\tx\t2024-99-99"), "1|NULL|NULL|NULL");
  EXPECT_EQ(Row(rows, "x\ta\t1\t"), R"(type id: "x" is not an INT)");
  rows.Decode({"# a comment", "2\tb\t1\t"});
  EXPECT_EQ(rows.rows_from, (std::vector<uint32_t>{1}));
  EXPECT_TRUE(rows.errors.empty());
}

TEST(CsvDecoder, ReadsOnlyTheProjection) {
  RowFixture rows("csv", Orders(), {}, {2}, false);
  EXPECT_EQ(Row(rows, "1,a,2.5,not a time"), "2.50");
  EXPECT_EQ(Row(rows, ",a,2.5,"), "null id: null in a NOT NULL column");
  EXPECT_EQ(Row(rows, "1,a,2.5"), "malformed: 3 fields, but the table has 4 columns");
}

TEST(CsvDecoder, RefusesWhatItCannotDo) {
  const auto code = [](model::Schema schema, OptionMap options) {
    return NewDecoder({"csv", std::move(schema), {0}, std::move(options)}).status().code();
  };
  EXPECT_EQ(code(OneColumn(LogicalType::LIST(LogicalType::INTEGER)), {}), Code::kUnsupported);
  EXPECT_EQ(code(Orders(), {{"csv.field-delimiter", "ab"}}), Code::kBadOption);
  EXPECT_EQ(code(Orders(), {{"csv.field-delimiter", "\""}}), Code::kBadOption);
  EXPECT_EQ(code(Orders(), {{"csv.field-delimiter", ""}}), Code::kBadOption);
}

TEST(RawDecoder, TakesBytesAsTheyAre) {
  RowFixture text("raw", OneColumn(LogicalType::VARCHAR));
  EXPECT_EQ(text.One("{not json"), "{not json");
  EXPECT_EQ(text.One(""), "");
  EXPECT_EQ(text.One("\xff"), "malformed v: the bytes are not valid UTF-8");
  RowFixture bytes("raw", OneColumn(LogicalType::BLOB));
  EXPECT_EQ(bytes.One(std::string("\xff\0a", 3)), "\\xFF\\x00a");
  model::Record tombstone;
  tombstone.has_value = false;
  bytes.DecodeRecords({tombstone, model::Record{}});
  EXPECT_EQ(bytes.errors.size(), 1u);
  EXPECT_EQ(bytes.size(), 1u);
  RowFixture unread("raw", OneColumn(LogicalType::BLOB), {}, {}, false);
  unread.Decode({"a", "b"});
  EXPECT_EQ(unread.size(), 2u);
  EXPECT_EQ(NewDecoder({"raw", Orders(), {0}, {}}).status().code(), Code::kUnsupported);
  EXPECT_EQ(NewDecoder({"raw", OneColumn(LogicalType::INTEGER), {0}, {}}).status().code(),
            Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::format
