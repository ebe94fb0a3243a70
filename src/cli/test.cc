#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/strings.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "env/clock.h"
#include "env/files.h"
#include "project/sql_test.h"

namespace millrace::cli {

namespace {

using project::SqlTest;
using project::SqlTestWay;

// An empty directory that goes away with what is in it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("millrace-test-{}-{}", getpid(), env::Clock::System()->MonotonicMicros());
    std::filesystem::create_directories(path_);
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

const char* WayName(SqlTestWay way) {
  switch (way) {
    case SqlTestWay::kAsWritten:
      return "";
    case SqlTestWay::kTinyEpochs:
      return " (an epoch per record)";
    case SqlTestWay::kCrashEveryStep:
      return " (a crash after every step)";
  }
  return "";
}

// Prints one line, and what is wrong. Whether it passed.
bool RunOne(const SqlTest& test, const project::Project& project, SqlTestWay way) {
  const int64_t began_us = env::Clock::System()->MonotonicMicros();
  ScratchDirectory scratch;
  auto outcome = project::RunSqlTest(test, project, scratch.path(), way);
  const int64_t took_us = env::Clock::System()->MonotonicMicros() - began_us;
  const bool passed = outcome.ok() && outcome->passed;
  fmt::print("{}  {}{}  ({} ms)\n", passed ? "ok    " : "FAILED", test.name, WayName(way),
             took_us / 1000);
  std::string report = outcome.ok() ? outcome->report : outcome.status().ToString();
  if (!report.empty()) {
    for (const std::string& line : Split(std::string(Trim(report)), '\n')) {
      fmt::print("    {}\n", line);
    }
  }
  std::fflush(stdout);
  return passed;
}

}  // namespace

int RunTest(const TestOptions& options) {
  const std::string directory = CleanPath(options.directory);
  std::vector<Status> faults;
  // Whatever the target: the tests replace sources and sinks.
  auto project = project::Project::Load(directory, "dev", faults);
  if (!faults.empty()) return FailAll(faults);
  std::vector<SqlTest> tests;
  auto names = env::FileSystem::Real()->List(directory + "/tests");
  if (names.ok()) {
    for (const std::string& name : *names) {
      if (name.size() < 5 || name.substr(name.size() - 4) != ".yml") continue;
      auto found = project::LoadSqlTests(directory + "/tests/" + name, *project, faults);
      std::move(found.begin(), found.end(), std::back_inserter(tests));
    }
  }
  if (!faults.empty()) return FailAll(faults);
  std::vector<SqlTestWay> ways = {SqlTestWay::kAsWritten};
  if (options.thorough) {
    ways.insert(ways.end(), {SqlTestWay::kTinyEpochs, SqlTestWay::kCrashEveryStep});
  }
  int passed = 0, failed = 0;
  for (const SqlTest& test : tests) {
    if (test.name.find(options.only) == std::string::npos) continue;
    for (SqlTestWay way : ways) (RunOne(test, *project, way) ? passed : failed)++;
  }
  if (passed + failed == 0) {
    std::string what = options.only.empty() ? "no tests" : "no test with \"" + options.only + "\"";
    return Fail(Status(Code::kNotFound, fmt::format("{} in {}/tests/*.yml", what, directory))
                    .WithHint("millrace test --help shows one"));
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? kExitOk : kExitFault;
}

}  // namespace millrace::cli
