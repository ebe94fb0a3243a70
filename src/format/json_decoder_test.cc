#include "format/json_decoder.h"

#include "format/row_fixture.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;
using model::RowErrorKind;

LogicalType Address() {
  return LogicalType::STRUCT({{"zip", LogicalType::INTEGER}, {"city", LogicalType::VARCHAR}});
}

// Every line: a type, the value in the document, what comes out.
TEST(JsonDecoder, Values) {
  struct Case {
    LogicalType type;
    std::string json;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {LogicalType::BOOLEAN, "true", "true"},
      {LogicalType::BOOLEAN, R"("False")", "false"},
      {LogicalType::BOOLEAN, "1", "type v: 1 is not a BOOLEAN"},
      {LogicalType::TINYINT, "-128", "-128"},
      {LogicalType::TINYINT, "128", "type v: 128 does not fit into a TINYINT"},
      {LogicalType::SMALLINT, "32768", "type v: 32768 does not fit into a SMALLINT"},
      {LogicalType::INTEGER, "\t12 ", "12"},
      {LogicalType::INTEGER, R"("12")", "12"},
      {LogicalType::INTEGER, R"(" 12 ")", "12"},
      {LogicalType::INTEGER, R"("\u0031")", "1"},
      {LogicalType::INTEGER, R"("abc")", R"(type v: "abc" is not an INT)"},
      {LogicalType::INTEGER, R"("")", R"(type v: "" is not an INT)"},
      {LogicalType::INTEGER, "1.5", "type v: 1.5 is not an INT"},
      {LogicalType::INTEGER, "1.0", "1"},
      {LogicalType::INTEGER, "3000000000", "type v: 3000000000 does not fit into an INT"},
      {LogicalType::INTEGER, "true", "type v: true is not an INT"},
      {LogicalType::INTEGER, "[1]", "type v: [1]} is not an INT"},
      {LogicalType::BIGINT, "9223372036854775807", "9223372036854775807"},
      {LogicalType::BIGINT, "-9223372036854775808", "-9223372036854775808"},
      {LogicalType::BIGINT, "9223372036854775808",
       "type v: 9223372036854775808 does not fit into a BIGINT"},
      {LogicalType::DOUBLE, "0.1", "0.1"},
      {LogicalType::DOUBLE, "5", "5.0"},
      {LogicalType::DOUBLE, "1e400", "type v: 1e400 does not fit into a DOUBLE"},
      {LogicalType::DOUBLE, R"("NaN")", "nan"},
      {LogicalType::FLOAT, "1e39", "type v: 1e39 does not fit into a FLOAT"},
      {LogicalType::DECIMAL(4, 2), "12.345", "12.35"},
      {LogicalType::DECIMAL(9, 2), R"("12.34")", "12.34"},
      {LogicalType::DECIMAL(38, 10), "1234567890123456789012345678.0123456789",
       "1234567890123456789012345678.0123456789"},
      {LogicalType::DECIMAL(4, 2), "123", "type v: 123 does not fit into a DECIMAL(4, 2)"},
      {LogicalType::VARCHAR, R"("short")", "short"},
      {LogicalType::VARCHAR, R"("exactly 12 b")", "exactly 12 b"},
      {LogicalType::VARCHAR, R"("a string that is not inlined")", "a string that is not inlined"},
      {LogicalType::VARCHAR, R"("a\n\"\\\/\b\f\r\té\u00e9\ud83d\ude00")",
       "a\n\"\\/\b\f\r\té\u00e9\U0001F600"},
      {LogicalType::VARCHAR, R"("")", ""},
      {LogicalType::VARCHAR, "1.50", "1.50"},
      {LogicalType::VARCHAR, "true", "true"},
      {LogicalType::VARCHAR, R"({"a":1})", R"(type v: {"a":1}} is not a STRING)"},
      {LogicalType::BLOB, R"("AP+A")", R"(\x00\xFF\x80)"},
      {LogicalType::BLOB, R"("!")", R"(type v: "!" is not a BYTES, which is written in base64)"},
      {LogicalType::DATE, R"("2024-02-29")", "2024-02-29"},
      {LogicalType::DATE, R"("2023-02-29")",
       R"(type v: "2023-02-29" is not a DATE, which looks like "2024-01-31")"},
      {LogicalType::TIME, R"("12:30:00.25")", "12:30:00.25"},
      {LogicalType::TIMESTAMP, R"("2024-02-29 12:30:00.25")", "2024-02-29 12:30:00.25"},
      {LogicalType::TIMESTAMP, R"("2024-02-29T12:30:00Z")", "2024-02-29 12:30:00"},
      {LogicalType::TIMESTAMP, "1700000000",
       R"(type v: 1700000000 is not a TIMESTAMP, which looks like "2024-01-31 23:59:59.999")"},
      {LogicalType::TIMESTAMP_TZ, R"("2024-02-29T12:30:00+01:00")", "2024-02-29 11:30:00+00"},
      {LogicalType::LIST(LogicalType::INTEGER), "[]", "[]"},
      {LogicalType::LIST(LogicalType::INTEGER), "[1, null, 3]", "[1, NULL, 3]"},
      {LogicalType::LIST(LogicalType::INTEGER), R"([1, "x"])",
       R"(type v: "x" is not an INT (at "v[2]"))"},
      {LogicalType::LIST(LogicalType::INTEGER), "7", "type v: 7 is not an ARRAY"},
      {LogicalType::LIST(LogicalType::LIST(LogicalType::VARCHAR)), R"([["a"],[],null,["b","c"]])",
       "[[a], [], NULL, [b, c]]"},
      {Address(), R"({"city":"Köln","zip":50667,"more":[{}]})", "{'zip': 50667, 'city': Köln}"},
      {Address(), R"({"zip":1,"zip":2})", "{'zip': 2, 'city': NULL}"},
      {Address(), "{}", "{'zip': NULL, 'city': NULL}"},
      {Address(), R"({"zip":"x"})", R"(type v: "x" is not an INT (at "v.zip"))"},
      {LogicalType::MAP(LogicalType::VARCHAR, LogicalType::INTEGER), R"({"a":1,"b":null,"a":3})",
       "{a=3, b=NULL}"},
      {LogicalType::MAP(LogicalType::VARCHAR, Address()), R"({"a":{"zip":1}})",
       "{a={'zip': 1, 'city': NULL}}"},
      {LogicalType::INTEGER, "null", "NULL"},
      {Address(), "null", "NULL"},
  };
  for (const Case& c : cases) {
    RowFixture rows("json", OneColumn(c.type));
    EXPECT_EQ(rows.One(R"({"v":)" + c.json + "}"), c.expected)
        << c.type.ToString() << " " << c.json;
  }
}

