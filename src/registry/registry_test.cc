// The registry over a log: what it answers, that it answers the same after a restart, and its
// errors.
#include "registry/registry.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "base/strings.h"
#include "format/avro/avro_schema.h"
#include "format/protobuf/proto_schema.h"
#include "log/log_fixture.h"
#include "registry/record_check.h"
#include "registry/registry_error.h"

namespace millrace::registry {
namespace {

std::string Record(const std::string& fields) {
  return R"({"type":"record","name":"r","fields":[)" + fields + "]}";
}
const std::string kId = R"({"name":"id","type":"long"})";
const std::string kNote = R"({"name":"note","type":["null","string"],"default":null})";
const std::string kMust = R"({"name":"must","type":"string"})";

int NumberOf(const Status& status) {
  return static_cast<int>(ErrorOf(status));
}

class RegistryTest : public log::LogFixture {
 protected:
  void SetUp() override {
    Open();
    Reopen();
  }
  // As after a restart.
  void Reopen() {
    registry_.reset();
    Open();
    auto opened = Registry::Open(*log_);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    registry_ = *std::move(opened);
  }
  Result<SubjectVersion> Register(const std::string& subject, const std::string& fields) {
    return registry_->Register(subject, Registration{{"AVRO", Record(fields), {}}});
  }
  int Refused(const std::string& subject, const std::string& fields) {
    return NumberOf(Register(subject, fields).status());
  }

  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, NumbersSchemasAndVersions) {
  EXPECT_TRUE(registry_->Subjects("", true).empty());
  EXPECT_EQ(log_->Topics().size(), 0u) << "the topic comes with the first schema";
  const SubjectVersion first = *Register("a", kId);
  EXPECT_EQ(first.id, 1);
  EXPECT_EQ(first.version, 1);
  EXPECT_EQ((*Register("a", "  " + kId)).version, 1) << "white space does not matter";
  EXPECT_EQ((*Register("b", kId)).id, 1) << "an equal schema has the same number";
  EXPECT_EQ((*Register("a", kId + "," + kNote)).version, 2);
  EXPECT_EQ((*Register("b", kId + "," + kNote)).id, 2);
  for (int round = 0; round < 2; round++) {
    EXPECT_EQ(registry_->Subjects("", false), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(*registry_->Versions("a", false), (std::vector<int>{1, 2}));
    EXPECT_EQ((*registry_->Version("a", kLatest)).id, 2);
    EXPECT_EQ((*registry_->SchemaById(1)).text, Record(kId));
    EXPECT_EQ((*registry_->VersionsOf(2, false)).size(), 2u);
    EXPECT_EQ((*registry_->Lookup("b", {"AVRO", Record(kId), {}}, false)).version, 1);
    EXPECT_EQ(registry_->All("", false, true).size(), 2u);
    EXPECT_EQ(NumberOf(registry_->SchemaById(3).status()), 40403);
    EXPECT_EQ(NumberOf(registry_->Version("a", 3).status()), 40402);
    EXPECT_EQ(NumberOf(registry_->Version("c", 1).status()), 40401);
    Reopen();
  }
}

TEST_F(RegistryTest, RefusesWhatIsNoSchema) {
  EXPECT_EQ(Refused("a", R"({"name":"x","type":"strin"})"), 42201);
  EXPECT_EQ(NumberOf(registry_->Register("a", Registration{{"AVRO", "", {}}}).status()), 42201);
  EXPECT_EQ(NumberOf(registry_->Register("a", Registration{{"XML", "{}", {}}}).status()), 42201);
  EXPECT_EQ(NumberOf(registry_->Register("a", Registration{{"JSON", "{", {}}}).status()), 42201);
  EXPECT_TRUE(registry_->Register("a", Registration{{"AVRO", "string", {}}}).ok());
  EXPECT_EQ((*registry_->SchemaById(1)).text, "\"string\"");
}

// What each level allows: of these three steps, which one.
TEST_F(RegistryTest, EveryLevelAllowsWhatItSays) {
  struct Case {
    const char* level;
    bool adds_optional, adds_required, removes_required;
  };
  for (const Case& c :
       {Case{"NONE", true, true, true}, Case{"BACKWARD", true, false, true},
        Case{"BACKWARD_TRANSITIVE", true, false, true}, Case{"FORWARD", true, true, false},
        Case{"FORWARD_TRANSITIVE", true, true, false}, Case{"FULL", true, false, false},
        Case{"FULL_TRANSITIVE", true, false, false}}) {
    auto allows = [&](const std::string& before, const std::string& after) {
      static int count = 0;
      const std::string subject = "s" + std::to_string(count++);
      EXPECT_TRUE(registry_->SetConfig(subject, *ParseCompatibility(c.level)).ok());
      EXPECT_TRUE(Register(subject, before).ok());
      const auto answer = *registry_->Check(subject, std::nullopt, {"AVRO", Record(after), {}});
      const Status status = Register(subject, after).status();
      EXPECT_EQ(answer.compatible, status.ok());
      EXPECT_EQ(answer.messages.empty(), status.ok());
      EXPECT_EQ(status.ok() ? 409 : NumberOf(status), 409) << status.ToString();
      return status.ok();
    };
    EXPECT_EQ(allows(kId, kId + "," + kNote), c.adds_optional) << c.level;
    EXPECT_EQ(allows(kId, kId + "," + kMust), c.adds_required) << c.level;
    EXPECT_EQ(allows(kId + "," + kMust, kId), c.removes_required) << c.level;
  }
}

TEST_F(RegistryTest, TransitiveLevelsLookAtAllVersions) {
  const std::string with_default = R"({"name":"must","type":"string","default":"x"})";
  for (const bool transitive : {false, true}) {
    const std::string subject = transitive ? "all" : "latest";
    ASSERT_TRUE(registry_
                    ->SetConfig(subject, transitive ? Compatibility::kBackwardTransitive
                                                    : Compatibility::kBackward)
                    .ok());
    ASSERT_TRUE(Register(subject, kId).ok());
    ASSERT_TRUE(Register(subject, kId + "," + with_default).ok());
    // The second version has the field, the first has not.
    EXPECT_EQ(Register(subject, kId + "," + kMust).ok(), !transitive);
  }
}

TEST_F(RegistryTest, DeletesSoftlyThenForGood) {
  ASSERT_TRUE(Register("a", kId).ok());
  ASSERT_TRUE(Register("a", kId + "," + kNote).ok());
  EXPECT_EQ(NumberOf(registry_->DeleteVersion("a", 1, true).status()), 40407);
  EXPECT_EQ(NumberOf(registry_->DeleteSubject("a", true).status()), 40405);
  EXPECT_EQ(*registry_->DeleteVersion("a", 1, false), 1);
  EXPECT_EQ(NumberOf(registry_->DeleteVersion("a", 1, false).status()), 40406);
  EXPECT_EQ(NumberOf(registry_->Version("a", 1).status()), 40402);
  EXPECT_EQ((*registry_->Version("a", 1, true)).id, 1);
  EXPECT_EQ(*registry_->DeleteSubject("a", false), (std::vector<int>{2}));
  EXPECT_EQ(NumberOf(registry_->DeleteSubject("a", false).status()), 40404);
  EXPECT_TRUE(registry_->Subjects("", false).empty());
  EXPECT_TRUE(registry_->SchemaById(1).ok()) << "records with the number can still be read";
  Reopen();
  EXPECT_EQ(registry_->Subjects("", true), (std::vector<std::string>{"a"}));
  // Nothing is compared with what is deleted; versions go on.
  EXPECT_EQ((*Register("a", kMust)).version, 3);
  EXPECT_EQ((*Register("a", kMust + "," + kNote)).version, 4);
  EXPECT_EQ(*registry_->DeleteSubject("a", false), (std::vector<int>{3, 4}));
  EXPECT_EQ(*registry_->DeleteSubject("a", true), (std::vector<int>{1, 2, 3, 4}));
  Reopen();
  EXPECT_TRUE(registry_->Subjects("", true).empty());
  EXPECT_EQ((*Register("a", kMust)).version, 1);
}

TEST_F(RegistryTest, TheLatestVersionIsTheNewestThatIsNotDeleted) {
  const Schema schema{"AVRO", Record(kId), {}};
  EXPECT_TRUE((*registry_->Check("a", kLatest, schema)).compatible) << "there is nothing to break";
  EXPECT_EQ(NumberOf(registry_->Check("a", 1, schema).status()), 40402);
  ASSERT_TRUE(Register("a", kId).ok());
  ASSERT_TRUE(Register("a", kId + "," + kNote).ok());
  EXPECT_EQ(*registry_->DeleteVersion("a", kLatest, false), 2);
  EXPECT_EQ(*registry_->DeleteVersion("a", kLatest, false), 1);
  EXPECT_EQ(NumberOf(registry_->DeleteVersion("a", kLatest, false).status()), 40401);
  EXPECT_EQ(*registry_->DeleteVersion("a", kLatest, true), 2);
}

TEST_F(RegistryTest, FollowsReferences) {
  const std::string address = R"({"type":"record","name":"shop.Address","fields":[
      {"name":"city","type":"string"}]})";
  ASSERT_TRUE(registry_->Register("address", Registration{{"AVRO", address, {}}}).ok());
  const Schema order{
      "AVRO", Record(R"({"name":"to","type":"shop.Address"})"), {{"shop.Address", "address", 1}}};
  const SubjectVersion registered = *registry_->Register("order", Registration{order});
  const auto found = *registry_->Find(registered.id);
  ASSERT_EQ(found.references.size(), 1u);
  EXPECT_TRUE(format::AvroSchema::Parse(found.text, found.references).ok());
  EXPECT_EQ(*registry_->ReferencedBy("address", 1), (std::vector<int32_t>{registered.id}));
  EXPECT_EQ(NumberOf(registry_->DeleteSubject("address", false).status()), 42206);
  EXPECT_EQ(NumberOf(registry_->DeleteVersion("address", 1, false).status()), 42206);
  Schema lost = order;
  lost.references[0].version = 2;
  EXPECT_EQ(NumberOf(registry_->Register("order", Registration{lost}).status()), 42201);
  Schema latest = order;
  latest.references[0].version = kLatest;
  EXPECT_EQ((*registry_->Register("order", Registration{latest})).version, 1) << "it is version 1";
  latest.references[0].subject = "none";
  EXPECT_EQ(NumberOf(registry_->Register("order", Registration{latest}).status()), 42201);
}

