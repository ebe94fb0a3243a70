// What tests of a whole project share: a directory that goes away, opening it, asking it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "env/clock.h"
#include "project/runtime.h"

namespace millrace::project {

class TempDirectory {
 public:
  TempDirectory() {
    static std::atomic<int> next{0};
    path_ = std::filesystem::temp_directory_path() /
            fmt::format("millrace-oracle-{}-{}", env::Clock::System()->WallMicros(), next++);
    std::filesystem::create_directories(path_ / "sql");
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

inline void Write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

inline std::unique_ptr<Runtime> Open(const std::string& directory, bool with_jobs) {
  std::vector<Status> faults;
  auto project = Project::Load(directory, "", faults);
  for (const Status& fault : faults) ADD_FAILURE() << fault.ToString();
  if (!faults.empty()) return nullptr;
  auto runtime = Runtime::Open(std::move(project), with_jobs);
  if (!runtime.ok()) {
    ADD_FAILURE() << runtime.status().ToString();
    return nullptr;
  }
  return std::move(*runtime);
}

// Rows as text, sorted; doubles to nine digits.
inline std::vector<std::string> Rows(Runtime& runtime, const std::string& sql) {
  std::vector<std::string> rows;
  auto result = runtime.warehouse().Query(sql);
  if (!result.ok()) {
    ADD_FAILURE() << sql << "\n" << result.status().ToString();
    return rows;
  }
  for (size_t r = 0; r < result->row_count(); r++) {
    std::string row;
    for (size_t c = 0; c < result->columns.size(); c++) {
      duckdb::Value value = result->Get(r, c);
      bool real = value.type().id() == duckdb::LogicalTypeId::DOUBLE && !value.IsNull();
      row += (real ? fmt::format("{:.9g}", value.GetValue<double>()) : value.ToString()) + "|";
    }
    rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Runs the project's jobs until their bounded sources end.
inline std::unique_ptr<Runtime> RunToEnd(const std::string& directory) {
  auto runtime = Open(directory, true);
  if (!runtime) return nullptr;
  runtime->Start();
  std::atomic<bool> stop{false};
  Status ended = runtime->WaitForJobs(nullptr, stop);
  EXPECT_TRUE(ended.ok()) << ended.ToString();
  return runtime;
}

// The ways in which a streaming test runs its jobs; the result must be the same in all of them.
enum class Way { kStraight, kTinyEpochs, kRestarts, kShards, kShardRestarts };
constexpr Way kEveryWay[] = {Way::kStraight, Way::kTinyEpochs, Way::kRestarts, Way::kShards,
                             Way::kShardRestarts};

// The SETs that a script begins with.
inline std::string SettingsOf(Way way) {
  if (way == Way::kTinyEpochs)
    return "SET 'millrace.epoch.bytes' = '1'; SET 'millrace.epoch.interval' = '0 ms';\n";
  if (way == Way::kShards || way == Way::kShardRestarts)
    return "SET 'parallelism.default' = '3';\n";
  return "";
}

// For the ways with restarts: starts and stops the jobs a few times on their way.
inline void RestartOnTheWay(Way way, const std::string& directory, std::mt19937& random) {
  if (way != Way::kRestarts && way != Way::kShardRestarts) return;
  for (int i = 0; i < 4; i++) {
    auto runtime = Open(directory, true);
    ASSERT_NE(runtime, nullptr);
    runtime->Start();
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 30));
    runtime->Stop();
  }
}

inline void Append(Runtime& runtime, const std::string& topic, int partition,
                   const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    log::NewRecord record;
    record.value = value;
    auto written = runtime.log().AppendAndWait(topic, partition, {&record, 1});
    ASSERT_TRUE(written.ok()) << written.status().ToString();
  }
}

}  // namespace millrace::project
