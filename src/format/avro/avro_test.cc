// Avro both ways against fastavro (tests/support/avro_oracle.py), and what happens to bytes that
// are not of their schema.
#include <fmt/format.h>
#include <simdjson.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "format/avro/avro_options.h"
#include "format/avro/avro_resolver.h"
#include "format/avro/avro_schema.h"
#include "format/avro/avro_table_schema.h"
#include "format/confluent.h"
#include "format/memory_registry.h"
#include "format/python_oracle.h"
#include "format/row_fixture.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;
using Json = simdjson::dom::element;

std::string WithHeader(int32_t id, std::string_view record) {
  std::string bytes;
  AppendConfluentHeader(id, bytes);
  return bytes + std::string(record);
}

std::vector<std::string> AskOracle(const std::string& arguments) {
  return LinesOfPython(SCHEMA_CLIENTS_DIR, "avro_oracle.py " + arguments);
}

TEST(Avro, ReadsAndResolvesAsFastavroDoes) {
  const auto lines = AskOracle("generate 7 300");
  ASSERT_EQ(lines.size(), 300u);
  duckdb::DuckDB database(nullptr);
  duckdb::Connection connection(database);
  for (const std::string& line : lines) {
    simdjson::dom::parser parser;
    Json json = parser.parse(line);
    auto registry = std::make_shared<MemoryRegistry>();
    registry->schemas.push_back({"AVRO", simdjson::minify(json["writer"]), {}});
    std::vector<std::string> encoded;
    std::vector<std::string> rows;
    auto writer = *AvroSchema::Parse(registry->schemas[0].text);
    auto reader = *AvroSchema::Parse(simdjson::minify(json["reader"]));
    AvroResolver resolver;
    for (Json record : json["records"].get_array()) {
      const std::string bytes = FromHex(record["bytes"].get_string().value());
      ASSERT_EQ(resolver.Fault(reader->root(), writer->root(), bytes), std::nullopt) << line;
      encoded.push_back(WithHeader(1, bytes));
      rows.push_back(simdjson::minify(record["row"]));
    }
    const model::Schema schema = ColumnsOf(json, connection);
    RowFixture expected("json", schema);
    expected.Decode(rows);
    RowFixture actual("avro-confluent", schema,
                      {{"avro-confluent.schema", simdjson::minify(json["reader"])}}, {}, true, {},
                      registry);
    actual.Decode(encoded);
    ExpectSame(expected, actual, line);
  }
}

TEST(AvroResolver, SaysWhichRecordsCannotBeRead) {
  auto record = [](const std::string& fields) {
    return R"({"type":"record","name":"r","fields":[)" + fields + "]}";
  };
  auto fault = [&](const std::string& reader, const std::string& writer, const std::string& bytes) {
    auto reads = *AvroSchema::Parse(record(reader));
    auto wrote = *AvroSchema::Parse(record(writer));
    return AvroResolver().Fault(reads->root(), wrote->root(), bytes).value_or("read");
  };
  const std::string either = R"({"name":"v","type":["null","string"]})";
  const std::string number = R"({"name":"v","type":["null","int"]})";
  EXPECT_EQ(fault(number, either, std::string(1, '\0')), "read") << "this one is null";
  EXPECT_EQ(fault(number, either, "\x02\x02x"),
            "v: a value of type string cannot be read as union");
  const std::string colors =
      R"({"name":"v","type":{"type":"enum","name":"c","symbols":["A","B"]}})";
  const std::string fewer = R"({"name":"v","type":{"type":"enum","name":"c","symbols":["A"]}})";
  EXPECT_EQ(fault(fewer, colors, std::string(1, '\0')), "read");
  EXPECT_EQ(fault(fewer, colors, "\x02"), "v: enum \"c\" has no symbol \"B\"");
  const std::string inner = R"({"name":"in","type":{"type":"array","items":{"type":"record",
      "name":"s","fields":[{"name":"a","type":"int"}]}}})";
  const std::string wider = R"({"name":"in","type":{"type":"array","items":{"type":"record",
      "name":"s","fields":[{"name":"a","type":"int"},{"name":"b","type":"int"}]}}})";
  EXPECT_EQ(fault(wider, inner, std::string(1, '\0')), "read") << "no element, no fault";
  EXPECT_EQ(fault(wider, inner, std::string("\x02\x02\0", 3)),
            "in.b: the field has no default, and the record does not have it");
  EXPECT_EQ(fault(number, number, "\x02\x02\x02"), "bytes are left over");
  EXPECT_EQ(fault(number, number, "\x02"), "v: the bytes are no int");
}

