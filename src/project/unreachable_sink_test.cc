// A sink that is away when the project starts: everything else comes up, the job says what it waits
// for, goes on by itself when the sink is there, and stops when told to.
#include <gtest/gtest.h>

#include "project/project_fixture.h"

namespace millrace::project {
namespace {

constexpr const char* kScript = R"(
CREATE TABLE events (n INT) WITH ('connector' = 'kafka', 'topic' = 'events',
  'properties.bootstrap.servers' = 'x', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset');
CREATE TABLE away (n INT) WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:1/x',
  'table-name' = 'away');
CREATE TABLE here (n INT) WITH ('connector' = 'warehouse');
INSERT INTO away SELECT n FROM events;
INSERT INTO here SELECT n FROM events;
)";

TEST(UnreachableSink, HoldsUpItsOwnJobOnly) {
  TempDirectory directory;
  Write(directory.path() + "/sql/a.sql", kScript);
  Write(directory.path() + "/millrace.yml",
        "name: t\ntarget: real\ntargets:\n  real:\n    embedded: [kafka]\n");
  for (int start = 0; start < 2; start++) {
    auto runtime = Open(directory.path(), true);
    ASSERT_NE(runtime, nullptr);
    runtime->Start();
    Append(*runtime, "events", 0, {R"({"n":1})"});
    std::vector<std::string> wanted(static_cast<size_t>(start) + 1, "1|");
    while (Rows(*runtime, "SELECT n FROM here") != wanted) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    bool found = false;
    for (const job::JobStatus& status : runtime->JobStatuses()) {
      if (status.name != "away") continue;
      found = true;
      EXPECT_EQ(status.state, job::JobState::kFailing);
      EXPECT_FALSE(status.error.ok());
    }
    EXPECT_TRUE(found);
    runtime->Stop();
    for (const job::JobStatus& status : runtime->JobStatuses()) {
      EXPECT_EQ(status.state, job::JobState::kStopped) << status.name;
    }
  }
}

}  // namespace
}  // namespace millrace::project
