// `millrace reprocess`: the new version holds what a batch over the same input gives, the old one
// serves until then and comes back whole, whenever it was interrupted.
#include "project/reprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "project/project_fixture.h"
#include "project/verify.h"

namespace millrace::project {
namespace {

using testing::HasSubstr;
using Phase = ReprocessProgress::Phase;
using Action = ReprocessRequest::Action;

// `where` is what changes from version to version.
std::string Script(const std::string& where, const std::string& settings = "") {
  return settings + R"(
CREATE TABLE events (k STRING, n INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH ('connector' = 'kafka', 'topic' = 'events', 'properties.bootstrap.servers' = 'x',
  'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE keyed (k STRING, c BIGINT, s BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'keyed');
CREATE TABLE windows (ws TIMESTAMP(3), k STRING, c BIGINT)
WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'windows');
INSERT INTO keyed SELECT COALESCE(k, '?'), COUNT(*), SUM(n) FROM events )" +
         where + R"( GROUP BY COALESCE(k, '?');
INSERT INTO windows SELECT window_start, k, COUNT(*) FROM TABLE(TUMBLE(TABLE events,
  DESCRIPTOR(ts), INTERVAL '10' SECOND)) )" +
         where + " GROUP BY window_start, window_end, k;\n";
}
const char* kJobs[] = {"keyed", "windows"};

// NULLs, duplicates, late rows, bad records; times go on from part to part.
void Produce(Runtime& runtime, unsigned part) {
  std::mt19937 random(part);
  for (int p = 0; p < 3; p++) {
    std::vector<std::string> values;
    for (int i = 0; i < 40; i++) {
      int64_t ms = part * 20'000 + i * 500 - static_cast<int64_t>(random() % 4000);
      if (i % 13 == 9) ms -= 15'000;
      ms = std::max<int64_t>(0, ms);
      const std::string n = random() % 9 == 0 ? "null" : std::to_string(random() % 9);
      const std::string k = random() % 7 == 0 ? "null" : fmt::format("\"k{}\"", random() % 4);
      values.push_back(fmt::format(R"({{"k":{},"n":{},"ts":"2026-03-01 10:{:02}:{:02}.{:03}"}})", k,
                                   n, ms / 60'000, ms / 1000 % 60, ms % 1000));
      if (i % 20 == 0) values.push_back(values.back());
      if (i % 19 == 5) values.push_back("{\"k\": \"cut");
    }
    Append(runtime, "events", p, values);
  }
}

void WaitUntilRead(Runtime& runtime) {
  auto all_read = [&] {
    for (const auto& status : runtime.JobStatuses()) {
      if (status.sources.empty() || status.sources[0].splits.size() < 3) return false;
      for (const auto& split : status.sources[0].splits) {
        auto at = runtime.log().DescribePartition("events", std::stoi(split.split));
        if (!at.ok() || split.to < at->stable_offset) return false;
      }
    }
    return true;
  };
  while (!all_read()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

ReprocessProgress WaitFor(Reprocessor& reprocessor, const std::string& job) {
  for (;;) {
    auto progress = reprocessor.Progress(job);
    if (!progress.ok()) {
      ADD_FAILURE() << progress.status().ToString();
      return {};
    }
    if (progress->ended()) return *progress;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Returns how many records were read for it.
int64_t Reprocess(Runtime& runtime, const std::string& job, Action action = Action::kStart) {
  Reprocessor reprocessor(runtime);
  Status started = reprocessor.Start({job, action});
  EXPECT_TRUE(started.ok()) << started.ToString();
  if (!started.ok() || action == Action::kRetire) return 0;
  const ReprocessProgress progress = WaitFor(reprocessor, job);
  EXPECT_EQ(progress.phase, Phase::kDone) << progress.error.ToString();
  return progress.records_read;
}

void ExpectEqualToBatch(Runtime& runtime, bool running) {
  for (const char* job : kJobs) {
    auto report = VerifyJob(runtime, job, 20);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_TRUE(report->equal()) << report->ToText();
    EXPECT_GT(report->rows_expected, 0) << report->ToText();
    EXPECT_EQ(report->paused_us >= 0, running);
  }
}

void ExpectLettersOnce(Runtime& runtime) {
  const auto rows = Rows(
      runtime,
      "SELECT count(*) - count(DISTINCT (job, \"partition\", \"offset\", kind)), count(*) > 0 FROM "
      "millrace.dead_letters");
  EXPECT_EQ(rows[0], "0|true|");
}

class ReprocessOf : public ::testing::TestWithParam<const char*> {};

TEST_P(ReprocessOf, AStoppedProject) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "topics:\n  events: {partitions: 3}\n");
  const std::string path = directory.path() + "/sql/a.sql";
  Write(path, Script("WHERE n < 6"));
  {
    auto runtime = Open(directory.path(), true);
    ASSERT_NE(runtime, nullptr);
    Produce(*runtime, 0);
    runtime->Start();
    WaitUntilRead(*runtime);
    runtime->Stop();
    Produce(*runtime, 1);  // not read yet by the old version
  }
  Write(path, Script("WHERE n > 2", GetParam()));
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  const auto before = Rows(*runtime, "FROM keyed");
  for (const char* job : kJobs) {
    // All of the log, also what was read before anybody looked.
    EXPECT_GE(Reprocess(*runtime, job), 2 * 3 * 40);
  }
  ExpectEqualToBatch(*runtime, false);
  EXPECT_NE(Rows(*runtime, "FROM keyed"), before);
  EXPECT_EQ(Rows(*runtime, "FROM keyed__v1"), before);
  ExpectLettersOnce(*runtime);

  // It goes on as the job that it is now.
  runtime.reset();
  runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  EXPECT_TRUE(runtime->notes().empty());
  Produce(*runtime, 2);
  runtime->Start();
  WaitUntilRead(*runtime);
  ExpectEqualToBatch(*runtime, true);

  // And back: the old version reads what came meanwhile, and serves.
  for (const char* job : kJobs) Reprocess(*runtime, job, Action::kRollback);
  EXPECT_GT(Rows(*runtime, "FROM keyed__v2").size(), 0u);
  ExpectEqualToBatch(*runtime, true);
  for (const char* job : kJobs) Reprocess(*runtime, job, Action::kRetire);
  EXPECT_EQ(
      Rows(*runtime, "SELECT count(*) FROM duckdb_tables() WHERE contains(table_name, '__v')"),
      std::vector<std::string>{"0|"});
  ExpectEqualToBatch(*runtime, true);
  ExpectLettersOnce(*runtime);
}

INSTANTIATE_TEST_SUITE_P(Shards, ReprocessOf,
                         ::testing::Values("", "SET 'parallelism.default' = '3';\n"));

// Rows keep coming in; interrupted again and again; each row is in the new version once.
TEST(ReprocessWhile, EventsComeIn) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "topics:\n  events: {partitions: 3}\n");
  const std::string path = directory.path() + "/sql/a.sql";
  Write(path, Script("WHERE n < 6", "SET 'millrace.epoch.bytes' = '2000';\n"));
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  Produce(*runtime, 0);
  runtime->Start();
  WaitUntilRead(*runtime);
  std::atomic<bool> enough{false};
  std::thread events([&] {
    for (unsigned part = 1; !enough; part++) Produce(*runtime, part);
  });
  Write(path, Script("WHERE n > 2"));
  for (int round = 0; round < 4; round++) {
    Reprocessor interrupted(*runtime);
    Status started = interrupted.Start({"keyed"});
    EXPECT_TRUE(started.ok()) << started.ToString();
    std::this_thread::sleep_for(std::chrono::milliseconds(round * 7));
  }
  for (const char* job : kJobs) {
    Reprocess(*runtime, job);
    for (int i = 0; i < 3; i++) {
      auto report = VerifyJob(*runtime, job, 20);
      EXPECT_TRUE(report.ok()) << report.status().ToString();
      EXPECT_TRUE(report.ok() && report->equal()) << (report.ok() ? report->ToText() : "");
    }
  }
  enough = true;
  events.join();
  WaitUntilRead(*runtime);
  ExpectEqualToBatch(*runtime, true);
}

TEST(ReprocessRefuses, WhatCannotBeReadAgain) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "topics:\n  events: {partitions: 3}\n");
  const std::string path = directory.path() + "/sql/a.sql";
  Write(path, Script("WHERE n < 6"));
  {
    auto runtime = Open(directory.path(), true);
    ASSERT_NE(runtime, nullptr);
    Produce(*runtime, 0);
    runtime->Start();
    WaitUntilRead(*runtime);
    runtime->Stop();
    ASSERT_TRUE(runtime->log().DeleteRecords("events", 1, 10).ok());
  }
  Write(path, Script("WHERE n > 2"));
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  Reprocessor reprocessor(*runtime);
  const auto before = Rows(*runtime, "FROM keyed");
  Status refused = reprocessor.Start({"keyed"});
  EXPECT_THAT(refused.ToString(), HasSubstr("retention has deleted"));
  EXPECT_THAT(reprocessor.Start({"kyed"}).ToString(), HasSubstr("keyed"));
  EXPECT_THAT(reprocessor.Start({"keyed", Action::kRollback}).ToString(), HasSubstr("go back"));
  EXPECT_THAT(reprocessor.Start({"keyed", Action::kRetire}).ToString(), HasSubstr("no version"));
  EXPECT_EQ(Rows(*runtime, "FROM keyed"), before);
  // Who says from where it is to be read knows what is missing.
  Status started = reprocessor.Start({"keyed", Action::kStart, "20"});
  ASSERT_TRUE(started.ok()) << started.ToString();
  EXPECT_EQ(WaitFor(reprocessor, "keyed").phase, Phase::kDone);
  auto report = VerifyJob(*runtime, "keyed", 20);
  ASSERT_TRUE(report.ok()) << report.status().ToString();
  EXPECT_TRUE(report->equal()) << report->ToText();
  EXPECT_THAT(report->inputs[0].ranges[0], HasSubstr("0: 20.."));
}

TEST(ReprocessRequestText, IsChecked) {
  EXPECT_TRUE(ParseReprocessRequest("j", "").ok());
  auto request = ParseReprocessRequest("j", R"({"action":"rollback","from":"12ms"})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->action, Action::kRollback);
  for (const char* bad : {"[]", R"({"action":"go"})", R"({"from":"x"})", R"({"from":"-1"})",
                          R"({"form":"1"})", R"({"action":1})", "{"}) {
    EXPECT_FALSE(ParseReprocessRequest("j", bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace millrace::project