TEST_F(RegistryTest, KnowsProtobufAndJsonSchemas) {
  const std::string line = "syntax = \"proto3\"; message Line { int32 n = 1; }";
  ASSERT_TRUE(registry_->Register("line", Registration{{"PROTOBUF", line, {}}}).ok());
  const Schema order{"PROTOBUF",
                     "syntax = \"proto3\"; import \"line.proto\"; message Order { Line l = 1; }",
                     {{"line.proto", "line", 1}}};
  const SubjectVersion registered = *registry_->Register("order", Registration{order});
  const auto found = *registry_->Find(registered.id);
  ASSERT_EQ(found.references.size(), 1u);
  EXPECT_EQ(found.references[0].name, "line.proto");
  // However it is written: with other white space, or as a descriptor.
  const auto parsed = *format::ProtoSchema::Parse(found.text, found.references);
  for (const std::string& text : {" " + order.text, parsed->Serialized()}) {
    const Schema same{"PROTOBUF", text, order.references};
    EXPECT_EQ((*registry_->Register("order", Registration{same})).id, registered.id);
    EXPECT_EQ((*registry_->Lookup("order", same, false)).version, 1);
  }
  Schema lost = order;
  lost.references.clear();
  EXPECT_EQ(NumberOf(registry_->Register("order", Registration{lost}).status()), 42201);

  auto check = [&](const std::string& type, const std::string& before, const std::string& after) {
    const std::string subject = "of " + type;
    EXPECT_TRUE(registry_->Register(subject, Registration{{type, before, {}}}).ok());
    const Schema next{type, after, {}};
    const auto answer = *registry_->Check(subject, std::nullopt, next);
    EXPECT_EQ(NumberOf(registry_->Register(subject, Registration{next}).status()), 409);
    return Join(answer.messages, "\n");
  };
  EXPECT_EQ(check("PROTOBUF", line, "syntax = \"proto3\"; message Line { string n = 1; }"),
            "FIELD_SCALAR_KIND_CHANGED at /Line/1: field \"n\" is string in the new schema, but "
            "int32 in version 1");
  EXPECT_EQ(check("JSON", R"({"type": "number"})", R"({"type": "integer"})"),
            "TYPE_NARROWED at /: the type is integer in the new schema, but number in version 1");
}

