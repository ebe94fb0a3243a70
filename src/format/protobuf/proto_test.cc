// Protobuf both ways against Google's protobuf (tests/support/protobuf_oracle.py), and what happens
// to bytes that are not of their schema.
#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/strings.h"
#include "format/confluent.h"
#include "format/memory_registry.h"
#include "format/protobuf/proto_options.h"
#include "format/protobuf/proto_table_schema.h"
#include "format/protobuf/proto_wire.h"
#include "format/python_oracle.h"
#include "format/row_fixture.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;
using Json = simdjson::dom::element;

std::vector<std::string> AskOracle(const std::string& arguments) {
  return LinesOfPython(SCHEMA_CLIENTS_DIR, "protobuf_oracle.py " + arguments);
}

std::string Proto3(const std::string& text) {
  return "syntax = \"proto3\"; package shop; " + text;
}

TEST(Protobuf, ReadsWhatGooglesDoes) {
  const auto lines = AskOracle("generate 3 300");
  ASSERT_EQ(lines.size(), 300u);
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  for (const std::string& line : lines) {
    simdjson::dom::parser parser;
    Json json = parser.parse(line);
    const std::string schema(json["schema"].get_string().value());
    std::vector<std::string> encoded;
    std::vector<std::string> rows;
    for (Json record : json["records"].get_array()) {
      encoded.push_back(FromHex(record["bytes"].get_string().value()));
      rows.push_back(simdjson::minify(record["row"]));
    }
    const model::Schema columns = ColumnsOf(json, connection);
    RowFixture expected("json", columns);
    expected.Decode(rows);
    RowFixture actual("protobuf", columns, {{"protobuf.schema", schema}});
    actual.Decode(encoded);
    ExpectSame(expected, actual, line);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Every type, with NULLs and values of every kind.
model::Schema EveryType() {
  const LogicalType row = LogicalType::STRUCT(
      {{"x", LogicalType::BIGINT}, {"y", LogicalType::LIST(LogicalType::VARCHAR)}});
  return {{{"b", LogicalType::BOOLEAN},
           {"i8", LogicalType::TINYINT},
           {"i16", LogicalType::SMALLINT},
           {"i32", LogicalType::INTEGER},
           {"i64", LogicalType::BIGINT},
           {"f", LogicalType::FLOAT},
           {"d", LogicalType::DOUBLE},
           {"dec", LogicalType::DECIMAL(9, 2)},
           {"wide", LogicalType::DECIMAL(38, 0)},
           {"t", LogicalType::VARCHAR},
           {"by", LogicalType::BLOB},
           {"ts", LogicalType::TIMESTAMP},
           {"day", LogicalType::DATE},
           {"time", LogicalType::TIME},
           {"list", LogicalType::LIST(LogicalType::INTEGER)},
           {"row", row},
           {"rows", LogicalType::LIST(row)},
           {"map", LogicalType::MAP(LogicalType::VARCHAR, row)},
           {"must", LogicalType::INTEGER, false}}};
}

std::vector<std::string> Documents() {
  return {
      R"({"b":true,"i8":-128,"i16":32767,"i32":-2147483648,"i64":9223372036854775807,"f":1.5,
          "d":-1e300,"dec":"-12345.67","wide":"99999999999999999999999999999999999999","t":"é",
          "by":"AP8=","ts":"1969-12-31 23:59:59.999999","day":"0001-01-01",
          "time":"23:59:59.999999","list":[1,0,3],
          "row":{"x":1,"y":["a",""]},"rows":[{"x":1,"y":[]},{"x":null,"y":["b"]}],
          "map":{"k":{"x":null,"y":[]},"l":{"x":2,"y":["c"]}},"must":1})",
      R"({"must":-1,"list":[],"rows":[],"map":{}})",
      R"({"b":false,"i32":0,"day":"2024-02-29","time":"00:00:00","dec":"0.00","wide":"-1","t":"",
          "by":"","list":[],"map":{},"rows":[],"row":{"x":null,"y":[]},"must":0})",
  };
}

TEST(Protobuf, WritesWhatGooglesAndWeReadAsTheSame) {
  RowFixture original("json", EveryType());
  original.Decode(Documents());
  ASSERT_EQ(original.size(), 3u) << original.errors[0].message;
  auto encoder = *NewEncoder("protobuf", EveryType(), {});
  const auto records = EncodeAll(*encoder, original.chunk());
  RowFixture ours("protobuf", EveryType());
  ours.Decode(records);
  ExpectSame(original, ours, "read by us");

  std::vector<ColumnType> types;
  for (const auto& column : EveryType().columns) types.push_back(*MakeColumnType(column.type));
  const auto schema = *ProtoSchema::Parse(*ProtoSchemaOf(EveryType(), types));
  std::vector<std::string> hex;
  for (const std::string& record : records) hex.push_back("\"" + ToHex(record) + "\"");
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("proto_test.{}.json", static_cast<int>(getpid()));
  std::ofstream(path) << R"({"schema":")" << schema->Serialized() << R"(","bytes":[)"
                      << Join(hex, ",") << "]}\n";
  const auto answers = AskOracle("read < " + path.string());
  std::filesystem::remove(path);
  ASSERT_EQ(answers.size(), 1u);
  simdjson::dom::parser parser;
  std::vector<std::string> rows;
  for (Json row : parser.parse(answers[0]).get_array()) rows.push_back(simdjson::minify(row));
  RowFixture theirs("json", EveryType());
  theirs.Decode(rows);
  ExpectSame(original, theirs, answers[0]);
}