// Every type, with NULLs and values of every kind; what Avro holds in milliseconds has no more.
std::vector<std::string> Documents() {
  return {
      R"({"b":true,"i8":-128,"i16":32767,"i32":-2147483648,"i64":9223372036854775807,"f":1.5,
          "d":-1e300,"dec":"-12345.67","wide":"99999999999999999999999999999999999999","t":"é\u0000",
          "by":"AP8=","day":"0001-01-01","clock":"23:59:59.999","ts":"1969-12-31 23:59:59.999",
          "tz":"2262-01-01 00:00:00.001Z","list":[1,null,3],"row":{"x":1,"y":["a",null]},
          "map":{"k":{"x":null,"y":null},"l":null},"must":1})",
      R"({"must":-1})",
      R"({"dec":"0.00","wide":"-1","t":"","by":"","list":[],"map":{},"row":{"x":null,"y":[]},
          "must":0})",
  };
}

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
           {"day", LogicalType::DATE},
           {"clock", LogicalType::TIME},
           {"ts", LogicalType::TIMESTAMP},
           {"tz", LogicalType::TIMESTAMP_TZ},
           {"list", LogicalType::LIST(LogicalType::INTEGER)},
           {"row", row},
           {"map", LogicalType::MAP(LogicalType::VARCHAR, row)},
           {"must", LogicalType::INTEGER, false}}};
}

TEST(Avro, WritesWhatFastavroAndWeReadAsTheSame) {
  for (const OptionMap& options :
       {OptionMap{}, OptionMap{{"avro.timestamp_mapping.legacy", "false"}}}) {
    RowFixture original("json", EveryType());
    original.Decode(Documents());
    ASSERT_EQ(original.size(), 3u) << original.errors[0].message;
    auto encoder = *NewEncoder("avro", EveryType(), options);
    const auto records = EncodeAll(*encoder, original.chunk());

    RowFixture ours("avro", EveryType(), options);
    ours.Decode(records);
    ExpectSame(original, ours, "read by us");

    std::vector<ColumnType> types;
    for (const auto& column : EveryType().columns) types.push_back(*MakeColumnType(column.type));
    const std::string schema = *AvroSchemaOf(EveryType(), types, !options.empty());
    std::vector<std::string> hex;
    for (const std::string& record : records) hex.push_back("\"" + ToHex(record) + "\"");
    const auto path = std::filesystem::temp_directory_path() /
                      fmt::format("avro_test.{}.json", static_cast<int>(getpid()));
    std::ofstream(path) << R"({"schema":)" << schema << R"(,"bytes":[)" << Join(hex, ",") << "]}\n";
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
}

TEST(Avro, WritesToASchemaOfTheTablesOwn) {
  const std::string own = R"({"type":"record","name":"Order","fields":[
      {"name":"source","type":"string","default":"web"},
      {"name":"id","type":"long"},
      {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
      {"name":"note","type":["string","null"]}]})";
  const model::Schema schema = {{{"at", LogicalType::TIMESTAMP, false},
                                 {"note", LogicalType::VARCHAR},
                                 {"id", LogicalType::BIGINT, false}}};
  auto registry = std::make_shared<MemoryRegistry>();
  const OptionMap options = {{"avro-confluent.schema", own},
                             {"avro-confluent.subject", "orders-value"}};
  auto encoder = *NewEncoder("avro-confluent", schema, options, registry.get());
  EXPECT_EQ(registry->subjects, std::vector<std::string>{"orders-value"});
  RowFixture rows("json", schema);
  rows.Decode({R"({"at":"2024-01-01 00:00:00.000001","note":null,"id":7})"});
  const auto records = EncodeAll(*encoder, rows.chunk());
  model::Schema wider = schema;
  wider.columns.push_back({"source", LogicalType::VARCHAR});
  RowFixture read("avro-confluent", wider, {}, {}, true, {}, registry);
  read.Decode(records);
  ASSERT_EQ(read.size(), 1u) << read.errors[0].message;
  EXPECT_EQ(read.Value(0, 0).ToString(), "2024-01-01 00:00:00.000001");
  EXPECT_TRUE(read.Value(1, 0).IsNull());
  EXPECT_EQ(read.Value(2, 0).ToString(), "7");
  EXPECT_EQ(read.Value(3, 0).ToString(), "web");
}

