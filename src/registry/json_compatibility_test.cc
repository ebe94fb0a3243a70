// Compatibility of JSON Schemas: what is called compatible holds for documents (jsonschema checks
// them, tests/support/json_compatibility_oracle.py), and what each change is called.
#include "registry/json_compatibility.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "base/strings.h"
#include "format/python_oracle.h"

namespace millrace::registry {
namespace {

using format::JsonSchema;
using format::NamedSchema;

std::shared_ptr<const JsonSchema> Parsed(const std::string& text,
                                         const std::vector<NamedSchema>& references = {}) {
  auto schema = JsonSchema::Parse(text, references);
  EXPECT_TRUE(schema.ok()) << schema.status().ToString() << "\n" << text;
  return *schema;
}

std::vector<Incompatibility> Check(const std::string& before, const std::string& after) {
  return CheckJson(Parsed(after)->root(), Parsed(before)->root(), "after", "before");
}

// Kinds and places of what `before` allows and `after` does not.
std::string Broken(const std::string& before, const std::string& after) {
  std::vector<std::string> lines;
  for (const Incompatibility& one : Check(before, after)) {
    lines.push_back(one.kind + " " + one.path);
  }
  return Join(lines, ", ");
}

TEST(JsonCompatibility, HoldsForDocuments) {
  const auto lines =
      format::LinesOfPython(SCHEMA_CLIENTS_DIR, "json_compatibility_oracle.py 5 1200");
  ASSERT_EQ(lines.size(), 1200u);
  int compatible = 0, broken = 0;
  for (const std::string& line : lines) {
    simdjson::dom::parser parser;
    simdjson::dom::element json = parser.parse(line);
    const bool breaks = !json["document"].is_null();
    const auto found = Check(simdjson::minify(json["writer"]), simdjson::minify(json["reader"]));
    ASSERT_FALSE(breaks && found.empty()) << line;
    compatible += found.empty() ? 1 : 0;
    broken += breaks ? 1 : 0;
    // What is the same, the same way.
    ASSERT_TRUE(Check(simdjson::minify(json["writer"]), simdjson::minify(json["writer"])).empty())
        << line;
  }
  // Both answers are common enough to mean something.
  EXPECT_GT(compatible, 300);
  EXPECT_GT(broken, 300);
}

struct Change {
  std::string before;
  std::string after;
  std::string forth;  // what breaks when `after` reads what `before` allows; "": nothing
  std::string back;   // the other way round
};

void Expect(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    EXPECT_EQ(Broken(change.before, change.after), change.forth) << change.before << "\n"
                                                                 << change.after;
    EXPECT_EQ(Broken(change.after, change.before), change.back) << change.after << "\n"
                                                                << change.before;
  }
}

TEST(JsonCompatibility, OfValues) {
  Expect({
      {R"({"type":"integer"})", R"({"type":"number"})", "", "TYPE_NARROWED "},
      {R"({"type":"integer"})", R"({"type":"string"})", "TYPE_CHANGED ", "TYPE_CHANGED "},
      {R"({"type":"string"})", R"({"type":["string","null"]})", "", "TYPE_CHANGED "},
      {R"({"type":"string"})", "{}", "", "TYPE_CHANGED "},
      {"false", R"({"type":"string"})", "", "TYPE_CHANGED "},
      {R"({"maxLength":5})", R"({"maxLength":6})", "", "MAX_LENGTH_DECREASED /maxLength"},
      {R"({"type":"string","minLength":5})", R"({"type":"string"})", "",
       "MIN_LENGTH_ADDED /minLength"},
      {R"({"minimum":1})", R"({"minimum":0})", "", "MINIMUM_INCREASED /minimum"},
      {R"({"type":"number"})", R"({"type":"number","exclusiveMaximum":3})",
       "EXCLUSIVE_MAXIMUM_ADDED /exclusiveMaximum", ""},
      // Draft 4 says it another way.
      {R"({"maximum":3,"exclusiveMaximum":true})", R"({"exclusiveMaximum":4})", "",
       "EXCLUSIVE_MAXIMUM_DECREASED /exclusiveMaximum"},
      {R"({"multipleOf":4})", R"({"multipleOf":2})", "", "MULTIPLE_OF_EXPANDED /multipleOf"},
      {R"({"multipleOf":0.3})", R"({"multipleOf":0.1})", "", "MULTIPLE_OF_EXPANDED /multipleOf"},
      {R"({"multipleOf":2})", R"({"multipleOf":3})", "MULTIPLE_OF_CHANGED /multipleOf",
       "MULTIPLE_OF_CHANGED /multipleOf"},
      {R"({"type":"string","pattern":"a"})", R"({"type":"string","pattern":"b"})",
       "PATTERN_CHANGED /pattern", "PATTERN_CHANGED /pattern"},
      {R"({"enum":["a"]})", R"({"enum":["a","b"]})", "", "ENUM_ARRAY_NARROWED /enum"},
      {R"({"enum":["a"]})", R"({"enum":["b"]})", "ENUM_ARRAY_CHANGED /enum",
       "ENUM_ARRAY_CHANGED /enum"},
      {R"({"not":{"type":"string"}})", R"({"not":{"type":"string","minLength":2}})", "",
       "NOT_TYPE_EXTENDED /not"},
  });
}

TEST(JsonCompatibility, OfProperties) {
  auto object = [](const std::string& more) {
    return R"({"type":"object","properties":{"a":{"type":"string"}})" + more + "}";
  };
  const std::string both =
      R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}})";
  const std::string closed = R"(,"additionalProperties":false)";
  const std::string numbers = R"(,"additionalProperties":{"type":"number"})";
  const std::string texts = R"(,"additionalProperties":{"type":"string"})";
  const std::string b = "/properties/b";
  Expect({
      {object(""), both + "}", "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL " + b, ""},
      {object(""), R"({"type":"object","properties":{"a":{"type":"string"},"b":{}}})", "", ""},
      {object(closed), both + closed + "}", "", "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL " + b},
      {object(closed), both + closed + R"(,"required":["b"]})",
       "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL " + b,
       "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL " + b},
      {object(numbers), both + numbers + "}",
       "TYPE_NARROWED " + b + ", PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL " + b,
       ""},
      {both + texts + "}", object(texts),
       "TYPE_CHANGED " + b + ", PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL " + b,
       "TYPE_CHANGED " + b + ", PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL " + b},
      {object(closed), object(""), "", "ADDITIONAL_PROPERTIES_REMOVED /additionalProperties"},
      {object(texts), object(""), "", "ADDITIONAL_PROPERTIES_NARROWED /additionalProperties"},
      {object(R"(,"required":["a"])"), object(""), "", "REQUIRED_ATTRIBUTE_ADDED /required/a"},
      {object(R"(,"dependencies":{"a":["b"]})"), object(""), "",
       "DEPENDENCY_ARRAY_ADDED /dependencies/a"},
      {R"({"properties":{"a":{"type":"string"}}})",
       R"({"properties":{"a":{"type":"string","default":"x"}},"required":["a"]})", "", ""},
  });
}

