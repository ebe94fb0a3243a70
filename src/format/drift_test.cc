// Every decoder that can tell finds the fields that the table does not declare, and does with them
// what the table says.
#include "format/drift.h"

#include <gtest/gtest.h>

#include <random>

#include "base/strings.h"
#include "format/avro/avro_drift.h"
#include "format/json_types.h"
#include "format/memory_registry.h"
#include "format/protobuf/proto_drift.h"
#include "format/row_fixture.h"

namespace millrace::format {
namespace {

using duckdb::LogicalType;

model::Schema Orders() {
  return {{{"id", LogicalType::BIGINT, false},
           {"address", LogicalType::STRUCT({{"zip", LogicalType::VARCHAR}})},
           {"lines", LogicalType::LIST(LogicalType::STRUCT({{"sku", LogicalType::VARCHAR}}))},
           {"totals", LogicalType::MAP(LogicalType::VARCHAR,
                                       LogicalType::STRUCT({{"net", LogicalType::BIGINT}}))},
           {"unread", LogicalType::VARCHAR}}};
}

// A decoder of all columns but the last, under a policy.
class Drifting {
 public:
  Drifting(const std::string& format, const std::string& policy,
           std::shared_ptr<SchemaRegistry> registry = nullptr, OptionMap given = {}) {
    DecoderOptions options;
    options.format = format;
    options.schema = Orders();
    options.projection = {0, 1, 2, 3};
    options.options = std::move(given);
    options.options[format + ".schema-drift"] = policy;
    options.registry = std::move(registry);
    auto made = NewDecoder(options);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    decoder_ = *std::move(made);
    duckdb::vector<LogicalType> types = Orders().Types();
    types.pop_back();
    rows_.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  }

  // What became of the documents: "1 row", "drift note: …"; one line each.
  std::string Decode(const std::vector<std::string>& documents) {
    std::string all;
    for (const std::string& document : documents) {
      padded_.push_back(document + std::string(model::kRecordPadding, '}'));
    }
    std::vector<model::Record> records(documents.size());
    for (size_t i = 0; i < documents.size(); i++) {
      records[i].offset = next_offset_++;
      records[i].value = std::string_view(padded_[padded_.size() - documents.size() + i])
                             .substr(0, documents[i].size());
    }
    EXPECT_TRUE(decoder_->Prepare(records).ok());
    rows_.Reset();
    std::vector<uint32_t> from;
    std::vector<model::RowError> errors;
    decoder_->Decode(records, rows_, from, errors);
    EXPECT_EQ(from.size() + errors.size(), documents.size());
    all = std::to_string(from.size()) + " rows";
    for (const auto& error : errors) {
      all += std::string("\n") + RowErrorKindName(error.kind) + " " + error.column + ": " +
             error.message;
    }
    return all;
  }

  // "note STRING x2 from 0", one each.
  std::vector<std::string> Found() const {
    std::vector<std::string> found;
    for (const FieldDrift& field : DriftOf(*decoder_)->fields()) {
      found.push_back(field.field + " " +
                      (field.type    ? DeclaredType(*field.type)
                       : field.mixed ? "mixed"
                                     : "?") +
                      " x" + std::to_string(field.values) + " from " +
                      std::to_string(field.first_offset));
    }
    return found;
  }