TEST_F(RegistryTest, SettingsOfSubjectsComeBeforeThoseOfAll) {
  EXPECT_EQ(*registry_->Config("", false), Compatibility::kBackward);
  EXPECT_EQ(NumberOf(registry_->Config("a", false).status()), 40408);
  ASSERT_TRUE(registry_->SetConfig("", Compatibility::kNone).ok());
  ASSERT_TRUE(registry_->SetConfig("a", Compatibility::kFull).ok());
  Reopen();
  EXPECT_EQ(*registry_->Config("a", false), Compatibility::kFull);
  EXPECT_EQ(*registry_->Config("b", true), Compatibility::kNone);
  EXPECT_EQ(*registry_->DeleteConfig("a"), Compatibility::kFull);
  EXPECT_EQ(NumberOf(registry_->DeleteConfig("a").status()), 40408);
  EXPECT_EQ(NumberOf(ParseCompatibility("BACKWARDS").status()), 42203);

  EXPECT_EQ(NumberOf(registry_->GetMode("a", false).status()), 40409);
  ASSERT_TRUE(registry_->SetMode("a", Mode::kReadOnly, false).ok());
  EXPECT_EQ(Refused("a", kId), 42205);
  EXPECT_TRUE(Register("b", kId).ok());
  EXPECT_EQ(NumberOf(registry_->SetMode("b", Mode::kImport, false)), 42205);
  ASSERT_TRUE(registry_->SetMode("a", Mode::kImport, false).ok());
  Registration import{{"AVRO", Record(kMust), {}}, 100, 7};
  EXPECT_EQ((*registry_->Register("a", import)).version, 7);
  EXPECT_EQ((*registry_->SchemaById(100)).text, Record(kMust));
  EXPECT_EQ((*Register("c", kNote)).id, 101) << "numbers go on behind those that were imported";
  EXPECT_EQ(NumberOf(registry_->Register("c", import).status()), 42205);
}

