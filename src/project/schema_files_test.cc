// Schemas in files of a project: read with it, kept with the text of a job's version, and an error
// that says where when they are not there.
#include "project/schema_files.h"

#include <filesystem>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kReadings = R"(
CREATE TABLE readings (id BIGINT, unit STRING) WITH (
  'connector' = 'kafka', 'topic' = 'readings', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'protobuf', 'protobuf.schema-file' = 'protos/reading.proto',
  'protobuf.message-class-name' = 'Reading', 'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset');
CREATE TABLE kilos (id BIGINT, unit INT) WITH (
  'connector' = 'kafka', 'topic' = 'kilos', 'properties.bootstrap.servers' = 'ignored:9092',
  'format' = 'protobuf', 'protobuf.schema-file' = 'protos/reading.proto');
INSERT INTO kilos SELECT id, 1 FROM readings WHERE unit = 'KILO';
)";

void WriteProtos(const std::string& directory) {
  std::filesystem::create_directories(directory + "/protos");
  Write(directory + "/protos/reading.proto",
        "syntax = \"proto3\"; import \"unit.proto\"; message Reading { int64 id = 3; Unit unit = 9 "
        "[(my.opt) = 1]; }");
  Write(directory + "/protos/unit.proto",
        "syntax = \"proto3\"; enum Unit { PIECE = 0; KILO = 1; }");
}

std::vector<std::string> Faults(const std::string& directory) {
  std::vector<Status> faults;
  Project::Load(directory, "", faults);
  std::vector<std::string> messages;
  for (const Status& fault : faults) {
    messages.push_back(std::to_string(fault.span().line) + ": " + fault.message());
  }
  return messages;
}

TEST(SchemaFiles, AreReadAndWrittenWith) {
  TempDirectory directory;
  WriteProtos(directory.path());
  Write(directory.path() + "/sql/a.sql", kReadings);
  {
    auto runtime = Open(directory.path(), false);
    ASSERT_NE(runtime, nullptr);
    Append(*runtime, "readings", 0, {"\x18\x07\x48\x01", "\x18\x08", "\x18\x09\x48\x01"});
  }
  auto runtime = RunToEnd(directory.path());
  ASSERT_NE(runtime, nullptr);
  EXPECT_EQ(Rows(*runtime, "SELECT id, unit FROM kilos"),
            (std::vector<std::string>{"7|1|", "9|1|"}));
}

TEST(SchemaFiles, LieBesideTheTextOfAVersion) {
  TempDirectory directory;
  WriteProtos(directory.path());
  Write(directory.path() + "/sql/a.sql", kReadings);
  std::vector<Status> faults;
  const auto project = Project::Load(directory.path(), "", faults);
  ASSERT_TRUE(faults.empty()) << faults[0].ToString();
  TempDirectory version;
  for (const auto& [name, text] : project->files()) Write(version.path() + "/" + name, text);
  const auto again = Project::Load(version.path(), "", faults);
  ASSERT_TRUE(faults.empty()) << faults[0].ToString();
  EXPECT_EQ(again->files(), project->files());
  EXPECT_EQ(again->catalog().FindTable("kilos")->Option("protobuf.schema"),
            project->catalog().FindTable("kilos")->Option("protobuf.schema"));
}

TEST(SchemaFiles, OfAvroAndJsonAreTheirText) {
  TempDirectory directory;
  const std::string avro = R"({"type":"record","name":"R","doc":"${not:a} reference","fields":[]})";
  Write(directory.path() + "/r.avsc", avro);
  Write(directory.path() + "/sql/a.sql",
        "CREATE TABLE t (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 't', "
        "'properties.bootstrap.servers' = 'i:1', 'key.format' = 'json-schema', 'key.fields' = "
        "'id', 'key.json-schema.schema-file' = 'r.avsc', 'value.format' = 'avro', "
        "'value.avro.schema-file' = 'r.avsc');");
  std::vector<Status> faults;
  const auto project = Project::Load(directory.path(), "", faults);
  ASSERT_TRUE(faults.empty()) << faults[0].ToString();
  const auto* table = project->catalog().FindTable("t");
  for (const char* option : {"value.avro.schema", "key.json-schema.schema"}) {
    EXPECT_EQ(table->Option(option),
              R"({"type":"record","name":"R","doc":"\u0024{not:a} reference","fields":[]})");
  }
}

TEST(SchemaFiles, SayWhatIsWrong) {
  TempDirectory directory;
  WriteProtos(directory.path());
  auto with = [&](const std::string& options) {
    Write(directory.path() + "/sql/a.sql",
          "CREATE TABLE t (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 't',\n"
          "'properties.bootstrap.servers' = 'i:1', 'format' = 'protobuf',\n" +
              options + ");");
    const auto faults = Faults(directory.path());
    return faults.size() == 1 ? faults[0] : std::to_string(faults.size()) + " faults";
  };
  EXPECT_NE(with("'protobuf.schema-file' = 'none.proto'")
                .find("3: option \"protobuf.schema-file\": schema \"none.proto\" cannot be read: "),
            std::string::npos)
      << with("'protobuf.schema-file' = 'none.proto'");
  EXPECT_EQ(with("'protobuf.schema-file' = 'protos/unit.proto', 'protobuf.schema' = 'x'"),
            "3: options \"protobuf.schema\" and \"protobuf.schema-file\" both say the schema");
  Write(directory.path() + "/protos/bad.proto", "message {");
  EXPECT_EQ(with("'protobuf.schema-file' = 'protos/bad.proto'"),
            "3: option \"protobuf.schema-file\": schema \"protos/bad.proto\" cannot be read: line "
            "1, column 9: expected message name");
  std::filesystem::remove(directory.path() + "/protos/unit.proto");
  EXPECT_NE(
      with("'protobuf.schema-file' = 'protos/reading.proto'").find("the import \"unit.proto\""),
      std::string::npos);
}

}  // namespace
}  // namespace millrace::project
