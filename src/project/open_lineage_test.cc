// OpenLineage events: what they say of a run, and that sending them never holds anybody up. That
// they fit the published schemas is checked in tests/e2e/open_lineage_test.sh.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>

#include "project/open_lineage_reporter.h"
#include "project/project_fixture.h"
#include "project/reconcile_record.h"

namespace millrace::project {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kScript = R"(
CREATE TABLE events (k STRING, n INT, CHECK (n < 90) ON VIOLATION FAIL)
WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
CREATE TABLE sums (k STRING, s BIGINT, PRIMARY KEY (k) NOT ENFORCED) WITH ('connector' = 'jdbc',
  'url' = 'jdbc:postgresql://x/y', 'table-name' = 'stored_sums');
INSERT INTO sums SELECT k, SUM(n) FROM events GROUP BY k;
)";

std::vector<std::string> Lines(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string TextAt(const std::string& json, const std::string& pointer) {
  simdjson::dom::parser parser;
  simdjson::dom::element event, found;
  if (parser.parse(json).get(event) || event.at_pointer(pointer).get(found)) return "?";
  std::string_view text;
  return found.get_string().get(text) ? simdjson::minify(found) : std::string(text);
}

// Runs the jobs over `values` and returns the events.
std::vector<std::string> EventsOf(const std::vector<std::string>& values) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml",
        "name: shop\nlineage: {openlineage: {transport: file, path: events.jsonl}}\n");
  Write(directory.path() + "/sql/a.sql", kScript);
  {
    auto runtime = Open(directory.path(), false);
    if (!runtime) return {};
    Append(*runtime, "events", 0, values);
  }
  auto runtime = Open(directory.path(), true);
  if (!runtime) return {};
  auto reporter = OpenLineageReporter::Start(*runtime);
  EXPECT_TRUE(reporter.ok()) << reporter.status().ToString();
  runtime->Start();
  std::atomic<bool> stop{false};
  Status ended = runtime->WaitForJobs(nullptr, stop);
  runtime->Stop();
  (*reporter)->Finish();
  EXPECT_EQ((*reporter)->counts().dropped + (*reporter)->counts().failed, 0);
  return Lines(directory.path() + "/.millrace/events.jsonl");
}

TEST(OpenLineage, ARunThatEnds) {
  auto events = EventsOf({R"({"k":"a","n":1})", R"({"k":"a","n":2})", R"({"k":"b","n":null})"});
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(TextAt(events.front(), "/eventType"), "START");
  const std::string& last = events.back();
  EXPECT_EQ(TextAt(last, "/eventType"), "COMPLETE");
  EXPECT_EQ(TextAt(last, "/run/runId"), TextAt(events.front(), "/run/runId"));
  EXPECT_EQ(TextAt(last, "/job/namespace"), "shop");
  EXPECT_EQ(TextAt(last, "/job/name"), "sums");
  EXPECT_EQ(TextAt(last, "/job/facets/sql/query"),
            "INSERT INTO sums SELECT k, SUM(n) FROM events GROUP BY k");
  EXPECT_EQ(TextAt(last, "/inputs/0/namespace"), "millrace://shop");
  EXPECT_EQ(TextAt(last, "/inputs/0/name"), "events");
  EXPECT_EQ(TextAt(last, "/inputs/0/inputFacets/inputStatistics/rowCount"), "3");
  EXPECT_EQ(TextAt(last, "/outputs/0/name"), "stored_sums");
  EXPECT_THAT(TextAt(last, "/outputs/0/namespace"), HasSubstr("duckdb://"));
  const std::string fields = "/outputs/0/facets/columnLineage/fields";
  EXPECT_EQ(TextAt(last, fields + "/s/inputFields/0/field"), "n");
  EXPECT_EQ(TextAt(last, fields + "/s/inputFields/0/transformations/0/subtype"), "AGGREGATION");
  EXPECT_THAT(TextAt(last, "/outputs/0/facets/columnLineage/dataset"), HasSubstr("GROUP_BY"));
  EXPECT_THAT(last, Not(HasSubstr("errorMessage")));
}

TEST(OpenLineage, ARunOverNothing) {
  auto events = EventsOf({});
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(TextAt(events.back(), "/eventType"), "COMPLETE");
  EXPECT_EQ(TextAt(events.back(), "/outputs/0/outputFacets/outputStatistics/rowCount"), "0");
}

TEST(OpenLineage, ARunThatFails) {
  auto events = EventsOf({R"({"k":"a","n":1})", R"({"k":"a","n":95})"});
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(TextAt(events.front(), "/eventType"), "START");
  EXPECT_THAT(events.front(), Not(HasSubstr("errorMessage")));
  EXPECT_EQ(TextAt(events.back(), "/eventType"), "FAIL");
  EXPECT_NE(TextAt(events.back(), "/run/facets/errorMessage/message"), "?");
}

