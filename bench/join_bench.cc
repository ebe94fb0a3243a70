// Regular joins over the embedded log: CPU seconds per million input rows, and bytes of state.
//
//   join_bench [--rows N]
//
// Two topics of N JSON rows of three integers each, N / 2 ids on either side that find one or two
// partners. CPU is the whole process: reading the log, decoding, the join, decisions, checkpoints.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <fstream>

#include "env/clock.h"
#include "project/runtime.h"

using namespace millrace;  // NOLINT: a program of its own

namespace {

int64_t rows = 1'000'000;

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

std::string Table(const std::string& name) {
  return fmt::format(
      "CREATE TABLE {0} (id BIGINT, v BIGINT, w BIGINT) WITH ('connector' = 'kafka', 'topic' = "
      "'{0}', "
      "'properties.bootstrap.servers' = 'embedded', 'format' = 'json', 'scan.startup.mode' = "
      "'earliest-offset', 'scan.bounded.mode' = 'latest-offset');\n",
      name);
}

class Bench {
 public:
  Bench() {
    directory_ =
        std::filesystem::temp_directory_path() / fmt::format("millrace-join-bench-{}", getpid());
    std::filesystem::create_directories(directory_ / "sql");
  }
  ~Bench() { std::filesystem::remove_all(directory_); }

  std::unique_ptr<project::Runtime> Open(const std::string& sql, bool jobs) {
    std::filesystem::remove_all(directory_ / ".millrace" / "state");
    std::ofstream(directory_ / "sql" / "all.sql") << Table("a") + Table("b") + sql;
    std::vector<Status> faults;
    auto loaded = project::Project::Load(directory_.string(), "", faults);
    for (const Status& fault : faults) fmt::print("{}\n", fault.ToString());
    auto runtime = project::Runtime::Open(std::move(loaded), jobs);
    if (!runtime.ok()) {
      fmt::print("{}\n", runtime.status().ToString());
      std::exit(1);
    }
    return std::move(*runtime);
  }

  void Fill() {
    auto runtime = Open("", false);
    std::vector<std::string> values;
    std::vector<log::NewRecord> records;
    for (const char* topic : {"a", "b"}) {
      for (int64_t i = 0; i < rows;) {
        values.clear();
        for (int k = 0; k < 1000 && i < rows; k++, i++) {
          int64_t id = i * 7919 % (rows / 2 + 1);
          values.push_back(fmt::format(R"({{"id":{},"v":{},"w":{}}})", id, i, i % 100));
        }
        records.assign(values.size(), {});
        for (size_t k = 0; k < values.size(); k++) records[k].value = values[k];
        auto written = runtime->log().AppendAndWait(topic, 0, records);
        if (!written.ok()) fmt::print("{}\n", written.status().ToString());
      }
    }
    fmt::print("{} rows a topic\n\n{:<40} {:>14} {:>10} {:>12} {:>10}\n", rows, "query",
               "CPU s per M", "wall s", "rows out", "state MB");
  }

  void Run(const std::string& name, const std::string& query, bool updates) {
    std::string sink = fmt::format(
        "CREATE TABLE nothing (x BIGINT, y BIGINT{}) WITH ('connector' = 'blackhole');\n",
        updates ? ", PRIMARY KEY (x) NOT ENFORCED" : "");
    auto runtime = Open(sink + "INSERT INTO nothing " + query + ";", true);
    double cpu = CpuSeconds();
    double start = NowSeconds();
    runtime->Start();
    std::atomic<bool> stop{false};
    Status status = runtime->WaitForJobs(nullptr, stop);
    if (!status.ok()) fmt::print("{}\n", status.ToString());
    job::JobStatus job = runtime->JobStatuses().at(0);
    fmt::print("{:<40} {:>14.2f} {:>10.2f} {:>12} {:>10.0f}\n", name,
               (CpuSeconds() - cpu) / (static_cast<double>(job.rows_in) / 1e6),
               NowSeconds() - start, job.rows_out, static_cast<double>(job.state_bytes) / 1e6);
  }

 private:
  std::filesystem::path directory_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("CPU per million rows of joins without a bound in time");
  app.add_option("--rows", rows, "rows in each of the two topics");
  CLI11_PARSE(app, argc, argv);

  Bench bench;
  bench.Fill();
  bench.Run("no join: UNION ALL of both", "SELECT id, v FROM a UNION ALL SELECT id, v FROM b",
            false);
  bench.Run("inner join", "SELECT a.v, b.v FROM a JOIN b ON a.id = b.id", false);
  bench.Run("inner join, half of it filtered",
            "SELECT a.v, b.v FROM a JOIN b ON a.id = b.id AND a.w < b.w", false);
  bench.Run("semi join", "SELECT v, w FROM a WHERE id IN (SELECT id FROM b)", false);
  bench.Run("left join", "SELECT a.v, b.v FROM a LEFT JOIN b ON a.id = b.id", true);
  return 0;
}
