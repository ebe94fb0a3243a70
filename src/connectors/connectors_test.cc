#include <fstream>
#include <sstream>

#include "connectors/connector_fixture.h"
#include "connectors/net_changes.h"
#include "connectors/reference.h"
#include "env/clock.h"

namespace millrace::connectors {
namespace {

const ConnectorSpec& SpecOf(const std::string& name) {
  return (*FindConnector(name))->spec;
}

TEST(Options, ChecksNamesTypesAndRequired) {
  const auto& kafka = SpecOf("kafka");
  auto fine = ParseOptions(kafka, {{"connector", "kafka"},
                                   {"topic", "t"},
                                   {"format", "json"},
                                   {"json.fail-on-missing-field", "true"},
                                   {"properties.security.protocol", "SSL"}});
  ASSERT_TRUE(fine.ok()) << fine.status().ToString();
  EXPECT_EQ(fine->GetString("scan.startup.mode"), "group-offsets");
  EXPECT_EQ(fine->GetInt("properties.num.partitions"), 1);
  EXPECT_FALSE(fine->Has("connector"));
  auto error = [&](std::map<std::string, std::string> with) {
    return ParseOptions(kafka, with).status();
  };
  Status typo = error({{"topic", "t"}, {"format", "json"}, {"scan.startup.mod", "x"}});
  EXPECT_EQ(typo.code(), Code::kUnknownOption);
  EXPECT_NE(typo.hint().find("scan.startup.mode"), std::string::npos);
  EXPECT_EQ(error({{"format", "json"}}).code(), Code::kBadOption);
  EXPECT_EQ(error({{"topic", ""}, {"format", "json"}}).code(), Code::kBadOption);
  EXPECT_EQ(error({{"topic", "t"}}).code(), Code::kBadOption);
  EXPECT_EQ(error({{"topic", "t"}, {"format", "json"}, {"csv.field-delimiter", ";"}}).code(),
            Code::kUnknownOption);
  EXPECT_EQ(error({{"topic", "t"}, {"format", "json"}, {"properties.num.partitions", "4x"}}).code(),
            Code::kBadOption);
  EXPECT_EQ(error({{"topic", "t"}, {"format", "json"}, {"scan.startup.mode", "earliest"}}).code(),
            Code::kBadOption);
  EXPECT_EQ(error({{"topic", "t"}, {"format", "jsno"}}).hint().substr(0, 20),
            "did you mean \"json\"?");
  EXPECT_EQ(error({{"topic", "t"}, {"format", "json"}, {"json.ignore-errors", "true"}}).code(),
            Code::kUnknownOption);
  EXPECT_EQ(error({{"topic", "t"}, {"format", "parquet"}}).code(), Code::kUnknownOption);
  EXPECT_EQ(FindConnector("kafak").status().code(), Code::kUnknownOption);
  auto file =
      ParseOptions(SpecOf("filesystem"),
                   {{"path", "x"}, {"format", "json"}, {"sink.rolling-policy.file-size", "abc"}});
  EXPECT_EQ(file.status().code(), Code::kBadOption);
}

TEST(Options, TheSeedsTables) {
  EXPECT_TRUE(ParseOptions(SpecOf("kafka"), {{"topic", "page-views"},
                                             {"properties.bootstrap.servers", "kafka:9092"},
                                             {"properties.group.id", "analytics-pipeline"},
                                             {"format", "json"},
                                             {"scan.startup.mode", "latest-offset"}})
                  .ok());
  EXPECT_TRUE(ParseOptions(SpecOf("jdbc"), {{"url", "jdbc:postgresql://analytics-db:5432/metrics"},
                                            {"table-name", "page_view_counts"},
                                            {"driver", "org.postgresql.Driver"},
                                            {"username", "flink_user"},
                                            {"password", "..."}})
                  .ok());
}

TEST(Reference, EveryConnectorIsDescribed) {
  const std::string list = RenderConnectorList(), page = RenderConnectorsPage();
  for (const ConnectorEntry& entry : AllConnectors()) {
    const ConnectorSpec& spec = entry.spec;
    EXPECT_NE(list.find(spec.name), std::string::npos);
    EXPECT_NE(page.find("## " + spec.name), std::string::npos);
    EXPECT_FALSE(spec.summary.empty() || spec.guarantee_doc.empty() || spec.example.empty())
        << spec.name;
    EXPECT_EQ(spec.source, entry.new_source != nullptr) << spec.name;
    EXPECT_EQ(spec.sink, entry.new_sink != nullptr) << spec.name;
    const std::string text = RenderConnectorText(spec);
    for (const OptionSpec& option : spec.options) {
      EXPECT_FALSE(option.doc.empty()) << spec.name << " " << option.name;
      EXPECT_NE(text.find(option.name), std::string::npos);
    }
  }
  EXPECT_NE(RenderConnectorText(SpecOf("jdbc")).find("Secret"), std::string::npos);
}

TEST(Reference, ThePageInDocsIsUpToDate) {
  const std::string path = std::string(MILLRACE_SOURCE_DIR) + "/docs/reference/connectors.md";
  if (std::getenv("MILLRACE_UPDATE_GOLDEN")) std::ofstream(path) << RenderConnectorsPage();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), RenderConnectorsPage()) << "run with MILLRACE_UPDATE_GOLDEN=1";
}

