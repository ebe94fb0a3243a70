// Events that are JSON, posted to topics whose tables have another format: what is stored is a
// record of the table, and what does not fit is an error of its event. (That others read these
// records as what was posted: tests/e2e/schema_registry_test.sh.)
#include "serve/event_encoder.h"

#include <gtest/gtest.h>

#include "format/confluent.h"
#include "format/memory_registry.h"
#include "serve/event_validator.h"

namespace millrace::serve {
namespace {

using duckdb::LogicalType;

std::shared_ptr<TopicSchema> SchemaOf(const model::Schema& columns,
                                      std::map<std::string, std::string> with,
                                      format::SchemaRegistry& registry,
                                      const std::string& connector = "kafka") {
  auto context = std::make_shared<connectors::TableContext>();
  context->name = "orders";
  context->schema = columns;
  if (connector == "upsert-kafka") context->primary_key = {"id"};
  with["topic"] = "orders";
  with["properties.bootstrap.servers"] = "ignored:9092";
  const auto* entry = *connectors::FindConnector(connector);
  auto options = connectors::ParseOptions(entry->spec, with);
  EXPECT_TRUE(options.ok()) << options.status().ToString();
  context->options = *std::move(options);
  context->services.registry = &registry;
  auto schema = std::make_shared<TopicSchema>();
  schema->table = "orders";
  schema->schema = columns;
  const format::DecoderOptions format = format::DecoderOptionsOf(with);
  schema->format = format.format;
  schema->format_options = format.options;
  schema->encoded_as = std::move(context);
  schema->upsert = connector == "upsert-kafka";
  return schema;
}

const model::Schema kColumns = {{{"id", LogicalType::BIGINT, false},
                                 {"note", LogicalType::VARCHAR},
                                 {"line", LogicalType::STRUCT({{"sku", LogicalType::VARCHAR}})}}};

struct Posted {
  std::vector<std::string> errors = {};  // "index: reason"
  std::vector<std::string> values = {};  // of the events without
  std::vector<std::string> keys = {};
};

Posted Post(EventValidator& validator, const std::vector<std::string>& events) {
  std::vector<std::string> padded;
  for (const std::string& event : events) {
    padded.push_back(event + std::string(model::kRecordPadding, '\0'));
  }
  std::vector<std::string_view> views;
  for (size_t i = 0; i < events.size(); i++) views.emplace_back(padded[i].data(), events[i].size());
  Verdict verdict;
  const Status status = validator.Validate(views, verdict);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(verdict.values.size(), events.size());
  Posted posted;
  size_t bad = 0;
  for (size_t i = 0; i < events.size(); i++) {
    if (bad < verdict.errors.size() && verdict.errors[bad].record_index == i) {
      posted.errors.push_back(std::to_string(i) + ": " + verdict.errors[bad++].message);
      continue;
    }
    posted.values.emplace_back(verdict.values[i]);
    posted.keys.emplace_back(verdict.keys[i].value_or("none"));
  }
  EXPECT_EQ(bad, verdict.errors.size());
  return posted;
}

TEST(EventEncoder, WritesAvroAndRefusesWhatDoesNotFit) {
  format::MemoryRegistry registry;
  const auto schema = SchemaOf(kColumns, {{"format", "avro-confluent"}}, registry);
  auto validator = *EventValidator::New(schema, format::NewDecoder);
  ASSERT_EQ(registry.subjects, std::vector<std::string>{"orders-value"});
  const Posted posted =
      Post(*validator, {R"({"id":1,"note":"a"})", R"({"note":"no id"})", R"({"id":"x"})", "[1]",
                        "{", R"({"id":2,"other":1})", R"({"id":3,"line":{"sku":"z","more":1}})",
                        R"({"id":-1,"line":{"sku":"z"}})"});
  ASSERT_EQ(posted.values.size(), 2u);
  EXPECT_EQ(posted.values[0], std::string("\0\0\0\0\1\x02\x02\x02"
                                          "a\0",
                                          10));
  EXPECT_EQ(posted.values[1].substr(5, 3), std::string("\x01\0\x02", 3));
  EXPECT_EQ(posted.keys, (std::vector<std::string>{"none", "none"}));
  ASSERT_EQ(posted.errors.size(), 6u);
  EXPECT_EQ(posted.errors[0].substr(0, 2), "1:");
  EXPECT_NE(posted.errors[4].find("does not declare the field \"other\""), std::string::npos)
      << posted.errors[4];
  EXPECT_NE(posted.errors[5].find("\"line.more\""), std::string::npos) << posted.errors[5];
  // Many, and none: the next request is a new one.
  const std::vector<std::string> many(5000, R"({"id":7})");
  EXPECT_EQ(Post(*validator, many).values.size(), many.size());
  EXPECT_TRUE(Post(*validator, {}).values.empty());
}

TEST(EventEncoder, WritesTheKeyAsTheTableDoes) {
  format::MemoryRegistry registry;
  const std::map<std::string, std::string> with = {{"key.format", "avro-confluent"},
                                                   {"key.fields", "id"},
                                                   {"value.format", "protobuf-confluent"},
                                                   {"value.fields-include", "EXCEPT_KEY"}};
  auto validator = *EventValidator::New(SchemaOf(kColumns, with, registry), format::NewDecoder);
  EXPECT_EQ(registry.subjects, (std::vector<std::string>{"orders-key", "orders-value"}));
  const Posted posted = Post(*validator, {R"({"id":1,"note":"a"})"});
  EXPECT_EQ(posted.keys, std::vector<std::string>{std::string("\0\0\0\0\1\x02", 6)});
  EXPECT_EQ(posted.values, std::vector<std::string>{std::string("\0\0\0\0\2\0\x0a\1a", 9)});

  const std::map<std::string, std::string> upsert = {{"key.format", "json"},
                                                     {"value.format", "avro-confluent"}};
  validator = *EventValidator::New(SchemaOf(kColumns, upsert, registry, "upsert-kafka"),
                                   format::NewDecoder);
  const Posted rows = Post(*validator, {R"({"id":1})", R"({"id":1,"note":"b"})"});
  EXPECT_EQ(rows.keys, (std::vector<std::string>{R"({"id":1})", R"({"id":1})"})) << "each is kept";
  EXPECT_EQ(rows.values.size(), 2u);
}

TEST(EventEncoder, ChecksAgainstTheJsonSchemaThatIsGiven) {
  format::MemoryRegistry registry;
  const model::Schema columns = {{{"id", LogicalType::BIGINT, false}}};
  const std::map<std::string, std::string> with = {
      {"format", "json-schema"},
      {"json-schema.schema", R"({"properties":{"id":{"minimum":5}}})"}};
  auto validator = *EventValidator::New(SchemaOf(columns, with, registry), format::NewDecoder);
  const Posted posted = Post(*validator, {R"({"id":5})", R"({"id":4})", R"({ "id" : 6 })"});
  EXPECT_EQ(posted.values.size(), 2u);
  EXPECT_EQ(posted.values[1], std::string("\0\0\0\0\1", 5) + R"({"id":6})");
  ASSERT_EQ(posted.errors.size(), 1u);
  EXPECT_NE(posted.errors[0].find("/id: 4 against \"minimum\" of 5"), std::string::npos)
      << posted.errors[0];
}

TEST(EventEncoder, ARegistryThatIsAwayIsAnErrorOfTheRequest) {
  format::MemoryRegistry registry;
  auto schema = SchemaOf(kColumns,
                         {{"format", "json-schema"},
                          {"json-schema.use-latest-version", "true"},
                          {"json-schema.subject", "none-value"}},
                         registry);
  EXPECT_EQ(EventValidator::New(schema, format::NewDecoder).status().code(),
            Code::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::serve
