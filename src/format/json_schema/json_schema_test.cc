// JSON Schema: what is valid, against jsonschema (tests/support/json_compatibility_oracle.py), and
// the format 'json-schema' both ways.
#include <gtest/gtest.h>

#include "base/strings.h"
#include "format/confluent.h"
#include "format/json_schema/json_schema_options.h"
#include "format/json_schema/json_validator.h"
#include "format/memory_registry.h"
#include "format/python_oracle.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

std::string FaultOf(const std::string& schema, const std::string& document) {
  auto parsed = JsonSchema::Parse(schema);
  EXPECT_TRUE(parsed.ok()) << parsed.status().ToString();
  simdjson::dom::parser parser;
  return JsonSchemaFault((*parsed)->root(), parser.parse(document)).value_or("valid");
}

TEST(JsonSchema, IsValidWhatJsonschemaSays) {
  const auto lines =
      LinesOfPython(SCHEMA_CLIENTS_DIR, "json_compatibility_oracle.py 7 1500 documents");
  ASSERT_EQ(lines.size(), 1500u);
  int valid = 0, all = 0;
  for (const std::string& line : lines) {
    simdjson::dom::parser parser;
    simdjson::dom::element json = parser.parse(line);
    const std::string schema = simdjson::minify(json["schema"]);
    for (simdjson::dom::element document : json["documents"].get_array()) {
      const bool expected = document["valid"].get_bool();
      const std::string text = simdjson::minify(document["value"]);
      ASSERT_EQ(FaultOf(schema, text) == "valid", expected) << schema << "\n"
                                                            << text << "\n"
                                                            << FaultOf(schema, text);
      valid += expected ? 1 : 0;
      all++;
    }
  }
  // Both answers are common enough to mean something.
  EXPECT_GT(valid, all / 5);
  EXPECT_LT(valid, all * 4 / 5);
}

TEST(JsonSchema, SaysWhyADocumentIsNotValid) {
  EXPECT_EQ(FaultOf(R"({"properties":{"a":{"items":{"type":"integer"}}}})", R"({"a":[1,"x"]})"),
            "/a/1: \"x\" is no integer");
  EXPECT_EQ(FaultOf(R"({"required":["id"]})", "{}"), "/: \"id\" is missing");
  EXPECT_EQ(FaultOf(R"({"properties":{},"additionalProperties":false})", R"({"b":1})"),
            "/b: the schema has no such property, and allows no others");
  EXPECT_EQ(FaultOf(R"({"enum":["a","b"]})", R"("c")"), "/: \"c\" is none of \"a\", \"b\"");
  EXPECT_EQ(FaultOf(R"({"enum":[1]})", "1.0"), "valid");
  EXPECT_EQ(FaultOf(R"({"maxLength":2})", R"("éé")"), "valid") << "characters, not bytes";
  EXPECT_EQ(FaultOf(R"({"type":"string","pattern":"^a+$"})", R"("ab")"),
            "/: \"ab\" does not match \"^a+$\"");
  EXPECT_EQ(FaultOf(R"({"oneOf":[{"type":"integer"},{"minimum":0}]})", "1"),
            "/: 1 is of 2 schemas at once");
  EXPECT_EQ(FaultOf(R"({"dependencies":{"a":["b"]}})", R"({"a":1})"),
            "/: \"b\" is missing, where \"a\" is");
  EXPECT_EQ(FaultOf(R"({"allOf":[{"$ref":"#"}]})", "1").substr(0, 21), "/: the schema or the ");
}

model::Schema Columns() {
  const LogicalType row = LogicalType::STRUCT({{"x", LogicalType::BIGINT}});
  return {{{"id", LogicalType::BIGINT, false},
           {"price", LogicalType::DECIMAL(9, 2)},
           {"ratio", LogicalType::DOUBLE},
           {"note", LogicalType::VARCHAR},
           {"by", LogicalType::BLOB},
           {"at", LogicalType::TIMESTAMP},
           {"day", LogicalType::DATE},
           {"ok", LogicalType::BOOLEAN},
           {"list", LogicalType::LIST(LogicalType::INTEGER)},
           {"row", row},
           {"map", LogicalType::MAP(LogicalType::VARCHAR, row)}}};
}

TEST(JsonSchemaFormat, ReadsWhatItWritesByTheSchemaOfTheTable) {
  for (const char* ignore_null : {"false", "true"}) {
    auto registry = std::make_shared<MemoryRegistry>();
    RowFixture original("json", Columns());
    original.Decode({R"({"id":1,"price":"1.50","ratio":0.5,"note":"é","by":"AP8=","ok":true,
                         "at":"2024-01-01 00:00:00.5","day":"2024-01-31","list":[1,null],
                         "row":{"x":1},"map":{"k":{"x":null},"l":null}})",
                     R"({"id":2,"ratio":"NaN"})"});
    ASSERT_EQ(original.size(), 2u) << original.errors[0].message;
    const OptionMap options = {{"json-schema.subject", "t-value"},
                               {"json-schema.encode.ignore-null-fields", ignore_null}};
    auto encoder = *NewEncoder("json-schema", Columns(), options, registry.get());
    EXPECT_EQ(registry->subjects, std::vector<std::string>{"t-value"});
    RowFixture read("json-schema", Columns(), {}, {}, true, {}, registry);
    read.Decode(EncodeAll(*encoder, original.chunk()));
    ExpectSame(original, read, registry->schemas[0].text);
  }
}