TEST(Avro, RefusesTablesThatTheirSchemaHasNoPlaceFor) {
  auto refusal = [](const std::string& fields, const model::Column& column) {
    const std::string own = R"({"type":"record","name":"r","fields":[)" + fields + "]}";
    auto made = NewEncoder("avro", {{column}}, {{"avro.schema", own}});
    return made.ok() ? "taken" : made.status().message();
  };
  EXPECT_EQ(refusal(R"({"name":"a","type":"int"})", {"v", LogicalType::INTEGER, false}),
            "record \"r\" has no field \"v\" for the column");
  EXPECT_EQ(refusal(R"({"name":"v","type":"int"})", {"v", LogicalType::INTEGER}),
            "column \"v\": it may be NULL, but the Avro schema has no null in its place");
  EXPECT_EQ(refusal(R"({"name":"v","type":"string"})", {"v", LogicalType::INTEGER, false}),
            "column \"v\": an INT cannot be written as an Avro string");
  EXPECT_EQ(refusal(R"({"name":"v","type":"int"},{"name":"w","type":"int"})",
                    {"v", LogicalType::INTEGER, false}),
            "field \"w\" of record \"r\" has no default, and no column to take it from");
  EXPECT_EQ(refusal(R"({"name":"v","type":["null","long"]})", {"v", LogicalType::INTEGER}),
            "taken");
}

// What becomes of one record of a schema with this one field.
std::string One(const std::string& type, const std::string& record, const model::Column& column) {
  auto registry = std::make_shared<MemoryRegistry>();
  registry->schemas.push_back(
      {"AVRO", R"({"type":"record","name":"r","fields":[{"name":"v","type":)" + type + "}]}", {}});
  RowFixture rows("avro-confluent", {{column}}, {}, {}, true, {}, registry);
  return rows.One(WithHeader(1, record));
}

