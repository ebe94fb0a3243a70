// Schemas with options that nothing defines are taken, keep them in their source, and mean with
// them what Google's library makes of them once their definition is there.
#include <gtest/gtest.h>

#include "format/protobuf/proto_schema.h"

namespace millrace::format {
namespace {

constexpr const char* kDefinitions = R"(
syntax = "proto3";
package buf.validate;
import "google/protobuf/descriptor.proto";
message StringRules { uint64 min_len = 1; string pattern = 2; repeated string in = 3; }
message Rules {
  StringRules string = 1;
  bool required = 2;
  repeated double within = 3;
  int64 gt = 4;
}
extend google.protobuf.FieldOptions { Rules field = 1159; }
extend google.protobuf.MessageOptions { Rules message = 1159; }
extend google.protobuf.OneofOptions { Rules oneof = 1159; }
extend google.protobuf.EnumOptions { string kind = 1159; }
extend google.protobuf.EnumValueOptions { bytes label = 1159; }
extend google.protobuf.FileOptions { string owner = 1159; float weight = 1160; }
extend google.protobuf.ServiceOptions { bool internal = 1159; }
extend google.protobuf.MethodOptions { repeated int32 codes = 1159; }
)";

// With `import` it is what protoc would take, without it what people register.
std::string Orders(const std::string& import) {
  return R"(syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
)" + import +
         R"(// Files may have them,
option java_package = "com.shop";
option (buf.validate.owner) = "team \"a\"\n\303\251";
option (buf.validate.weight) = -1.5;
message Order {
  option (buf.validate.message).required = true;
  option deprecated = true;
  // The buyer's name. (.millrace_unknown_options.o0) = "" is no stand-in in a comment.
  string name = 1 [deprecated = true, (buf.validate.field).string.min_len = 3, json_name = "n",
                   (.buf.validate.field).string.pattern = "^[a-z]*$"];
  optional int64 count = 2 [(buf.validate.field) = {
    string { min_len: 1 in: ["a", 'b'] } required: true within: [1, -2.5e300, inf] gt: -7
  }];
  oneof paid {
    option (buf.validate.oneof).required = true;
    string card = 4;
    google.protobuf.Timestamp at = 5 [(buf.validate.field).required = false];
  }
  message Line {
    enum State {
      option (buf.validate.kind) = "closed";
      UNKNOWN = 0 [(buf.validate.label) = "\000\377"];
      SENT = 1;
    }
    State state = 1;
  }
  map<string, int32> prices = 3 [(buf.validate.field).gt = -9223372036854775808];
}
service Orders {
  option (buf.validate.internal) = true;
  rpc Put(Order) returns (Order) {
    option (buf.validate.codes) = 1;
    option (buf.validate.codes) = 2;
  }
}
)";
}

std::string WithImport(std::string source, const std::string& import) {
  const std::string first = "import \"google/protobuf/timestamp.proto\";\n";
  return source.insert(source.find(first) + first.size(), import);
}

std::shared_ptr<const ProtoSchema> Parsed(const std::string& text,
                                          const std::vector<NamedSchema>& references = {}) {
  auto schema = ProtoSchema::Parse(text, references);
  EXPECT_TRUE(schema.ok()) << schema.status().message() << "\n" << text;
  return schema.ok() ? *schema : nullptr;
}

TEST(UnknownOptions, AreKeptAndMeanTheSameOnceTheyAreDefined) {
  const std::string import = "import \"buf/validate/validate.proto\";\n";
  const std::vector<NamedSchema> references = {{"buf/validate/validate.proto", kDefinitions}};
  const auto without = Parsed(Orders(""));
  ASSERT_NE(without, nullptr);
  const std::string source = without->Source();
  EXPECT_EQ(source.find("import \"millrace"), std::string::npos) << source;
  EXPECT_NE(source.find("(buf.validate.field).string.min_len = 3"), std::string::npos) << source;
  EXPECT_NE(source.find("(.millrace_unknown_options.o0) = \"\" is no stand-in"), std::string::npos)
      << source;
  EXPECT_EQ(Parsed(source)->Source(), source);

  // The oracle: Google's library interprets the options, of the text and of its source.
  const auto with = Parsed(Orders(import), references);
  ASSERT_NE(with, nullptr);
  const auto again = Parsed(WithImport(source, import), references);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->Serialized(), with->Serialized()) << source;
  EXPECT_NE(with->Serialized(), without->Serialized());
  // Without them the messages are the same.
  EXPECT_EQ(without->file().FindMessageTypeByName("Order")->field_count(),
            with->file().FindMessageTypeByName("Order")->field_count());
  // As a descriptor it lost them, and is a schema all the same.
  EXPECT_EQ(Parsed(without->Serialized())->Source().find("buf.validate"), std::string::npos);
}

TEST(UnknownOptions, OfNewerProtobufsAndInReferencesAreTaken) {
  const std::string newer =
      "syntax = \"proto3\"; message M { int32 a = 1 [debug_redact = true, retention = "
      "RETENTION_SOURCE]; }";
  EXPECT_NE(Parsed(newer)->Source().find("debug_redact = true, retention = RETENTION_SOURCE"),
            std::string::npos);
  const std::string line = "syntax = \"proto3\"; message Line { int32 n = 1 [(my.opt) = 5]; }";
  const std::string order =
      "syntax = \"proto3\"; import \"line.proto\"; message Order { Line l = 1 [(a) = 1]; }";
  EXPECT_NE(Parsed(order, {{"line.proto", line}})->Source().find("Line l = 1 [(a) = 1]"),
            std::string::npos);
}

TEST(UnknownOptions, WhatIsDefinedMustBeRight) {
  auto fault = [](const std::string& text) { return ProtoSchema::Parse(text).status().message(); };
  const std::string head = "syntax = \"proto3\"; package p; import \"confluent/meta.proto\"; ";
  EXPECT_EQ(fault(head + "message M { int32 a = 1 [(confluent.field_meta).nope = 1]; }"),
            "p.M.a: option \"(confluent.field_meta).nope\" unknown. Ensure that your proto "
            "definition file imports the proto which defines the option");
  EXPECT_NE(fault(head + "message M { int32 a = 1 [deprecated = 7]; }"), "");
  // Its own extension, found from within, and one of another name beside it.
  const std::string own =
      "syntax = \"proto2\"; package p; import \"google/protobuf/descriptor.proto\"; message M { "
      "extend google.protobuf.FieldOptions { optional int32 mine = 50001; } optional int32 a = 1 "
      "[(mine) = 5, (other) = 6]; }";
  EXPECT_NE(Parsed(own)->Source().find("[(.p.M.mine) = 5, (other) = 6]"), std::string::npos)
      << Parsed(own)->Source();
  EXPECT_NE(fault("syntax = \"proto2\"; package p; import \"google/protobuf/descriptor.proto\"; "
                  "extend google.protobuf.FieldOptions { optional int32 mine = 50001; } message M "
                  "{ optional int32 a = 1 [(mine) = \"x\"]; }"),
            "");
}

}  // namespace
}  // namespace millrace::format