// Every subset of the fields of nested rows, over documents that have and lack them: what is wanted
// comes out as if all were, the rest is NULL.
TEST(JsonDecoder, WantedFieldsOfRows) {
  const LogicalType inner =
      LogicalType::STRUCT({{"x", LogicalType::INTEGER}, {"y", LogicalType::VARCHAR}});
  const LogicalType row = LogicalType::STRUCT({{"a", LogicalType::BIGINT},
                                               {"b", LogicalType::VARCHAR},
                                               {"inner", inner},
                                               {"l", LogicalType::LIST(LogicalType::INTEGER)}});
  const std::vector<std::string> documents = {
      R"({"v":{"a":1,"b":"a text that is not inlined","inner":{"x":2,"y":"z"},"l":[1,2]}})",
      R"({"v":{"l":[],"inner":{"y":"\u00e9","other":{"x":[1]}},"b":null,"a":5}})",
      R"({"v":{"a":1,"a":2,"inner":null}})",
      R"({"v":{}})",
      R"({"v":null})",
      R"({})",
      R"({"v":{"b":"x","inner":{},"l":[null]}})",
  };
  RowFixture all("json", OneColumn(row));
  all.Decode(documents);
  ASSERT_EQ(all.size(), documents.size());
  for (unsigned mask = 1; mask < 32; mask++) {
    model::WantedFields wanted;
    for (size_t field : {0, 1, 3}) {
      if ((mask >> field & 1) != 0) wanted.fields[field] = {};
    }
    if ((mask & 4) != 0) wanted.fields[2].fields[0] = {};
    if ((mask & 16) != 0) wanted.fields[2].fields[1] = {};
    RowFixture some("json", OneColumn(row), {}, {}, true, {wanted});
    for (int round = 0; round < 2; round++) {  // the vectors are used again
      some.Decode(documents);
      ASSERT_EQ(some.size(), documents.size());
      for (size_t r = 0; r < documents.size(); r++) {
        SCOPED_TRACE(documents[r] + " mask " + std::to_string(mask));
        const duckdb::Value value = some.Value(0, r);
        const duckdb::Value whole = all.Value(0, r);
        EXPECT_EQ(value.IsNull(), whole.IsNull());
        if (whole.IsNull() || value.IsNull()) continue;
        const auto& fields = duckdb::StructValue::GetChildren(value);
        const auto& expected = duckdb::StructValue::GetChildren(whole);
        for (size_t field : {0, 1, 3}) {
          EXPECT_EQ(fields[field].ToString(),
                    (mask >> field & 1) != 0 ? expected[field].ToString() : "NULL");
        }
        if (fields[2].IsNull() || expected[2].IsNull()) {
          EXPECT_TRUE(fields[2].IsNull());
          EXPECT_TRUE(expected[2].IsNull() || (mask & 20) == 0);
          continue;
        }
        const auto& below = duckdb::StructValue::GetChildren(fields[2]);
        const auto& expected_below = duckdb::StructValue::GetChildren(expected[2]);
        EXPECT_EQ(below[0].ToString(), (mask & 4) != 0 ? expected_below[0].ToString() : "NULL");
        EXPECT_EQ(below[1].ToString(), (mask & 16) != 0 ? expected_below[1].ToString() : "NULL");
      }
    }
  }
}