TEST(ProtobufConfluent, ReadsWithTheSchemaThatARecordNames) {
  auto registry = std::make_shared<MemoryRegistry>();
  const model::Schema schema = {
      {{"id", LogicalType::BIGINT, false}, {"note", LogicalType::VARCHAR}}};
  const OptionMap options = {{"protobuf-confluent.subject", "orders-value"}};
  auto encoder = *NewEncoder("protobuf-confluent", schema, options, registry.get());
  EXPECT_EQ(registry->subjects, std::vector<std::string>{"orders-value"});
  RowFixture rows("json", schema);
  rows.Decode({R"({"id":7,"note":"a"})", R"({"id":0,"note":null})"});
  auto records = EncodeAll(*encoder, rows.chunk());
  EXPECT_EQ(ToHex(records[1]), "000000000100") << "number 1, its first message, nothing in it";
  // Another writer: other numbers, and the message is the second one in the first.
  registry->schemas.push_back(
      {"PROTOBUF",
       Proto3("import \"line.proto\"; message Order { map<string, int32> m = 9; message No {} "
              "message Yes { string note = 1; int32 id = 2; Line line = 3; } }"),
       {{"line.proto", Proto3("message Line {}")}}});
  std::string other;
  AppendConfluentHeader(2, other);
  records.push_back(other + "\x04" + std::string(1, '\0') + "\x02" + "\x0a\x01z\x10\x05");
  records.push_back(other + "\x04" + std::string(1, '\0') + "\x04");
  records.push_back(std::string("\0\0\0\0\5\0", 6));
  records.push_back("\x08\x01");
  RowFixture read("protobuf-confluent", schema, {}, {}, true, {}, registry);
  read.Decode(records);
  ASSERT_EQ(read.size(), 3u) << read.errors[0].message;
  EXPECT_EQ(read.Value(0, 0).ToString() + read.Value(1, 0).ToString(), "7a");
  EXPECT_EQ(read.Value(0, 1).ToString() + read.Value(1, 1).ToString(), "0NULL");
  EXPECT_EQ(read.Value(0, 2).ToString() + read.Value(1, 2).ToString(), "5z");
  ASSERT_EQ(read.errors.size(), 3u);
  EXPECT_EQ(read.errors[0].message, "it names no message of schema 2");
  EXPECT_EQ(read.errors[1].message, "schema 5: the registry has no such schema");
  EXPECT_EQ(read.errors[2].message,
            "not a record of protobuf-confluent: it does not begin with a zero byte and the number "
            "of a schema");
}

// What becomes of one message of a schema with this inside, in one column.
std::string One(const std::string& fields, const std::string& record, const model::Column& column,
                const OptionMap& more = {}) {
  OptionMap options = {
      {"protobuf.schema", Proto3("message M { " + fields + " } enum E { ZERO = 0; ONE = 1; }")}};
  options.insert(more.begin(), more.end());
  RowFixture rows("protobuf", {{column}}, options);
  return rows.One(record);
}

TEST(Protobuf, ABadRecordIsARowError) {
  const model::Column text{"v", LogicalType::VARCHAR};
  const model::Column number{"v", LogicalType::INTEGER};
  const model::Column must{"v", LogicalType::INTEGER, false};
  EXPECT_EQ(One("string v = 1;",
                "\x0a\x03"
                "abc",
                text),
            "abc");
  EXPECT_EQ(One("string v = 1;",
                "\x0a\x04"
                "abc",
                text),
            "malformed: not a message \"shop.M\": the bytes are no field, 5 before the message's "
            "end");
  EXPECT_EQ(One("string v = 1;", "\x0a\x02\xff\xfe", text),
            "malformed v: \"\xEF\xBF\xBD\xEF\xBF\xBD\" is not valid UTF-8");
  EXPECT_EQ(One("int64 v = 1;", "\x08\x80\x80\x80\x80\x10", number),
            "type v: 4294967296 does not fit into an INT");
  EXPECT_EQ(One("int64 v = 1;", "\x08\x05", text),
            "type v: a Protobuf int64 cannot be read as a STRING");
  EXPECT_EQ(One("optional int32 v = 1;", "", must), "null v: null in a NOT NULL column");
  EXPECT_EQ(One("int32 v = 1;", "", must), "0");
  EXPECT_EQ(One("int32 w = 1;", "\x08\x05", must),
            "null v: the message has no such field, which is NOT NULL");
  EXPECT_EQ(One("int32 v = 1;", "\x0a\x01x", number), "0") << "of another wire type: unknown";
  EXPECT_EQ(One("E v = 1;", "\x08\x01", text), "ONE");
  EXPECT_EQ(One("E v = 1;", "\x08\x09", text), "9");
  EXPECT_EQ(One("optional int32 v = 1;", "", number), "NULL");
  EXPECT_EQ(One("optional int32 v = 1;", "", number, {{"protobuf.read-default-values", "true"}}),
            "0");
  EXPECT_EQ(One("int32 v = 1;", std::string(1, '\0'), number).substr(0, 9), "malformed");
}