TEST(JsonSchemaFormat, ADocumentThatIsNotValidIsNoRow) {
  auto registry = std::make_shared<MemoryRegistry>();
  registry->schemas.push_back(
      {"JSON", R"({"properties":{"id":{"type":"integer","minimum":1}}})", {}});
  registry->schemas.push_back({"AVRO", "\"string\"", {}});
  registry->schemas.push_back(
      {"JSON", R"({"$ref":"id.json"})", {{"id.json", R"({"required":["id"]})"}}});
  std::string header;
  AppendConfluentHeader(1, header);
  auto record = [&](char id, const std::string& text) {
    std::string bytes = header + text;
    bytes[kConfluentHeader - 1] = id;
    return bytes;
  };
  RowFixture rows("json-schema", {{{"id", LogicalType::INTEGER}}}, {}, {}, true, {}, registry);
  rows.Decode({record(1, R"({"id": 7})"), record(1, R"({"id": 0})"), record(1, R"({"id": "x"})"),
               record(1, "{"), record(2, "{}"), record(9, "{}"), "{}", record(3, "{}"),
               record(3, R"({"id": "x"})"), record(1, R"({})")});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows.Value(0, 0).ToString() + rows.Value(0, 1).ToString(), "7NULL");
  std::vector<std::string> faults;
  for (const auto& error : rows.errors) {
    faults.push_back(std::to_string(error.record_index) + " " + error.message);
  }
  EXPECT_EQ(faults[0], "1 not valid in schema 1: /id: 0 against \"minimum\" of 1");
  EXPECT_EQ(faults[1], "2 not valid in schema 1: /id: \"x\" is no integer");
  EXPECT_EQ(faults[2].substr(0, 11), "3 not JSON:");
  EXPECT_EQ(faults[3], "4 schema 2: its type is AVRO, not JSON");
  EXPECT_EQ(faults[4], "5 schema 9: the registry has no such schema");
  EXPECT_EQ(faults[5].substr(0, 29), "6 not a record of json-schema");
  EXPECT_EQ(faults[6], "7 not valid in schema 3: /: \"id\" is missing");
  EXPECT_EQ(faults[7].substr(0, 6), "8 \"x\" ") << "valid, but no INT";
}

constexpr const char* kStrict =
    R"({"type":"object","properties":{"id":{"type":"integer","minimum":1},"note":{"type":"string"}},
        "required":["id"],"additionalProperties":false})";

const model::Schema kIdAndNote = {
    {{"id", LogicalType::BIGINT, false}, {"note", LogicalType::VARCHAR}}};