TEST(OpenLineage, WhatReconciliationsFindIsToldOfTheirDestination) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml",
        "name: shop\nlineage: {openlineage: {transport: file, path: events.jsonl}}\n");
  Write(directory.path() + "/sql/a.sql", kScript);
  std::filesystem::create_directories(directory.path() + "/reconcile");
  Write(directory.path() + "/reconcile/copies.yml",
        "source: events\ndestination: stored_sums\nevery: 0\n");
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  ReconcileResult result;
  result.name = "copies";
  result.time_ms = 1'772'359'200'000;
  Append(*runtime, kReconciliationTopic, 0, {result.ToJson()});  // before: not told
  auto reporter = OpenLineageReporter::Start(*runtime);
  ASSERT_TRUE(reporter.ok()) << reporter.status().ToString();
  result.source_rows = 10;
  result.destination_rows = 9;
  result.missing = 1;
  result.divergence = 0.1;
  const std::string differs = result.ToJson();
  EXPECT_EQ(ParseReconcileResult(differs)->ToJson(), differs);
  result.ok = true;
  const std::string agrees = result.ToJson();
  result.ok = false;
  result.error = "the server is \"away\"";
  const std::string away = result.ToJson();
  result.name = "nobody's";
  Append(*runtime, kReconciliationTopic, 0, {differs, "no result", agrees, away, result.ToJson()});
  runtime->Stop();
  (*reporter)->Finish();
  const auto events = Lines(directory.path() + "/.millrace/events.jsonl");
  std::vector<std::string> types;
  std::set<std::string> runs;
  for (const std::string& event : events) {
    types.push_back(TextAt(event, "/eventType"));
    runs.insert(TextAt(event, "/run/runId"));
    EXPECT_EQ(TextAt(event, "/job/name"), "reconcile.copies");
    EXPECT_EQ(TextAt(event, "/inputs/0/name"), "events");
    EXPECT_EQ(TextAt(event, "/inputs/1/name"), "stored_sums");
    EXPECT_EQ(TextAt(event, "/outputs"), "[]");
  }
  EXPECT_THAT(types, ElementsAre("START", "COMPLETE", "START", "COMPLETE", "START", "FAIL"));
  EXPECT_EQ(runs.size(), 3u);
  const std::string assertion = "/inputs/1/inputFacets/dataQualityAssertions/assertions/0";
  EXPECT_EQ(TextAt(events[1], assertion + "/success"), "false");
  EXPECT_EQ(TextAt(events[1], assertion + "/expected"), "10");
  EXPECT_EQ(TextAt(events[1], assertion + "/actual"), "9");
  EXPECT_EQ(TextAt(events[3], assertion + "/success"), "true");
  EXPECT_EQ(TextAt(events[1], "/inputs/0/inputFacets"), "{}");
  EXPECT_EQ(TextAt(events[5], "/run/facets/errorMessage/message"), "the server is \"away\"");
}

// Nobody listens at the port: events are tried, the queue fills up, the rest is dropped; all are
// counted.
TEST(OpenLineage, AServerThatIsAwayDropsAndCounts) {
  OpenLineageSettings settings;
  settings.transport = OpenLineageSettings::Transport::kHttp;
  settings.url = "http://127.0.0.1:1/api/v1/lineage";
  settings.queue_max = 3;
  auto sender = OpenLineageSender::Open(settings, "");
  ASSERT_TRUE(sender.ok()) << sender.status().ToString();
  for (int i = 0; i < 100; i++) (*sender)->Send("{}");
  EXPECT_TRUE((*sender)->Flush(60'000));
  const OpenLineageCounts counts = (*sender)->counts();
  EXPECT_EQ(counts.sent, 0);
  EXPECT_GT(counts.dropped, 0);
  EXPECT_GT(counts.failed, 0);
  EXPECT_EQ(counts.dropped + counts.failed, 100);
  EXPECT_THAT(counts.last_error, HasSubstr("does not answer"));
}

TEST(OpenLineage, SettingsAndTheirFaults) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", kScript);
  auto faults_of = [&](const std::string& yaml) {
    Write(directory.path() + "/millrace.yml", yaml);
    std::vector<Status> faults;
    auto project = Project::Load(directory.path(), "", faults);
    std::string text;
    for (const Status& fault : faults) text += fault.ToString() + "\n";
    if (faults.empty()) text = OpenLineageSettingsOf(*project).url;
    return text;
  };
  EXPECT_EQ(faults_of("lineage: {openlineage: {transport: http, url: u, api-key: \"${env:X}\"}}"),
            "u");
  EXPECT_THAT(faults_of("lineage: {openlineage: {transport: http, url: u, api-key: secret}}"),
              testing::AllOf(HasSubstr("by reference only"), Not(HasSubstr("secret\""))));
  EXPECT_THAT(faults_of("lineage: {openlineage: {transport: http}}"), HasSubstr("needs a url"));
  EXPECT_THAT(faults_of("lineage: {openlineage: {transport: fil}}"), HasSubstr("file"));
  EXPECT_THAT(faults_of("lineage: {openlineage: {}}"), HasSubstr("needs a transport"));
  EXPECT_THAT(faults_of("lineage: {openlinaege: {}}"), HasSubstr("openlineage"));
}

TEST(OpenLineage, DatasetsHaveNoSecrets) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml",
        "name: shop\nkafka: {listen: \"127.0.0.1:9092\", advertised: log.example}\ntargets: {dev: "
        "{embedded: [kafka]}}\n");
  Write(directory.path() + "/sql/a.sql",
        std::string(kScript) +
            "CREATE TABLE out1 (k STRING) WITH ('connector' = 'jdbc', 'url' = "
            "'jdbc:postgresql://me:pw@db.example/shop?ssl=on', 'table-name' = 'mart.orders');\n"
            "CREATE TABLE out2 (k STRING) WITH ('connector' = 'filesystem', 'path' = "
            "'s3://bucket/a/b', 'format' = 'json');\n");
  std::vector<Status> faults;
  auto project = Project::Load(directory.path(), "", faults);
  auto name = [&](const std::string& table) {
    const DatasetName dataset = DatasetOf(*project, table);
    return dataset.space + " " + dataset.name;
  };
  EXPECT_EQ(name("events"), "kafka://log.example:9092 events");
  EXPECT_EQ(name("out1"), "postgres://db.example:5432 shop.mart.orders");
  EXPECT_EQ(name("out2"), "s3://bucket a/b");
  EXPECT_EQ(name("nowhere"), "millrace://shop nowhere");
}

}  // namespace
}  // namespace millrace::project
