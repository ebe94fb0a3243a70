// Compatibility against Apache Avro's own checker (tests/support/avro_compatibility_oracle.py), and
// what the messages say.
#include "registry/avro_compatibility.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/strings.h"
#include "format/python_oracle.h"

namespace millrace::registry {
namespace {

using format::AvroSchema;

std::vector<std::string> AskOracle(const std::string& arguments) {
  return format::LinesOfPython(SCHEMA_CLIENTS_DIR, "avro_compatibility_oracle.py " + arguments);
}

std::vector<Incompatibility> CheckTexts(const std::string& reader, const std::string& writer) {
  auto reads = *AvroSchema::Parse(reader);
  auto wrote = *AvroSchema::Parse(writer);
  return CheckAvro(reads->root(), wrote->root(), "the new schema", "version 3");
}

TEST(AvroCompatibility, AgreesWithApacheAvro) {
  const auto lines = AskOracle("11 3000");
  ASSERT_EQ(lines.size(), 3000u);
  int compatible = 0;
  for (const std::string& line : lines) {
    simdjson::dom::parser parser;
    simdjson::dom::element json = parser.parse(line);
    const bool expected = json["compatible"].get_bool();
    const auto found =
        CheckTexts(simdjson::minify(json["reader"]), simdjson::minify(json["writer"]));
    ASSERT_EQ(found.empty(), expected) << line << (found.empty() ? "" : found[0].message);
    compatible += expected ? 1 : 0;
  }
  // Both answers are common enough to mean something.
  EXPECT_GT(compatible, 500);
  EXPECT_LT(compatible, 2500);
}

std::string Record(const std::string& fields) {
  return R"({"type":"record","name":"Order","fields":[)" + fields + "]}";
}

TEST(AvroCompatibility, SaysWhatAndWhere) {
  auto say = [](const std::string& reader, const std::string& writer) {
    std::string said;
    for (const Incompatibility& one : CheckTexts(Record(reader), Record(writer))) {
      said += one.kind + " " + one.path + " " + one.message + "\n";
    }
    return said;
  };
  EXPECT_EQ(say(R"({"name":"id","type":"long"},{"name":"at","type":"long"})",
                R"({"name":"id","type":"int"})"),
            "READER_FIELD_MISSING_DEFAULT_VALUE /fields/1 field \"at\" has no default in the new "
            "schema, and is missing in version 3\n");
  EXPECT_EQ(
      say(R"({"name":"id","type":"int"},{"name":"s","type":["null","int"]})",
          R"({"name":"id","type":"long"},{"name":"s","type":["null","string"]})"),
      "TYPE_MISMATCH /fields/0/type the type is int in the new schema, but long in version 3\n"
      "MISSING_UNION_BRANCH /fields/1/type version 3 has values of type string, which is none "
      "of the union's types in the new schema: null, int\n");
  const std::string color = R"({"name":"c","type":{"type":"enum","name":"Color","symbols":[)";
  EXPECT_EQ(say(color + "\"RED\"]}}", color + "\"RED\",\"BLUE\"]}}"),
            "MISSING_ENUM_SYMBOLS /fields/0/type/symbols enum \"Color\" has the symbols BLUE in "
            "version 3, which the new schema does not know\n");
  EXPECT_EQ(say(color + "\"RED\"],\"default\":\"RED\"}}", color + "\"RED\",\"BLUE\"]}}"), "");
  // A list: the type stands in itself.
  const std::string list = R"({"name":"next","type":["null","Order"],"default":null})";
  EXPECT_EQ(say(list + R"(,{"name":"v","type":"long"})", list + R"(,{"name":"v","type":"int"})"),
            "");
}

}  // namespace
}  // namespace millrace::registry