TEST_F(RegistryTest, AStrictTopicTakesOnlyRecordsOfItsSubject) {
  ASSERT_TRUE(Register("t-value", kId).ok());
  ASSERT_TRUE(Register("other-value", kId + "," + kNote).ok());
  RecordCheck check(*registry_, {"t"});
  EXPECT_TRUE(check.Applies("t"));
  EXPECT_FALSE(check.Applies("other"));
  auto fault = [&](const std::string& value, const std::string& key = "k") {
    model::Record record;
    record.value = value;
    record.key = key;
    record.has_key = true;
    return check.Fault("t", record).value_or("taken");
  };
  const std::string header("\0\0\0\0\1", 5);
  EXPECT_EQ(fault(header + "\x02"), "taken");
  EXPECT_EQ(
      fault(header + "\x02\x02"),
      "value: it is not of schema 1: not a record of this Avro schema: 1 bytes are left over");
  EXPECT_EQ(fault(header),
            "value: it is not of schema 1: field \"id\": the bytes are not of the schema: no Avro "
            "long here, 0 bytes before the record's end");
  EXPECT_EQ(fault(std::string("\0\0\0\0\2\2\0", 7)),
            "value: schema 2 is not one of subject \"t-value\"");
  EXPECT_EQ(fault("{}"),
            "value: it does not begin with a zero byte and the number of a schema of "
            "subject \"t-value\"");
  model::Record tombstone;
  tombstone.has_value = false;
  EXPECT_EQ(check.Fault("t", tombstone), std::nullopt);
  // Keys are looked at once they have a subject.
  ASSERT_TRUE(registry_->Register("t-key", Registration{{"AVRO", "\"string\"", {}}}).ok());
  EXPECT_EQ(fault(header + "\x02").substr(0, 4), "key:");
  EXPECT_EQ(fault(header + "\x02", std::string("\0\0\0\0\3\2k", 7)), "taken");
  ASSERT_TRUE(registry_->DeleteSubject("t-value", false).ok());
  EXPECT_EQ(fault(header + "\x02"), "value: schema 1 is not one of subject \"t-value\"");
}