TEST(JsonSchemaFormat, WritesWithASchemaThatIsGiven) {
  auto registry = std::make_shared<MemoryRegistry>();
  OptionMap options = {{"json-schema.subject", "t-value"},
                       {"json-schema.schema", kStrict},
                       {"json-schema.encode.ignore-null-fields", "true"}};
  auto encoder = *NewEncoder("json-schema", kIdAndNote, options, registry.get());
  ASSERT_EQ(registry->schemas.size(), 1u);
  EXPECT_EQ(registry->schemas[0].text, kStrict);
  RowFixture rows("json", kIdAndNote);
  rows.Decode({R"({"id":1,"note":"a"})", R"({"id":2})", R"({"id":0})"});
  std::vector<std::string> records(3);
  encoder->Bind(rows.chunk());
  encoder->EncodeBound(0, records[0]);
  encoder->EncodeBound(1, records[1]);
  EXPECT_EQ(encoder->TakeFault(), std::nullopt);
  EXPECT_EQ(records[1], std::string("\0\0\0\0\1", 5) + R"({"id":2})");
  encoder->EncodeBound(2, records[2]);
  EXPECT_EQ(encoder->TakeFault(),
            R"(not valid in schema 1: /id: 0 against "minimum" of 1: {"id":0})");
  EXPECT_EQ(encoder->TakeFault(), std::nullopt) << "it was taken";

  // NULL as null is another document, which this schema does not allow.
  options.erase("json-schema.encode.ignore-null-fields");
  encoder = *NewEncoder("json-schema", kIdAndNote, options, registry.get());
  EXPECT_EQ(EncodeAll(*encoder, rows.chunk()).size(), 3u);
  EXPECT_EQ(encoder->TakeFault()->substr(0, 29), "not valid in schema 2: /note:");
}

TEST(JsonSchemaFormat, WritesWithTheLatestSchemaOfItsSubject) {
  auto registry = std::make_shared<MemoryRegistry>();
  const OptionMap options = {{"json-schema.subject", "t-value"},
                             {"json-schema.use-latest-version", "true"}};
  auto refusal = [&](const OptionMap& given) {
    return NewEncoder("json-schema", kIdAndNote, given, registry.get()).status().message();
  };
  EXPECT_EQ(refusal(options), "subject \"t-value\" has no schema to write with");
  ASSERT_TRUE(registry->Register("t-value", {"JSON", "{}", {}}).ok());
  ASSERT_TRUE(registry->Register("t-value", {"JSON", kStrict, {}}).ok());
  ASSERT_TRUE(registry->Register("u-value", {"AVRO", "\"string\"", {}}).ok());
  auto encoder = *NewEncoder("json-schema", kIdAndNote, options, registry.get());
  EXPECT_EQ(registry->schemas.size(), 3u) << "nothing is registered";
  RowFixture rows("json", kIdAndNote);
  rows.Decode({R"({"id":-1,"note":"a"})"});
  EXPECT_EQ(EncodeAll(*encoder, rows.chunk())[0],
            std::string("\0\0\0\0\2", 5) + R"({"id":-1,"note":"a"})");
  EXPECT_EQ(encoder->TakeFault()->substr(0, 27), "not valid in schema 2: /id:");

  OptionMap avro = options;
  avro["json-schema.subject"] = "u-value";
  EXPECT_EQ(refusal(avro), "the latest schema of subject \"u-value\" is of type AVRO, not JSON");
  OptionMap both = options;
  both["json-schema.schema"] = kStrict;
  EXPECT_EQ(refusal(both),
            "options \"json-schema.schema\" and \"json-schema.use-latest-version\" both say the "
            "schema");
  const OptionMap none = {{"json-schema.subject", "t-value"}, {"json-schema.schema", "[1]"}};
  EXPECT_EQ(refusal(none).substr(0, 47), "option \"json-schema.schema\" is no JSON Schema: ");
  registry->reachable = false;
  EXPECT_EQ(refusal(options), "nobody answers");
}

}  // namespace
}  // namespace millrace::format