TEST(Protobuf, AnEnumIsWrittenByItsName) {
  const std::string body =
      "enum E { ZERO = 0; ONE = 1; LAST = -7; } message M { E v = 1; repeated E l = 2; }";
  const model::Schema schema{
      {{"v", LogicalType::VARCHAR}, {"l", LogicalType::LIST(LogicalType::VARCHAR)}}};
  struct Case {
    const char* value;
    std::string fault;
  };
  const std::string named = ": ZERO, ONE, LAST";
  for (const bool closed : {false, true}) {
    std::string source = closed ? "syntax = \"proto2\"; package shop; " + body : Proto3(body);
    if (closed) source.replace(source.find("E v"), 3, "optional E v");
    const OptionMap options = {{"protobuf.schema", source}, {"protobuf.message-class-name", "M"}};
    const auto refused = [](const std::string& text) {
      return "not a message \"shop.M\": \"" + text + "\" is no value of enum \"E\" in field \"v\"";
    };
    for (const Case& one :
         {Case{"ONE", ""}, Case{"ZERO", ""}, Case{"LAST", ""}, Case{"-7", ""},
          Case{"9", closed ? refused("9") : ""}, Case{"one", refused("one")}, Case{"", refused("")},
          Case{"1 ", refused("1 ")}, Case{"99999999999", refused("99999999999")}}) {
      auto encoder = NewEncoder("protobuf", schema, options);
      ASSERT_TRUE(encoder.ok()) << encoder.status().ToString();
      duckdb::DataChunk chunk;
      chunk.Initialize(duckdb::Allocator::DefaultAllocator(), schema.Types());
      chunk.SetValue(0, 0, duckdb::Value(one.value));
      chunk.SetValue(1, 0, duckdb::Value::LIST({duckdb::Value("LAST"), duckdb::Value("ONE")}));
      chunk.SetCardinality(1);
      std::string record;
      (*encoder)->EncodeRow(chunk, 0, record);
      const auto fault = (*encoder)->TakeFault();
      EXPECT_EQ(fault.value_or(""), one.fault.empty() ? "" : one.fault + named) << one.value;
      if (fault) continue;
      RowFixture read("protobuf", schema, options);
      read.Decode({record});
      ASSERT_EQ(read.size(), 1u);
      const std::string number = one.value;
      EXPECT_EQ(read.Value(0, 0).ToString(), number == "-7" ? "LAST" : number);
      EXPECT_EQ(read.Value(1, 0).ToString(), "[LAST, ONE]");
    }
  }
}

TEST(Protobuf, FindsItsMessage) {
  const std::string schema =
      Proto3("message A { string v = 2; } message B { message C { int32 v = 1; } }");
  for (const char* name : {"shop.B.C", "B.C", "com.example.B$C", "com.example.OrdersProto$B$C"}) {
    RowFixture rows("protobuf", {{{"v", LogicalType::INTEGER}}},
                    {{"protobuf.schema", schema}, {"protobuf.message-class-name", name}});
    EXPECT_EQ(rows.One("\x08\x07"), "7") << name;
  }
  auto refusal = [&](const OptionMap& options, const model::Column& column) {
    auto made = NewEncoder("protobuf", {{column}}, options);
    return made.ok() ? "taken" : made.status().message();
  };
  const model::Column number{"v", LogicalType::INTEGER};
  EXPECT_EQ(refusal({{"protobuf.schema", schema}, {"protobuf.message-class-name", "D"}}, number),
            "option \"protobuf.message-class-name\" names the message \"D\", which the schema does "
            "not have");
  EXPECT_EQ(refusal({{"protobuf.schema", schema}}, number),
            "column \"v\": an INT cannot be written as a Protobuf string");
  EXPECT_EQ(refusal({{"protobuf.schema", schema}}, {"w", LogicalType::VARCHAR}),
            "message \"shop.A\" has no field \"w\" for the column");
  EXPECT_EQ(refusal({{"protobuf.schema", "message {"}}, number).substr(0, 50),
            "option \"protobuf.schema\" is no Protobuf schema: li");
  EXPECT_EQ(refusal({}, {"l", LogicalType::LIST(LogicalType::LIST(LogicalType::DATE))}),
            "column \"l\": Protobuf has no ARRAY of an ARRAY");
  EXPECT_EQ(refusal({}, {"a b", LogicalType::VARCHAR}),
            "column \"a b\": Protobuf allows only letters, digits and _ in the name of a field");
}

}  // namespace
}  // namespace millrace::format