TEST_F(RegistryTest, AStrictTopicKnowsProtobufAndJson) {
  const std::string line =
      "syntax = \"proto3\"; message Line { int32 n = 1; Line next = 2; string s = 3; }";
  ASSERT_TRUE(registry_->Register("p-value", Registration{{"PROTOBUF", line, {}}}).ok());
  const std::string price =
      R"({"type":"object","properties":{"price":{"type":"number","minimum":0}}})";
  ASSERT_TRUE(registry_->Register("j-value", Registration{{"JSON", price, {}}}).ok());
  RecordCheck check(*registry_, {"p", "j"});
  auto fault = [&](const std::string& topic, const std::string& payload) {
    const std::string header("\0\0\0\0", 4);
    const std::string bytes = header + (topic == "p" ? '\1' : '\2') + payload;
    model::Record record;
    record.value = bytes;
    return check.Fault(topic, record).value_or("taken");
  };
  const std::string first(1, '\0');
  EXPECT_EQ(fault("p", first), "taken");
  EXPECT_EQ(fault("p", first + "\x08\x05\x12\x02\x08\x06"), "taken");
  EXPECT_EQ(fault("p", first + "\x48\x05"), "taken") << "a field that the schema does not have";
  EXPECT_EQ(fault("p", first + "\x08"),
            "value: it is not of schema 1: the bytes are no message \"Line\"");
  EXPECT_EQ(fault("p", first + "\x12\x03\x0a\x01x"),
            "value: it is not of schema 1: field \"n\" is not written as int32, in \"next\"");
  EXPECT_EQ(fault("p", "\x02\x02"),
            "value: it is not of schema 1: it names no message of the schema");
  EXPECT_EQ(fault("j", R"({"price": 1, "note": "x"})"), "taken");
  EXPECT_EQ(fault("j", R"({"price": -1})"),
            "value: it is not of schema 2: /price: -1 against \"minimum\" of 0");
  EXPECT_EQ(fault("j", "{").substr(0, 42), "value: it is not of schema 2: not JSON: th");
}

// Whatever is done, and whenever it is restarted: what is kept in the log says the same as what was
// answered.
TEST_F(RegistryTest, ARestartChangesNothing) {
  std::mt19937 random(3);
  ASSERT_TRUE(registry_->SetConfig("", Compatibility::kNone).ok());
  for (int step = 0; step < 400; step++) {
    const std::string subject(1, static_cast<char>('a' + random() % 4));
    const bool permanent = random() % 2 == 0;
    switch (random() % 5) {
      case 0:
      case 1:
        ASSERT_TRUE(
            Register(subject, fmt::format(R"({{"name":"f{}","type":"int"}})", random() % 20)).ok());
        break;
      case 2:
        (void)registry_->DeleteVersion(subject, static_cast<int>(random() % 5 + 1), permanent).ok();
        break;
      case 3:
        if (random() % 4 == 0) (void)registry_->DeleteSubject(subject, permanent).ok();
        break;
      default: {
        auto shown = [&] {
          std::string text;
          for (const SubjectVersion& version : registry_->All("", true, false)) {
            text += EncodeEvent(version).key + *EncodeEvent(version).value + "\n";
          }
          return text;
        };
        const std::string before = shown();
        Reopen();
        ASSERT_EQ(shown(), before);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::registry