TEST(JsonCompatibility, OfArrays) {
  Expect({
      {R"({"items":{"type":"integer"}})", R"({"items":{"type":"number"}})", "",
       "TYPE_NARROWED /items"},
      {R"({"type":"array"})", R"({"type":"array","items":{"type":"number"}})",
       "SCHEMA_ADDED /items", ""},
      {R"({"items":[{"type":"string"}]})", R"({"items":[]})", "",
       "ITEM_ADDED_TO_OPEN_CONTENT_MODEL /items/0"},
      {R"({"items":[{"type":"string"}],"additionalItems":false})",
       R"({"items":[],"additionalItems":false})", "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL /items/0",
       ""},
      {R"({"type":"array","uniqueItems":true})", R"({"type":"array"})", "",
       "UNIQUE_ITEMS_ADDED /uniqueItems"},
  });
}

TEST(JsonCompatibility, OfCombinations) {
  const std::string text = R"({"type":"string"})";
  const std::string number = R"({"type":"number"})";
  Expect({
      {R"({"oneOf":[)" + text + "]}", text, "", ""},
      {text, R"({"oneOf":[)" + text + "," + number + "]}", "", "TYPE_CHANGED "},
      {R"({"anyOf":[)" + text + "]}", R"({"anyOf":[)" + number + "," + text + "]}", "",
       "SUM_TYPE_NARROWED /anyOf"},
      {R"({"allOf":[)" + text + R"(,{"maxLength":3}]})", R"({"allOf":[)" + text + "]}", "",
       "PRODUCT_TYPE_EXTENDED /allOf"},
      {R"({"oneOf":[)" + text + "," + number + "]}", R"({"anyOf":[)" + number + "," + text + "]}",
       "", "COMBINED_TYPE_CHANGED "},
      {R"({"type":"string","enum":["a"]})", R"({"type":"string","enum":["a","b"]})", "",
       "ENUM_ARRAY_NARROWED /allOf/0/enum, COMBINED_TYPE_SUBSCHEMAS_CHANGED /allOf"},
  });
}