TEST(JsonDecoder, FaultsInFieldsThatNobodyWants) {
  model::WantedFields wanted;
  wanted.fields[1] = {};
  RowFixture rows("json", OneColumn(Address()), {}, {}, true, {wanted});
  EXPECT_EQ(rows.One(R"({"v":{"zip":"x","city":"Bonn"}})"), "{'zip': NULL, 'city': Bonn}");
  EXPECT_EQ(rows.One(R"({"v":{"zip":{"a":[1]},"city":"Bonn"}})"), "{'zip': NULL, 'city': Bonn}");
  EXPECT_EQ(rows.One(R"({"v":{"zip":01,"city":"Bonn"}})"),
            "malformed: not JSON: expected a value at byte 12, found 01,\"city\":\"Bonn\"}}");
  EXPECT_EQ(rows.One(R"({"v":{"zip":1,"city":[]}})"),
            R"(type v: []}} is not a STRING (at "v.city"))");
}

TEST(JsonDecoder, MalformedDocuments) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "empty record"},
      {"   ", "empty record"},
      {"null", "the document is null, not an object"},
      {"[{}]", "the document is an array, not an object"},
      {" \"x\"", "the document is a string, not an object"},
      {"12", "the document is a number, not an object"},
      {"hello", "not JSON: expected an object at byte 0, found hello"},
      {"{", "not JSON: expected a field name, but the document ends"},
      {R"({"v")", "not JSON: expected \":\", but the document ends"},
      {R"({"v":)", "not JSON: expected a value, but the document ends"},
      {R"({"v":1)", "not JSON: expected \",\" or \"}\", but the document ends"},
      {R"({"v":1,)", "not JSON: expected a field name, but the document ends"},
      {R"({"v":1,})", "not JSON: expected a field name at byte 7, found }"},
      {R"({"v":1 2})", "not JSON: expected \",\" or \"}\" at byte 7, found 2}"},
      {R"({"v":01})", "not JSON: expected a value at byte 5, found 01}"},
      {R"({"v":+1})", "not JSON: expected a value at byte 5, found +1}"},
      {R"({"v":.5})", "not JSON: expected a value at byte 5, found .5}"},
      {R"({"v":-})", "not JSON: expected a value at byte 5, found -}"},
      {R"({"v":1.})", "not JSON: expected a value at byte 5, found 1.}"},
      {R"({"v":nul})", "not JSON: expected a value at byte 5, found nul}"},
      {R"({"v":NaN})", "not JSON: expected a value at byte 5, found NaN}"},
      {R"({v:1})", "not JSON: expected a field name at byte 1, found v:1}"},
      {R"({"v":1}})", "not JSON: expected nothing after the object at byte 7, found }"},
      {R"({"v":1} {"v":2})",
       "not JSON: expected nothing after the object at byte 8, found {\"v\":2}"},
      {R"({"v":1)"
       "\"x\"}",
       "not JSON: expected a value at byte 5, found 1\"x\"}"},
      {R"({"x":[1,2})", "not JSON: expected a value at byte 9, found }"},
      {R"({"x":[1}])", "not JSON: expected a value at byte 7, found }]"},
      {R"({"x":{"y" 1}})", "not JSON: expected a value at byte 10, found 1}}"},
      {R"({"x":tru})", "not JSON: expected a value at byte 5, found tru}"},
      {R"({"x":"abc)", "not JSON: a string is not closed, the document may have been cut off"},
      {"{\"x\":\"a\nb\"}", "not JSON: a string contains a control character that is not escaped"},
      {"{\"x\":\"\xff\"}", "not JSON: the bytes are not valid UTF-8"},
      {std::string("{\"v\":1\0}", 8), "not JSON: expected a value at byte 5, found 1?}"},
  };
  RowFixture rows("json", OneColumn(LogicalType::INTEGER));
  for (const auto& [document, expected] : cases) {
    EXPECT_EQ(rows.One(document), "malformed: " + expected) << document;
  }
  RowFixture text("json", OneColumn(LogicalType::VARCHAR));
  for (const char* escape : {R"(\ud800)", R"(\ud800x)", R"(\ud800\u0041)", R"(\udc00)", R"(\u12g4)",
                             R"(\x)", R"(\u12)"}) {
    EXPECT_EQ(text.One(R"({"v":")" + std::string(escape) + "\"}").substr(0, 47),
              "malformed: not JSON: expected a string with val")
        << escape;
  }
  EXPECT_EQ(rows.One("\xEF\xBB\xBF{\"v\":1}"), "1");  // a byte order mark is passed over
}

