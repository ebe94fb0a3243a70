// What a large state costs: jobs with 10^4 to 10^7 keys. Per size: microseconds of CPU for a changed
// row, the longest time that a checkpoint held the job up, time from a restart to the first output.
//
//   state_bench [--keys-max N] [--changes N]
//
// SUM and COUNT per key over a topic; the changes go to random keys, 1,000 to an append. An epoch
// should cost what changed in it, whatever the size of the state.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "env/clock.h"
#include "project/runtime.h"

using namespace millrace;  // NOLINT: a program of its own

namespace {

int64_t keys_max = 10'000'000;
int64_t changes = 200'000;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double NowSeconds() {
  return static_cast<double>(env::Clock::System()->MonotonicMicros()) / 1e6;
}

constexpr const char* kSql = R"(
SET 'execution.checkpointing.interval' = '10 s';
CREATE TABLE changes (k BIGINT, v BIGINT) WITH ('connector' = 'kafka', 'topic' = 'changes',
  'properties.bootstrap.servers' = 'embedded', 'format' = 'json',
  'scan.startup.mode' = 'earliest-offset');
CREATE TABLE sums (k BIGINT, v BIGINT, n BIGINT, PRIMARY KEY (k) NOT ENFORCED)
WITH ('connector' = 'blackhole');
INSERT INTO sums SELECT k, SUM(v), COUNT(*) FROM changes GROUP BY k;
)";

class Bench {
 public:
  explicit Bench(int64_t keys) : keys_(keys), random_(7) {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("millrace-state-bench-{}", getpid());
    std::filesystem::create_directories(directory_ / "sql");
    std::ofstream(directory_ / "sql" / "all.sql") << kSql;
  }
  ~Bench() { std::filesystem::remove_all(directory_); }

  void Run() {
    auto runtime = Start();
    for (int64_t k = 0; k < keys_; k += kAppend) {
      Append(*runtime, [&](int64_t i) { return k + i; });
    }
    Await(*runtime, keys_);
    const double cpu = CpuSeconds();
    for (int64_t n = 0; n < changes; n += kAppend) {
      Append(*runtime, [&](int64_t) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(keys_)); });
    }
    Await(*runtime, keys_ + changes);
    const double used = CpuSeconds() - cpu;
    const double pause = runtime->JobStatuses().at(0).checkpoint_ms;
    const auto bytes = static_cast<double>(runtime->JobStatuses().at(0).state_bytes);
    runtime->Stop();
    runtime.reset();

    const double restarted = NowSeconds();
    runtime = Start();
    Append(*runtime, [&](int64_t i) { return i; });
    Await(*runtime, keys_ + changes + kAppend);
    const double until_output = NowSeconds() - restarted;
    runtime->Stop();
    fmt::print("{:>10} {:>12.0f} {:>18.2f} {:>22.0f} {:>22.2f}\n", keys_, bytes / (1 << 20),
               used / static_cast<double>(changes) * 1e6, pause, until_output);
  }

 private:
  static constexpr int64_t kAppend = 1'000;

  std::unique_ptr<project::Runtime> Start() {
    std::vector<Status> faults;
    auto loaded = project::Project::Load(directory_.string(), "", faults);
    for (const Status& fault : faults) fmt::print("{}\n", fault.ToString());
    auto runtime = project::Runtime::Open(std::move(loaded), true);
    if (!runtime.ok()) {
      fmt::print("{}\n", runtime.status().ToString());
      std::exit(1);
    }
    (*runtime)->Start();
    return std::move(*runtime);
  }

  template <typename Key>
  void Append(project::Runtime& runtime, Key key) {
    std::vector<std::string> values(kAppend);
    std::vector<log::NewRecord> records(kAppend);
    for (int64_t i = 0; i < kAppend; i++) {
      const auto at = static_cast<size_t>(i);
      values[at] = fmt::format(R"({{"k":{},"v":{}}})", key(i), i);
      records[at].value = values[at];
    }
    auto written = runtime.log().AppendAndWait("changes", 0, records);
    if (!written.ok()) fmt::print("{}\n", written.status().ToString());
  }

  void Await(project::Runtime& runtime, int64_t rows) {
    while (runtime.JobStatuses().at(0).rows_in < rows) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  int64_t keys_;
  std::mt19937_64 random_;
  std::filesystem::path directory_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Cost of a change, a checkpoint and a restart by size of the state");
  app.add_option("--keys-max", keys_max, "keys of the largest state");
  app.add_option("--changes", changes, "changed rows that are measured");
  CLI11_PARSE(app, argc, argv);
  fmt::print("{:>10} {:>12} {:>18} {:>22} {:>22}\n", "keys", "state MB", "CPU us per change",
             "longest checkpoint ms", "restart to output s");
  for (int64_t keys = 10'000; keys <= keys_max; keys *= 10) Bench(keys).Run();
}