TEST(NetChanges, AddsUpPerKey) {
  NetChanges changes;
  EXPECT_TRUE(changes.Final().empty());
  changes.Add("a", "a1", 0, 1);
  changes.Add("a", "a1", 1, -1);
  EXPECT_TRUE(changes.Final().empty());
  changes.Add("b", "b2", 2, 1);
  changes.Add("b", "b1", 3, -1);
  changes.Add("c", "c1", 4, -1);
  auto final = changes.Final();
  ASSERT_EQ(final.size(), 2u);
  EXPECT_TRUE(final[0].upsert);
  EXPECT_EQ(final[0].row, "b2");
  EXPECT_FALSE(final[1].upsert);
}

model::Schema OrderSchema() {
  return {{{"id", LogicalType::BIGINT},
           {"price", LogicalType::DOUBLE},
           {"country", LogicalType::VARCHAR},
           {"d", LogicalType::DECIMAL(10, 2)},
           {"ts", LogicalType::TIMESTAMP},
           {"s", LogicalType::VARCHAR}}};
}

std::unique_ptr<Source> Datagen(std::map<std::string, std::string> with,
                                const std::vector<size_t>& projection = {0, 1, 2, 3, 4, 5}) {
  auto made = (*FindConnector("datagen"))->new_source(MakeTable("datagen", OrderSchema(), with));
  EXPECT_TRUE(made.ok()) << made.status().ToString();
  if (!made.ok()) return nullptr;
  EXPECT_TRUE((*made)->Open(projection).ok());
  return std::move(*made);
}

TEST(Datagen, BoundedRowsAreAFunctionOfTheirNumber) {
  std::map<std::string, std::string> with = {
      {"number-of-rows", "5000"},     {"rows-per-second", "0"},
      {"fields.id.kind", "sequence"}, {"fields.id.start", "10"},
      {"fields.id.end", "100000"},    {"fields.price.min", "1"},
      {"fields.price.max", "2"},      {"fields.country.values", "DE|FR"},
      {"fields.s.length", "20"},      {"fields.s.null-rate", "0.5"}};
  auto source = Datagen(with);
  ASSERT_EQ((*source->Splits()).size(), 1u);
  const Split split = (*source->Splits())[0];
  EXPECT_EQ(*source->Start(split), 0);
  const auto all = ReadAll(*source, split, 1 << 30);
  ASSERT_EQ(all.size(), 5000u);
  EXPECT_TRUE(all[0].starts_with("0:10,1.")) << all[0];
  EXPECT_EQ(ReadAll(*source, split, 1000), all);
  EXPECT_EQ(ReadAll(*Datagen(with), split, 77777), all);
  Collected out;
  ASSERT_TRUE(source->Read(split, 4000, 4002, out).ok());
  EXPECT_EQ(out.rows, (std::vector<std::string>{all[4000], all[4001]}));
  with["seed"] = "1";
  EXPECT_NE(ReadAll(*Datagen(with), split, 1 << 30), all);
  int nulls = 0;
  for (const auto& row : all) nulls += row.ends_with(",NULL");
  EXPECT_NEAR(nulls, 2500, 250);
}