 private:
  std::unique_ptr<Decoder> decoder_;
  duckdb::DataChunk rows_;
  std::deque<std::string> padded_;
  model::Offset next_offset_ = 0;
};

using Strings = std::vector<std::string>;

TEST(Drift, JsonIgnored) {
  Drifting table("json", "ignore");
  EXPECT_EQ(table.Decode({R"({"id":1})", R"({"id":2,"note":"a","unread":"b"})",
                          R"({"note":null,"id":3,"address":{"street":"x"}})"}),
            "3 rows");
  EXPECT_EQ(table.Found(), Strings({"note ? x2 from 1"}));
}

TEST(Drift, JsonDeadLetters) {
  for (const char* policy : {"fail", "dead-letter"}) {
    Drifting table("json", policy);
    EXPECT_EQ(table.Decode({R"({"note":"a","id":1})", R"({"id":2})",
                            R"({"id":3,"lines":[{"sku":"a"},{"sku":"b","price":1.5}]})",
                            R"({"id":4,"totals":{"a":{"gross":[]}}})", R"({"note":1,"id":"x"})",
                            R"({"note":1,"id":5)"}),
              "1 rows\n"
              "type note: the table does not declare the field \"note\"; its line in CREATE "
              "TABLE would be: `note` STRING\n"
              "type lines[].price: the table does not declare the field \"lines[].price\"; its "
              "place in the ROW would be: `price` DOUBLE\n"
              "type totals{}.gross: the table does not declare the field \"totals{}.gross\"\n"
              "type id: \"x\" is not a BIGINT\n"
              "malformed : not JSON: expected \",\" or \"}\", but the document ends");
  }
}

TEST(Drift, JsonTypes) {
  Drifting table("json", "dead-letter");
  table.Decode(
      {R"({"id":1,"whole":1,"real":1,"text":"a","flag":true,"any":1,"never":null,"bad":1})",
       R"({"id":2,"whole":-2,"real":2.5,"any":"x","empty":[],"bad":[1]})",
       R"({"id":3,"row":{"a":1,"b":[1,2.5]},"big":18446744073709551615})",
       R"({"id":4,"row":{"c":"x","a":null}, "empty" : [ "a" ] })",
       R"({"id":5,"note":{"a":1,"a":2},"id2":1,"address":{"zip":"1","street":"x"}})"});
  EXPECT_EQ(table.Found(),
            Strings({"whole BIGINT x2 from 0", "real DOUBLE x2 from 0", "text STRING x1 from 0",
                     "flag BOOLEAN x1 from 0", "any STRING x2 from 0", "never ? x1 from 0",
                     "bad mixed x2 from 0", "empty ARRAY<STRING> x2 from 1",
                     "row ROW<`a` BIGINT, `b` ARRAY<DOUBLE>, `c` STRING> x2 from 2",
                     "big DOUBLE x1 from 2", "note ROW<`a` BIGINT, `a` BIGINT> x1 from 4",
                     "id2 BIGINT x1 from 4", "address.street STRING x1 from 4"}));
}

// However records are cut into batches, each undeclared field is counted each time it is there.
TEST(Drift, JsonCountsAll) {
  std::mt19937 random(7);
  for (const char* policy : {"ignore", "dead-letter"}) {
    SCOPED_TRACE(policy);
    Drifting table("json", policy);
    std::map<std::string, int64_t> expected;
    for (int batch = 0; batch < 40; batch++) {
      Strings documents;
      for (size_t i = random() % 20; i > 0; i--) {
        std::string document = R"({"id":1)";
        for (size_t f = random() % 5; f > 0; f--) {
          // Escaped names, too, and more than are kept apart.
          const std::string name = "f" + std::to_string(random() % 300);
          const bool escaped = random() % 4 == 0;
          document += ",\"" + (escaped ? "\\u0066" + name.substr(1) : name) + "\":[{},\"}\"]";
          expected[name]++;
        }
        documents.push_back(document + "}");
      }
      table.Decode(documents);
    }
    int64_t total = 0;
    std::map<std::string, int64_t> found;
    for (const std::string& line : table.Found()) {
      const std::string name = line.substr(0, line.find(' '));
      const size_t times = line.find(" x") + 2;
      found[name] = std::stoll(line.substr(times, line.find(' ', times) - times));
      total += found[name];
    }
    for (const auto& [name, times] : expected) {
      total -= times;
      if (found.count(name) == 0) continue;  // among the others
      EXPECT_EQ(found[name], times) << name;
    }
    EXPECT_EQ(total, 0);
    EXPECT_LE(found.size(), 257u);
  }
}

TEST(Drift, ChangesLookAtTheirRowsOnly) {
  const std::string after = R"("after":{"id":1,"note":"a","address":{"zip":"1","street":"b"}})";
  const std::string message =
      R"({"ts_us":1,"before":null,)" + after + R"(,"op":"c","source":{"db":"x"},"transaction":{}})";
  Drifting plain("debezium-json", "dead-letter");
  plain.Decode({message});
  EXPECT_EQ(plain.Found(), Strings({"note STRING x1 from 0", "address.street STRING x1 from 0"}));
  Drifting wrapped("debezium-json", "dead-letter", nullptr,
                   {{"debezium-json.schema-include", "true"}});
  EXPECT_EQ(wrapped.Decode({R"({"schema":{},"payload":)" + message + "}"}),
            "0 rows\ntype note: the table does not declare the field \"note\"; its line in CREATE "
            "TABLE would be: `note` STRING");
  Drifting changelog("changelog-json", "dead-letter");
  EXPECT_EQ(changelog.Decode({R"({"data":{"id":1},"op":"+I","more":1})"}), "1 rows");
}

std::string Columns(const std::vector<UndeclaredField>& fields) {
  Strings all;
  for (const UndeclaredField& field : fields) {
    all.push_back(field.path + " " + (field.type ? DeclaredType(*field.type) : "?"));
  }
  return Join(all, "; ");
}

std::vector<ColumnType> TypesOf(const model::Schema& schema) {
  std::vector<ColumnType> types;
  for (const auto& column : schema.columns) types.push_back(*MakeColumnType(column.type));
  return types;
}

TEST(Drift, AvroFields) {
  const std::string writer = R"({"type":"record","name":"Order","fields":[
      {"name":"id","type":"long"}, {"name":"old","type":"int"},
      {"name":"note","type":["null","string"],"default":null},
      {"name":"day","type":{"type":"int","logicalType":"date"}},
      {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
      {"name":"either","type":["int","string"]},
      {"name":"tree","type":{"type":"record","name":"Tree","fields":[
          {"name":"left","type":["null","Tree"]}]}},
      {"name":"address","type":["null",{"type":"record","name":"A","fields":[
          {"name":"zip","type":"string"},{"name":"street","type":"string"}]}]},
      {"name":"lines","type":{"type":"array","items":{"type":"record","name":"L","fields":[
          {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}}}]})";
  auto schema = AvroSchema::Parse(writer);
  ASSERT_TRUE(schema.ok()) << schema.status().ToString();
  auto own = AvroSchema::Parse(R"({"type":"record","name":"Order","fields":[
      {"name":"id","type":"long"},{"name":"unread","type":"int","aliases":["old"]}]})");
  ASSERT_TRUE(own.ok());
  const auto types = TypesOf(Orders());
  EXPECT_EQ(Columns(UndeclaredAvroFields((*schema)->root(), &(*own)->root(), Orders(), types)),
            "note STRING; day DATE; price DECIMAL(10, 2); either ?; tree ?; address.street STRING; "
            "lines[].at TIMESTAMP");
}

