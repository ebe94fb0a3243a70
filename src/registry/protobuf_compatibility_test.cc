// Compatibility of Protobuf schemas: what each change is called, where it is, and both ways.
#include "registry/protobuf_compatibility.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace millrace::registry {
namespace {

using format::NamedSchema;
using format::ProtoSchema;

std::string Proto3(const std::string& text) {
  return "syntax = \"proto3\"; package shop; " + text;
}

std::shared_ptr<const ProtoSchema> Parsed(const std::string& text,
                                          const std::vector<NamedSchema>& references = {}) {
  auto schema = ProtoSchema::Parse(text, references);
  EXPECT_TRUE(schema.ok()) << schema.status().ToString() << "\n" << text;
  return *schema;
}

std::string Shown(const std::vector<Incompatibility>& found) {
  std::vector<std::string> lines;
  for (const Incompatibility& one : found) lines.push_back(one.kind + " " + one.path);
  return Join(lines, ", ");
}

// Kinds and places of what a reader with `after` cannot read of what `before` wrote.
std::string Broken(const std::string& before, const std::string& after) {
  return Shown(CheckProtobuf(*Parsed(after), *Parsed(before), "after", "before"));
}

struct Change {
  std::string before;  // the inside of message M
  std::string after;
  std::string forth;  // what breaks when `after` reads what `before` wrote; "": nothing
  std::string back;   // the other way round
};

TEST(ProtobufCompatibility, OfEachChangeOfAField) {
  const std::string scalar = "FIELD_SCALAR_KIND_CHANGED /M/1";
  const std::string kind = "FIELD_KIND_CHANGED /M/1";
  const std::string named = "FIELD_NAMED_TYPE_CHANGED /M/1";
  const std::string label = "FIELD_NUMERIC_LABEL_CHANGED /M/1";
  const std::vector<Change> changes = {
      {"int32 a = 1;", "int32 a = 1; string b = 2;", "", ""},
      {"int32 a = 1;", "int32 renamed = 1;", "", ""},
      {"int32 a = 1;", "bool a = 1;", "", ""},
      {"int64 a = 1;", "E a = 1; enum E { ZERO = 0; }", "", ""},
      {"uint32 a = 1;", "uint64 a = 1;", "", ""},
      {"string a = 1;", "bytes a = 1;", "", ""},
      {"sint32 a = 1;", "sint64 a = 1;", "", ""},
      {"fixed32 a = 1;", "sfixed32 a = 1;", "", ""},
      {"fixed64 a = 1;", "sfixed64 a = 1;", "", ""},
      {"int32 a = 1;", "sint32 a = 1;", scalar, scalar},
      {"int32 a = 1;", "string a = 1;", scalar, scalar},
      {"fixed32 a = 1;", "fixed64 a = 1;", scalar, scalar},
      {"float a = 1;", "double a = 1;", scalar, scalar},
      {"int32 a = 1;", "optional int32 a = 1;", "", ""},
      {"int32 a = 1;", "repeated int32 a = 1;", "", label},
      {"optional int32 a = 1;", "repeated int32 a = 1;", label, label},
      {"string a = 1;", "repeated string a = 1;", "", ""},
      {"M a = 1;", "repeated M a = 1;", "", ""},
      {"int32 a = 1;", "M a = 1;", kind, kind},
      {"M a = 1;", "map<string, M> a = 1;", kind, kind},
      {"map<string, int32> a = 1;", "map<string, int64> a = 1;", "", ""},
      {"map<string, int32> a = 1;", "map<int32, int32> a = 1;", scalar, scalar},
      {"map<string, int32> a = 1;", "map<string, string> a = 1;", scalar, scalar},
      {"map<string, M> a = 1;", "map<string, N> a = 1; message N {}", named,
       named + ", MESSAGE_REMOVED /M/N"},
      {"M a = 1;", "N a = 1; message N {}", named, named + ", MESSAGE_REMOVED /M/N"},
      {"N a = 1; message N { int32 x = 1; }", "N a = 1; message N { float x = 1; }",
       "FIELD_SCALAR_KIND_CHANGED /M/N/1", "FIELD_SCALAR_KIND_CHANGED /M/N/1"},
      {"enum E { A = 0; B = 1; }", "enum E { A = 0; C = 2; }", "", ""},
      {"enum E { A = 0; }", "", "", ""},
  };
  for (const Change& change : changes) {
    const std::string before = Proto3("message M { " + change.before + " }");
    const std::string after = Proto3("message M { " + change.after + " }");
    EXPECT_EQ(Broken(before, after), change.forth) << before << "\n" << after;
    EXPECT_EQ(Broken(after, before), change.back) << after << "\n" << before;
    EXPECT_EQ(Broken(before, before), "") << before;
  }
}

TEST(ProtobufCompatibility, OfFieldsThatAreRequired) {
  auto message = [](const std::string& fields) {
    return "syntax = \"proto2\"; message M { " + fields + " }";
  };
  const std::string none = message("optional string b = 2;");
  const std::string one = message("optional string b = 2; required int32 a = 1;");
  EXPECT_EQ(Broken(none, one), "REQUIRED_FIELD_ADDED /M/1");
  EXPECT_EQ(Broken(one, none), "REQUIRED_FIELD_REMOVED /M/1");
  EXPECT_EQ(Broken(message("required int32 a = 1;"), message("optional int32 a = 1;")),
            "FIELD_NUMERIC_LABEL_CHANGED /M/1");
}

TEST(ProtobufCompatibility, OfOneofs) {
  const std::vector<Change> changes = {
      // A field alone may move into a oneof of its own, or out of one.
      {"string a = 1;", "oneof o { string a = 1; }", "", ""},
      {"string a = 1;", "oneof o { string a = 1; int32 b = 2; }", "", "ONEOF_FIELD_REMOVED /M/2"},
      {"string a = 1; int32 b = 2;", "oneof o { string a = 1; int32 b = 2; }",
       "MULTIPLE_FIELDS_MOVED_TO_ONEOF /M/o", ""},
      {"oneof o { string a = 1; } int32 b = 2;", "oneof o { string a = 1; int32 b = 2; }",
       "FIELD_MOVED_TO_EXISTING_ONEOF /M/o", ""},
      {"oneof o { string a = 1; }", "oneof o { string a = 1; int32 b = 2; }", "",
       "ONEOF_FIELD_REMOVED /M/2"},
      {"oneof o { string a = 1; }", "oneof renamed { string a = 1; }", "", ""},
      {"oneof o { string a = 1; } oneof p { string b = 2; }",
       "oneof o { string a = 1; string b = 2; }", "FIELD_MOVED_TO_EXISTING_ONEOF /M/o", ""},
      {"oneof o { string a = 1; int32 b = 2; }", "", "", ""},
      {"oneof o { string a = 1; int32 b = 2; }", "string a = 1;", "ONEOF_FIELD_REMOVED /M/2", ""},
      {"oneof o { string a = 1; }", "oneof o { int32 a = 1; }", "FIELD_SCALAR_KIND_CHANGED /M/1",
       "FIELD_SCALAR_KIND_CHANGED /M/1"},
      {"optional int32 a = 1; optional int32 b = 2;", "int32 a = 1;", "", ""},
  };
  for (const Change& change : changes) {
    const std::string before = Proto3("message M { " + change.before + " }");
    const std::string after = Proto3("message M { " + change.after + " }");
    EXPECT_EQ(Broken(before, after), change.forth) << before << "\n" << after;
    EXPECT_EQ(Broken(after, before), change.back) << after << "\n" << before;
  }
}

TEST(ProtobufCompatibility, OfFilesAsAWhole) {
  const std::string message = "message M { int32 a = 1; }";
  EXPECT_EQ(Broken("syntax = \"proto3\"; package shop; " + message,
                   "syntax = \"proto3\"; package store; " + message),
            "PACKAGE_CHANGED ");
  EXPECT_EQ(Broken(Proto3(message + " message N {}"), Proto3(message)), "MESSAGE_REMOVED /N");
  EXPECT_EQ(Broken(Proto3(message), Proto3("message N {} " + message)), "");
}

TEST(ProtobufCompatibility, FollowsWhatIsImported) {
  const std::string order = Proto3("import \"line.proto\"; message Order { repeated Line l = 1; }");
  auto with = [&](const std::string& line) {
    return Parsed(order, {{"line.proto", Proto3("message Line { " + line + " }")}});
  };
  const auto first = with("int32 n = 1; Line next = 2;");
  EXPECT_EQ(
      Shown(CheckProtobuf(*with("int64 n = 1; string s = 3; Line next = 2;"), *first, "b", "a")),
      "");
  EXPECT_EQ(Shown(CheckProtobuf(*with("string n = 1; Line next = 2;"), *first, "b", "a")),
            "FIELD_SCALAR_KIND_CHANGED /Line/1, FIELD_NAMED_TYPE_CHANGED /Order/1");
  // The type may move from the import into the file.
  const auto moved =
      Parsed(Proto3("message Order { repeated Line l = 1; } message Line { int32 n = 1; }"));
  EXPECT_EQ(Shown(CheckProtobuf(*moved, *with("int32 n = 1;"), "b", "a")), "");
}

TEST(ProtobufCompatibility, EndsForMessagesThatAreDeep) {
  auto lines = [](const std::string& type) {
    std::string text;
    for (int i = 0; i < 5000; i++) {
      text += fmt::format("message Line{} {{ Line{} next = 1; }} ", i, i + 1);
    }
    return Proto3(text + "message Line5000 { " + type + " n = 1; }");
  };
  const std::string order = Proto3("import \"line.proto\"; message Order { Line0 l = 1; }");
  EXPECT_NE(Shown(CheckProtobuf(*Parsed(order, {{"line.proto", lines("string")}}),
                                *Parsed(order, {{"line.proto", lines("int32")}}), "b", "a"))
                .find("NESTED_TOO_DEEPLY /Line999,"),
            std::string::npos);
}

TEST(ProtobufCompatibility, SaysWhatAndWhere) {
  auto said = [](const std::string& before, const std::string& after) {
    const auto found = CheckProtobuf(*Parsed(Proto3("message Order { " + after + " }")),
                                     *Parsed(Proto3("message Order { " + before + " }")),
                                     "the new schema", "version 3");
    return found.empty() ? "" : found[0].message;
  };
  EXPECT_EQ(said("string price = 1;", "map<string, int32> prices = 1;"),
            "field \"prices\" is map<string, int32> in the new schema, but string in version 3");
  EXPECT_EQ(said("repeated int32 n = 1;", "int32 n = 1;"),
            "field \"n\" is int32 in the new schema, but repeated int32 in version 3");
  EXPECT_EQ(said("string card = 1; string iban = 2;", "oneof paid { string c = 1; string i = 2; }"),
            "fields of oneof \"paid\" in the new schema can be set at the same time in version 3");
}

TEST(ProtoSchema, HasOneFormForEqualFiles) {
  const std::string text = R"(
    // What is ordered.
    syntax = "proto3";
    package shop;
    import "google/protobuf/timestamp.proto";
    import "confluent/meta.proto";
    // An order.
    message Order {
      int64 id = 1; // its number
      optional string note = 2 [(confluent.field_meta).doc = "free text"];
      google.protobuf.Timestamp at = 3;
      map<string, double> prices = 4;
      oneof paid { string card = 5; string iban = 6; }
      repeated Line lines = 7;
      message Line { bytes sku = 1; State state = 2; }
      enum State { UNKNOWN = 0; SENT = 1; }
      reserved 8 to 10;
    })";
  const auto schema = Parsed(text);
  EXPECT_EQ(Parsed(schema->Source())->Source(), schema->Source());
  EXPECT_NE(schema->Source().find("// An order."), std::string::npos);
  // Without the comments: a client that registers descriptors has none.
  const auto back = Parsed(schema->Serialized());
  EXPECT_EQ(back->Source(), Parsed(back->Source())->Source());
  EXPECT_EQ(Shown(CheckProtobuf(*back, *schema, "b", "a")), "");
}

TEST(ProtoSchema, SaysWhatIsWrong) {
  auto fault = [](const std::string& text, const std::vector<NamedSchema>& references = {}) {
    return ProtoSchema::Parse(text, references).status().message();
  };
  EXPECT_EQ(fault(""), "it is empty");
  EXPECT_EQ(fault("syntax = \"proto3\";\nmessage M { int32 a }"),
            "line 2, column 21: missing field number");
  EXPECT_EQ(fault(Proto3("message M { N n = 1; }")), "shop.M.n: \"N\" is not defined");
  EXPECT_EQ(fault(Proto3("import \"n.proto\";")), "it imports \"n.proto\", which is not there");
  EXPECT_EQ(fault(Proto3("import \"n.proto\";"), {{"n.proto", "message {"}}),
            "in \"n.proto\": line 1, column 9: expected message name");
  EXPECT_EQ(fault("AAAA"), "neither the source of a .proto file nor a file descriptor in base64");
}

}  // namespace
}  // namespace millrace::registry