TEST(Datagen, EndlessRowsComeByTheClock) {
  auto source = Datagen({{"rows-per-second", "1000000"}}, {4});
  const Split split = (*source->Splits())[0];
  const model::Offset start = *source->Start(split);
  const int64_t wall = env::Clock::System()->WallMicros();
  EXPECT_NEAR(static_cast<double>(start), static_cast<double>(wall), 5e6);
  source->Wait(env::Clock::System()->MonotonicMicros() + 2000);
  auto ready = source->Poll(split, start, 1000);
  EXPECT_GT(ready->to, start);
  EXPECT_FALSE(ready->end);
  Collected out;
  ASSERT_TRUE(source->Read(split, 1'700'000'000'000'000, 1'700'000'000'000'001, out).ok());
  EXPECT_EQ(out.rows[0], "1700000000000000:2023-11-14 22:13:20");
}

TEST(Datagen, RefusesNonsense) {
  auto code = [](std::map<std::string, std::string> with) {
    return (*FindConnector("datagen"))
        ->new_source(MakeTable("datagen", OrderSchema(), with))
        .status()
        .code();
  };
  EXPECT_EQ(code({{"rows-per-second", "0"}}), Code::kBadOption);
  EXPECT_EQ(code({{"rows-per-second", "-1"}}), Code::kBadOption);
  EXPECT_EQ(code({{"fields.id.kind", "sequence"}}), Code::kBadOption);
  EXPECT_EQ(code({{"fields.price.min", "3"}, {"fields.price.max", "2"}}), Code::kBadOption);
  EXPECT_EQ(code({{"fields.nope.min", "3"}}), Code::kUnknownColumn);
  EXPECT_EQ(code({{"start-time", "yesterday"}}), Code::kBadOption);
}

TEST(Print, PrintsAsFlink) {
  model::Schema schema{{{"k", LogicalType::INTEGER}, {"s", LogicalType::VARCHAR}}};
  auto table = MakeTable("print", schema, {{"print-identifier", "x"}}, {"k"});
  auto sink = std::move(*(*FindConnector("print"))->new_sink(table));
  ASSERT_TRUE(sink->Open().ok());
  ::testing::internal::CaptureStdout();
  ASSERT_TRUE(WriteRows(*sink, schema,
                        {{Value::INTEGER(1), Value("a")},
                         {Value::INTEGER(1), Value("b")},
                         {Value::INTEGER(2), Value()},
                         {Value::INTEGER(3), Value("c")}},
                        {-1, 1, 1, -1})
                  .ok());
  ASSERT_TRUE(sink->Commit(1).ok());
  ASSERT_TRUE(sink->Commit(2).ok());
  EXPECT_EQ(::testing::internal::GetCapturedStdout(),
            "x> -U[1, a]\nx> +U[1, b]\nx> +I[2, null]\nx> -D[3, c]\n");
}

TEST(Blackhole, TakesEverything) {
  model::Schema schema{{{"k", LogicalType::INTEGER}}};
  auto sink =
      std::move(*(*FindConnector("blackhole"))->new_sink(MakeTable("blackhole", schema, {})));
  ASSERT_TRUE(sink->Open().ok());
  EXPECT_TRUE(WriteRows(*sink, schema, {{Value()}}, {-1}).ok());
  EXPECT_TRUE(sink->Commit(1).ok());
  EXPECT_EQ(*sink->LastCommitted(), 0);
}

}  // namespace
}  // namespace millrace::connectors