TEST(Drift, ProtobufFields) {
  auto schema = ProtoSchema::Parse(R"(syntax = "proto3";
      import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";
      message Order { int64 id = 1; repeated string tags = 2; Address address = 3;
        map<string, Address> totals = 4; google.protobuf.Timestamp at = 5; Tree tree = 6;
        google.protobuf.Int64Value maybe = 7; uint64 big = 8; bytes raw = 9; }
      message Address { string zip = 1; string street = 2; }
      message Tree { Tree left = 1; })");
  ASSERT_TRUE(schema.ok()) << schema.status().ToString();
  EXPECT_EQ(Columns(UndeclaredProtoFields(*(*schema)->file().message_type(0), Orders(),
                                          TypesOf(Orders()))),
            "tags ARRAY<STRING>; address.street STRING; totals{}.zip STRING; totals{}.street "
            "STRING; at TIMESTAMP; tree ?; maybe BIGINT; big DECIMAL(20, 0); raw BYTES");
}

// Records of a registry's schemas drift by their schema, whichever values they have.
TEST(Drift, RecordsThatNameTheirSchema) {
  auto registry = std::make_shared<MemoryRegistry>();
  const auto old_schema = registry->Register("s", {"AVRO", R"({"type":"record","name":"O","fields":[
      {"name":"id","type":"long"}]})"});
  const auto new_schema = registry->Register("s", {"AVRO", R"({"type":"record","name":"O","fields":[
      {"name":"id","type":"long"},{"name":"note","type":["null","string"]}]})"});
  ASSERT_TRUE(old_schema.ok() && new_schema.ok());
  auto record = [](int32_t id, const std::string& bytes) {
    return std::string("\0\0\0\0", 4) + static_cast<char>(id) + bytes;
  };
  const Strings records = {record(*old_schema, "\x02"),
                           record(*new_schema, std::string("\x04\0", 2)),
                           record(*new_schema, "\x06\x02\x02x")};
  Drifting ignored("avro-confluent", "ignore", registry);
  EXPECT_EQ(ignored.Decode(records), "3 rows");
  EXPECT_EQ(ignored.Found(), Strings({"note STRING x2 from 1"}));
  Drifting refused("avro-confluent", "dead-letter", registry);
  const std::string reason =
      "\ntype note: the table does not declare the field \"note\"; its line in CREATE TABLE would "
      "be: `note` STRING";
  EXPECT_EQ(refused.Decode(records), "1 rows" + reason + reason);
}

}  // namespace
}  // namespace millrace::format