TEST(JsonDecoder, DeepAndLargeDocuments) {
  RowFixture rows("json", OneColumn(LogicalType::INTEGER));
  EXPECT_EQ(rows.One(R"({"x":)" + std::string(999, '[') + std::string(999, ']') + R"(,"v":1})"),
            "1");
  EXPECT_EQ(
      rows.One(R"({"x":)" + std::string(2000, '[') + std::string(2000, ']') + "}").substr(0, 9),
      "malformed");
  EXPECT_EQ(rows.One(R"({"x":)" + std::string(200000, '[')).substr(0, 9), "malformed");
  const std::string megabyte(1 << 20, 'x');
  EXPECT_EQ(rows.One(R"({"x":")" + megabyte + R"(","v":2})"), "2");
  RowFixture text("json", OneColumn(LogicalType::VARCHAR));
  EXPECT_EQ(text.One(R"({"v":")" + megabyte + "\\n\"}"), megabyte + "\n");
  EXPECT_EQ(text.One(R"({"v":)" + std::string(5000, '9') + "}"), std::string(5000, '9'));
}

TEST(JsonDecoder, FieldsInAnyOrderMissingUnknownTwice) {
  RowFixture rows("json", {{{"a", LogicalType::INTEGER},
                            {"a long name past sixteen bytes", LogicalType::INTEGER},
                            {"q\"\\\n", LogicalType::INTEGER}}});
  rows.Decode({R"({"a":1,"a long name past sixteen bytes":2,"q\"\\\n":3})",
               R"({"q\u0022\\\n":3,"a":1})",
               R"({"a":1,"a":2,"A":9,"a long name past sixteen bytez":9})",
               R"({"\u0061":5,"x":{"a":6},"y":[{"a":7}]})", "{}",
               R"({"a":1,"a long name past sixteen bytes":2,"q\"\\\n":3})", R"({"a":4,"a":null})"});
  ASSERT_EQ(rows.size(), 7u);
  const std::vector<std::string> expected = {
      "[1, 2, 3]",          "[1, NULL, 3]", "[2, NULL, NULL]",   "[5, NULL, NULL]",
      "[NULL, NULL, NULL]", "[1, 2, 3]",    "[NULL, NULL, NULL]"};
  for (size_t row = 0; row < 7; row++) {
    std::string line;
    for (size_t i = 0; i < 3; i++) line += (i ? ", " : "") + rows.Value(i, row).ToString();
    EXPECT_EQ("[" + line + "]", expected[row]) << row;
  }
}

TEST(JsonDecoder, RandomNamesDoNotFillTheMemoryAndKnownOnesAreStillFound) {
  RowFixture rows("json", OneColumn(LogicalType::INTEGER));
  for (int i = 0; i < 5000; i++) {
    const std::string n = std::to_string(i);
    ASSERT_EQ(rows.One("{\"n" + n + "\":0,\"v\":" + n + ",\"m" + n + "\":1}"), n);
  }
}

