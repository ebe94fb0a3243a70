// A .proto file with its imports as one text, and a compiled descriptor, read and written like any
// schema; against Google's protobuf.
#include "format/protobuf/proto_bundle.h"

#include <google/protobuf/descriptor.pb.h>

#include <map>

#include "base/base64.h"
#include "base/strings.h"
#include "format/protobuf/proto_schema.h"
#include "format/row_fixture.h"

namespace millrace::format {
namespace {

namespace pb = google::protobuf;

constexpr const char* kOrder = R"(syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "parts/line.proto";
message Order { int64 id = 1; repeated Line lines = 2; Unit unit = 3; }
)";
const std::map<std::string, std::string> kFiles = {
    {"parts/line.proto",
     "syntax = \"proto3\"; package shop; import public \"unit.proto\"; import \"again.proto\"; "
     "message Line { string sku = 1; } "},
    {"unit.proto", "syntax = \"proto3\"; package shop; enum Unit { PIECE = 0; KILO = 1; }"},
    {"again.proto", "syntax = \"proto3\"; package shop; import \"unit.proto\";"}};

Result<std::string> Bundle(std::string_view content) {
  return BundleProto(content, [](const std::string& import) -> Result<std::string> {
    const auto found = kFiles.find(import);
    if (found != kFiles.end()) return found->second;
    return Status(Code::kNotFound, "no such file");
  });
}

std::string Row(const std::string& schema, const std::string& message) {
  const auto type = duckdb::LogicalType::STRUCT({{"sku", duckdb::LogicalType::VARCHAR}});
  RowFixture rows("protobuf",
                  {{{"id", duckdb::LogicalType::BIGINT},
                    {"lines", duckdb::LogicalType::LIST(type)},
                    {"unit", duckdb::LogicalType::VARCHAR}}},
                  {{"protobuf.schema", schema}});
  rows.Decode({message});
  if (rows.size() != 1) return rows.errors.at(0).message;
  return rows.Value(0, 0).ToString() + " " + rows.Value(1, 0).ToString() + " " +
         rows.Value(2, 0).ToString();
}

TEST(ProtoBundle, IsTheFileWithItsImports) {
  const auto bundle = Bundle(kOrder);
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  pb::FileDescriptorSet set;
  ASSERT_TRUE(set.ParseFromString(DecodeBase64(*bundle)));
  EXPECT_EQ(set.file_size(), 4) << "each file once, without what is known";
  EXPECT_EQ(Row(*bundle, "\x08\x07\x12\x03\x0a\x01z\x18\x01"), "7 [{'sku': z}] KILO");
  // As protoc compiles it, with everything that is imported (--include_imports).
  const auto schema = *ProtoSchema::Parse(*bundle);
  pb::FileDescriptorSet compiled;
  const std::function<void(const pb::FileDescriptor&)> add = [&](const pb::FileDescriptor& file) {
    for (int i = 0; i < file.dependency_count(); i++) add(*file.dependency(i));
    for (const auto& known : compiled.file()) {
      if (known.name() == file.name()) return;
    }
    file.CopyTo(compiled.add_file());
  };
  add(schema->file());
  EXPECT_EQ(compiled.file_size(), 5);
  const auto taken = Bundle(compiled.SerializeAsString());
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(Row(*taken, "\x08\x07\x12\x03\x0a\x01z\x18\x01"), "7 [{'sku': z}] KILO");
}

TEST(ProtoBundle, IsTheTextWhereNothingIsToBeImported) {
  const std::string alone = "syntax = \"proto3\";\n// é\nmessage M { int64 id = 1; }";
  EXPECT_EQ(*Bundle(alone), alone);
}

TEST(ProtoBundle, SaysWhatIsMissing) {
  EXPECT_EQ(Bundle("import \"none.proto\";").status().message(),
            "the import \"none.proto\": no such file");
  EXPECT_EQ(Bundle("message {").status().message(),
            "line 1, column 9: expected message name");
  EXPECT_EQ(Bundle("").status().message(), "it is empty");
  auto damaged = Bundle(std::string("\x0a\xff\x01", 3));
  ASSERT_TRUE(damaged.ok());
  EXPECT_EQ(ProtoSchema::Parse(*damaged).status().message(),
            "neither the source of a .proto file nor a file descriptor in base64");
}

}  // namespace
}  // namespace millrace::format
