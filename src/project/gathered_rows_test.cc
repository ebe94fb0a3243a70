// Rows that a sink gathers for its next commit: they become visible in time, also when nothing more comes.
#include "project/project_fixture.h"

namespace millrace::project {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr const char* kArchive = R"(
CREATE TABLE events (id BIGINT) WITH ('connector' = 'kafka', 'topic' = 'events',
  'properties.bootstrap.servers' = 'embedded', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
CREATE TABLE archive (id BIGINT) WITH ('connector' = 'filesystem', 'path' = 'archive',
  'format' = 'json', 'sink.rolling-policy.rollover-interval' = '3 s');
INSERT INTO archive SELECT id FROM events;
)";

// Of rows; the sink has one of its own beside them.
int FilesBelow(const std::string& directory) {
  int files = 0;
  std::error_code none;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, none)) {
    if (entry.is_regular_file() && entry.path().filename().string().starts_with("part-")) files++;
  }
  return files;
}

// The interval ends long after the last epoch, and no input makes another one.
TEST(GatheredRows, BecomeVisibleWhileTheJobIsIdle) {
  TempDirectory directory;
  Write(directory.path() + "/sql/jobs.sql", kArchive);
  auto runtime = Open(directory.path(), true);
  ASSERT_NE(runtime, nullptr);
  runtime->Start();
  Append(*runtime, "events", 0, {R"({"id": 1})", R"({"id": 2})"});
  const auto deadline = steady_clock::now() + std::chrono::seconds(60);
  while (FilesBelow(directory.path() + "/archive") == 0 && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(50));
  }
  EXPECT_EQ(FilesBelow(directory.path() + "/archive"), 1);
  runtime->Stop();
  EXPECT_EQ(FilesBelow(directory.path() + "/archive"), 1) << "only the stop made it visible";
}

}  // namespace
}  // namespace millrace::project