TEST(JsonDecoder, BadRecordsDoNotDisturbTheOthers) {
  RowFixture rows("json", {{{"id", LogicalType::INTEGER},
                            {"name", LogicalType::VARCHAR},
                            {"tags", LogicalType::LIST(LogicalType::VARCHAR)}}});
  rows.Decode({R"({"id":1,"name":"one","tags":["x"]})",
               R"({"id":2,"name":null,"tags":["a","b",[]]})",  // fails after writing NULL
               R"({"id":3,"name":"three","tags":["y","z"]})", "garbage",
               R"({"name":"a name that is not inlined in the vector","id":"x"})",
               R"({"id":6,"name":"six","tags":null})"});
  EXPECT_EQ(rows.rows_from, (std::vector<uint32_t>{0, 2, 5}));
  ASSERT_EQ(rows.errors.size(), 3u);
  EXPECT_EQ(rows.errors[0].record_index, 1u);
  EXPECT_EQ(rows.errors[0].column, "tags");
  EXPECT_EQ(rows.errors[1].record_index, 3u);
  EXPECT_EQ(rows.errors[1].kind, RowErrorKind::kMalformed);
  EXPECT_EQ(rows.errors[2].record_index, 4u);
  EXPECT_EQ(rows.Value(1, 1).ToString(), "three");
  EXPECT_EQ(rows.Value(2, 1).ToString(), "[y, z]");
  EXPECT_TRUE(rows.Value(2, 2).IsNull());
}

TEST(JsonDecoder, AFaultNamesItsOwnPlaceWhateverWasWrongBefore) {
  RowFixture rows("json", {{{"items", LogicalType::LIST(Address())}, {"n", LogicalType::INTEGER}}});
  for (const char* before : {R"({"items":[{"zip":1},{"zip":"x"}]})", R"({"items":[{"zip":)"}) {
    rows.One(before);
    EXPECT_EQ(rows.One(R"({"items":[],"n":"y"})"), R"(type n: "y" is not an INT)") << before;
    rows.One(before);
    EXPECT_EQ(rows.One(R"({"items":[{"zip":"x"}]})"),
              R"(type items: "x" is not an INT (at "items[1].zip"))")
        << before;
  }
}

TEST(JsonDecoder, NotNullColumnsAreCheckedEvenWhenNotRead) {
  const model::Schema schema = {
      {{"id", LogicalType::INTEGER, false}, {"v", LogicalType::INTEGER, true}}};
  for (const bool projected : {true, false}) {
    RowFixture rows("json", schema, {},
                    projected ? std::vector<size_t>{1, 0} : std::vector<size_t>{1}, false);
    EXPECT_EQ(rows.One(R"({"id":1,"v":2})"), "2");
    EXPECT_EQ(rows.One(R"({"v":2})"), "null id: the field is missing, but the column is NOT NULL");
    EXPECT_EQ(rows.One(R"({"v":2,"id":null})"), "null id: null in a NOT NULL column");
    EXPECT_EQ(rows.One(R"({"id":null,"v":2,"id":4})"), "2");
  }
  RowFixture ignoring("json", schema, {{"json.ignore-parse-errors", "true"}});
  EXPECT_EQ(ignoring.One(R"({"id":"x","v":2})"), R"(type id: "x" is not an INT)");
}

TEST(JsonDecoder, NoColumnsAtAll) {
  RowFixture rows("json", OneColumn(LogicalType::INTEGER), {}, {}, false);
  rows.Decode({R"({"v":1})", "{}", "{", R"({"v":"not looked at"})"});
  EXPECT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows.errors.size(), 1u);
  rows.Decode({});
  EXPECT_EQ(rows.size(), 0u);
}

TEST(JsonDecoder, Tombstones) {
  RowFixture rows("json", OneColumn(LogicalType::INTEGER));
  model::Record tombstone;
  tombstone.has_value = false;
  model::Record empty;  // a value of no bytes, with no address either
  rows.DecodeRecords({tombstone, empty});
  ASSERT_EQ(rows.errors.size(), 2u);
  EXPECT_EQ(rows.errors[0].message, "tombstone: the record has no value");
  EXPECT_EQ(rows.errors[1].message, "empty record");
}