TEST(JsonCompatibility, FollowsReferences) {
  auto list = [](const std::string& value) {
    return R"({"$ref":"#/definitions/l","definitions":{"l":{"type":"object","properties":{
        "next":{"$ref":"#/definitions/l"},"v":{"type":")" +
           value + R"("}},"additionalProperties":false}}})";
  };
  EXPECT_EQ(Broken(list("integer"), list("number")), "");
  EXPECT_EQ(Broken(list("number"), list("integer")), "TYPE_NARROWED /properties/v");
  EXPECT_EQ(Broken(R"({"$ref":"#"})", list("integer")), "TYPE_CHANGED ");

  const std::string order =
      R"({"$id":"http://shop/order.json","items":{"$ref":"line.json#/$defs/line"}})";
  auto with = [&](const std::string& name, const std::string& type) {
    return Parsed(order, {{name, R"({"$defs":{"line":{"type":")" + type + R"("}}})"}});
  };
  const auto first = with("line.json", "integer");
  EXPECT_TRUE(
      CheckJson(with("http://shop/line.json", "number")->root(), first->root(), "b", "a").empty());
  EXPECT_EQ(CheckJson(with("line.json", "string")->root(), first->root(), "b", "a")[0].message,
            "the type is string in b, but integer in a");
}

TEST(JsonSchema, EndsForSchemasThatAreDeep) {
  std::string chain;
  for (int i = 0; i < 100'000; i++) {
    chain += fmt::format(R"({}"d{}":{{"$ref":"#/definitions/d{}"}})", i > 0 ? "," : "", i, i + 1);
  }
  const std::string deep =
      R"({"$ref":"#/definitions/d0","definitions":{)" + chain + R"(,"d100000":{}}})";
  EXPECT_EQ(JsonSchema::Parse(deep).status().message().substr(0, 54),
            "schemas are nested, or refer to each other, too deeply");
}

TEST(JsonSchema, SaysWhatIsWrong) {
  auto fault = [](const std::string& text) { return JsonSchema::Parse(text).status().message(); };
  EXPECT_EQ(fault(R"({"properties":{"a":{"type":"text"}}})"),
            "\"text\" is no type; one of: array, boolean, integer, null, number, object, string "
            "(at /properties/a)");
  EXPECT_EQ(fault(R"({"items":{"$ref":"#/$defs/x"}})"),
            "it refers to \"#/$defs/x\", which is not there (at /items)");
  EXPECT_EQ(fault("[]"), "a schema is an object, true or false (at /)");
  EXPECT_EQ(fault(R"({"items":{"$ref":"b.json"}})"),
            "it refers to \"b.json\", which is not there (at /items)");
}

}  // namespace
}  // namespace millrace::registry