TEST(Avro, ABadRecordIsARowError) {
  const model::Column text{"v", LogicalType::VARCHAR};
  const model::Column number{"v", LogicalType::INTEGER};
  EXPECT_EQ(One("\"string\"",
                "\x06"
                "abc",
                text),
            "abc");
  EXPECT_EQ(One("\"string\"",
                "\x08"
                "abc",
                text),
            "malformed v: the bytes are not of the schema: no Avro string here, 4 bytes before the "
            "record's end");
  EXPECT_EQ(One("\"string\"", "\x04\xff\xfe", text),
            "malformed v: \"\xEF\xBF\xBD\xEF\xBF\xBD\" is not valid UTF-8");
  EXPECT_EQ(One("\"int\"", "\x02\x02", number),
            "malformed: not a record of this Avro schema: 1 bytes are left over");
  EXPECT_EQ(One("\"int\"", "\x80\x80\x80\x80\x80\x01", number),
            "malformed v: 17179869184 is not an Avro int");
  EXPECT_EQ(One("\"long\"", "\x02", number), "type v: an Avro long cannot be read as an INT");
  EXPECT_EQ(One("[\"int\",\"string\"]", std::string("\0\x02", 2), number), "1");
  EXPECT_EQ(One("[\"int\",\"string\"]",
                "\x02\x02"
                "a",
                number),
            "type v: an Avro string cannot be read as an INT");
  EXPECT_EQ(One("[\"int\",\"string\"]", "\x06", number),
            "malformed v: branch 3 of a union of 2 types");
  EXPECT_EQ(One("\"int\"", std::string("\xd0\x0f", 2), {"v", LogicalType::TINYINT}),
            "type v: 1000 does not fit into a TINYINT");
  EXPECT_EQ(One("[\"null\",\"int\"]", std::string(1, '\0'), {"v", LogicalType::INTEGER, false}),
            "null v: null in a NOT NULL column");
  EXPECT_EQ(One(R"({"type":"array","items":"null"})", "\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                {"v", LogicalType::LIST(LogicalType::INTEGER)})
                .substr(0, 12),
            "malformed v:");
  EXPECT_EQ(One("\"int\"", "\x02", {"w", LogicalType::INTEGER, false}),
            "null w: the record's schema has no such field, which is NOT NULL");
  EXPECT_EQ(One("\"int\"", "\x02", {"w", LogicalType::INTEGER}), "NULL");
  EXPECT_EQ(
      One(R"({"type":"map","values":{"type":"array","items":["int","string"]}})",
          std::string("\x02\x02kX", 3) + std::string("\x02\x02\x02x\0\0", 6),
          {"v", LogicalType::MAP(LogicalType::VARCHAR, LogicalType::LIST(LogicalType::INTEGER))}),
      "type v[\"k\"][0]: an Avro string cannot be read as an INT");
}

TEST(Avro, ARecordMustNameASchemaThatThereIs) {
  auto registry = std::make_shared<MemoryRegistry>();
  registry->schemas.push_back({"JSON", "{}", {}});
  registry->schemas.push_back({"AVRO", "\"string\"", {}});
  RowFixture rows("avro-confluent", OneColumn(LogicalType::INTEGER), {}, {}, true, {}, registry);
  EXPECT_EQ(rows.One(WithHeader(9, "\x02")),
            "malformed: schema 9: the registry has no such schema");
  EXPECT_EQ(rows.One(WithHeader(1, "\x02")), "malformed: schema 1: its type is JSON, not AVRO");
  EXPECT_EQ(rows.One(WithHeader(2, "\x02")),
            "malformed: schema 2: the schema is of type string, not a record");
  EXPECT_EQ(rows.One("{\"v\": 1}").substr(0, 43), "malformed: not a record of avro-confluent: ");
  EXPECT_EQ(rows.One("").substr(0, 43), "malformed: not a record of avro-confluent: ");

  registry->reachable = false;
  DecoderOptions options{"avro-confluent", OneColumn(LogicalType::INTEGER), {0}, {}};
  options.registry = registry;
  auto decoder = *NewDecoder(options);
  const std::string bytes = WithHeader(1, "\x02");
  model::Record record;
  record.value = bytes;
  const Status status = decoder->Prepare({&record, 1});
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(status.retry(), Retry::kBackoff);
}

TEST(AvroSchema, SaysWhatIsWrongAndWhere) {
  auto fault = [](const std::string& text) {
    auto parsed = AvroSchema::Parse(text);
    return parsed.ok() ? "parsed" : parsed.status().message();
  };
  auto field = [&](const std::string& json) {
    return fault(R"({"type":"record","name":"r","fields":[{"name":"a","type":"int"},)" + json +
                 "]}");
  };
  EXPECT_EQ(fault("string"), "parsed");
  EXPECT_EQ(fault("\"strin\""), "there is no type \"strin\"");
  EXPECT_EQ(fault("{").substr(0, 28), "the schema is not valid JSON");
  EXPECT_EQ(field(R"({"name":"a","type":"int"})"),
            "record \"r\" has two fields \"a\" (at fields/1)");
  EXPECT_EQ(field(R"({"name":"b","type":["int","int"]})"),
            "the union has int twice (at fields/1/type/1)");
  EXPECT_EQ(field(R"({"name":"b","type":"int","default":"x"})"),
            "the default \"x\" is not of type int (at fields/1)");
  EXPECT_EQ(field(R"({"name":"b","type":{"type":"enum","name":"e","symbols":["A","A"]}})"),
            "enum \"e\" has the symbol \"A\" twice (at fields/1/type)");
  EXPECT_EQ(field(R"({"name":"b","type":{"type":"array"}})"),
            "the array has no \"items\" (at fields/1/type)");
  EXPECT_EQ(field(R"({"name":"b","type":["null","r"],"default":null})"), "parsed");
  EXPECT_EQ(fault(R"({"type":"record","name":"a.b","fields":[
                        {"name":"x","type":{"type":"fixed","name":"f","size":2}},
                        {"name":"y","type":"a.f"},{"name":"z","type":"f"}]})"),
            "parsed");
}

}  // namespace
}  // namespace millrace::format