TEST(JsonDecoder, IgnoreParseErrorsKeepsTheRow) {
  RowFixture rows("json",
                  {{{"i", LogicalType::INTEGER},
                    {"l", LogicalType::LIST(LogicalType::INTEGER)},
                    {"a", Address()}}},
                  {{"json.ignore-parse-errors", "true"}});
  rows.Decode({R"({"i":"x","l":[1,"y",3],"a":{"zip":"z","city":"c"}})", R"({"i":1,"l":2,"a":3})",
               R"({"i":[1]})", R"({"i":1)"});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.Value(0, 0).ToString(), "NULL");
  EXPECT_EQ(rows.Value(1, 0).ToString(), "[1, NULL, 3]");
  EXPECT_EQ(rows.Value(2, 0).ToString(), "{'zip': NULL, 'city': c}");
  EXPECT_EQ(rows.Value(1, 1).ToString(), "NULL");
  ASSERT_EQ(rows.errors.size(), 2u);
  EXPECT_EQ(rows.errors[0].kind, RowErrorKind::kType);  // an array for a scalar loses the row
  EXPECT_EQ(rows.errors[1].kind, RowErrorKind::kMalformed);
}

TEST(JsonDecoder, FailOnMissingField) {
  RowFixture rows("json", {{{"i", LogicalType::INTEGER}, {"a", Address()}}},
                  {{"json.fail-on-missing-field", "true"}}, {0}, false);
  EXPECT_EQ(rows.One(R"({"i":1,"a":null})"), "1");
  EXPECT_EQ(rows.One(R"({"i":1})"),
            "null a: the field is missing, and \"json.fail-on-missing-field\" is set");
  RowFixture nested("json", OneColumn(Address()), {{"json.fail-on-missing-field", "true"}});
  EXPECT_EQ(nested.One(R"({"v":{"zip":1}})"),
            "null v: the field is missing, and \"json.fail-on-missing-field\" is set (at "
            "\"v.city\")");
}

TEST(JsonDecoder, ListsGrowPastTheVectorSize) {
  RowFixture rows("json", OneColumn(LogicalType::LIST(Address())));
  std::string list;
  for (int i = 0; i < 5000; i++) {
    list += (i ? "," : "") + (i % 3 == 0 ? std::string("null")
                                         : R"({"zip":)" + std::to_string(i) +
                                               R"(,"city":"a city with a long name"})");
  }
  rows.Decode({"{\"v\":[" + list + "]}", R"({"v":[]})", "{\"v\":[" + list + "]}"});
  ASSERT_EQ(rows.size(), 3u);
  const auto children = duckdb::ListValue::GetChildren(rows.Value(0, 2));
  ASSERT_EQ(children.size(), 5000u);
  EXPECT_TRUE(children[4998].IsNull());
  EXPECT_EQ(children[4999].ToString(), "{'zip': 4999, 'city': a city with a long name}");
}

TEST(JsonDecoder, MapsWithManyKeysKeepTheLastOfEach) {
  RowFixture rows("json", OneColumn(LogicalType::MAP(LogicalType::VARCHAR, LogicalType::INTEGER)));
  std::string map;
  for (int i = 0; i < 6000; i++) {
    map += (i ? ",\"key-" : "\"key-") + std::to_string(i % 3000) + "\":" + std::to_string(i);
  }
  rows.Decode({"{\"v\":{" + map + "}}", R"({"v":{}})"});
  ASSERT_EQ(rows.size(), 2u);
  const auto entries = duckdb::MapValue::GetChildren(rows.Value(0, 0));
  ASSERT_EQ(entries.size(), 3000u);
  EXPECT_EQ(entries[17].ToString(), "{'key': key-17, 'value': 3017}");
}

TEST(JsonDecoder, LongValuesAreCutInMessages) {
  RowFixture rows("json", OneColumn(LogicalType::INTEGER));
  const std::string message = rows.One(R"({"v":")" + std::string(500, 'x') + "\"}");
  EXPECT_EQ(message, "type v: \"" + std::string(59, 'x') + "… is not an INT");
}

TEST(JsonDecoder, RefusesTypesItCannotCarry) {
  auto made = NewDecoder({"json", OneColumn(LogicalType::INTERVAL), {0}, {}});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::kUnsupported);
  EXPECT_EQ(made.status().message(), "column \"v\": type INTERVAL is not supported");
  made = NewDecoder(
      {"json", OneColumn(LogicalType::MAP(LogicalType::INTEGER, LogicalType::INTEGER)), {0}, {}});
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), Code::kUnsupported);
}

}  // namespace
}  // namespace millrace::format
