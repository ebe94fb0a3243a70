// Orders enriched by a lookup join with Redis: orders a second, CPU, and what a replay would need.
//
//   lookup_bench [--rows N] [--keys K] [--redis URL]
//
// A topic of N JSON orders, read by jobs that look up one of K hashes ("rate:<k>", fields rate and
// note) for each. CPU is this process: reading the log, decoding, asking, the journal and its
// fsyncs; Redis itself runs beside it on the same machine. Start one first, for instance
//   redis-server --bind 127.0.0.1 --port 16379 --save ''
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <filesystem>
#include <fstream>

#include "connectors/redis/redis_client.h"
#include "env/clock.h"
#include "project/runtime.h"

using namespace millrace;  // NOLINT: a program of its own

namespace {

int64_t rows = 1'000'000;
int64_t keys = 10'000;
std::string url = "redis://127.0.0.1:16379/0";

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

void ExitOn(const Status& status) {
  if (status.ok()) return;
  fmt::print("{}\n", status.ToString());
  std::exit(1);
}

void FillRedis() {
  auto address = connectors::redis::ParseRedisUrl(url);
  ExitOn(address.status());
  connectors::redis::RedisClient client(*address);
  ExitOn(client.Connect());
  for (int64_t k = 0; k < keys;) {
    std::vector<connectors::redis::RedisClient::Command> commands;
    for (int i = 0; i < 1000 && k < keys; i++, k++) {
      commands.push_back({"HSET", fmt::format("rate:{}", k), "rate", fmt::format("{}.25", k),
                          "note", fmt::format("note of {}", k)});
    }
    ExitOn(client.Run(commands, [](size_t, const redisReply&) {}));
  }
}

class Bench {
 public:
  Bench() {
    directory_ =
        std::filesystem::temp_directory_path() / fmt::format("millrace-lookup-bench-{}", getpid());
    std::filesystem::create_directories(directory_ / "sql");
    std::ofstream(directory_ / "millrace.yml")
        << "name: bench\ntopics:\n  orders: {partitions: 2}\n";
  }
  ~Bench() { std::filesystem::remove_all(directory_); }

  void Fill() {
    auto runtime = Open("", false);
    for (int64_t i = 0; i < rows;) {
      std::vector<std::string> values;
      for (int k = 0; k < 1000 && i < rows; k++, i++) {
        values.push_back(
            fmt::format(R"({{"id":{},"k":{},"amount":{}}})", i, i * 7919 % keys, i % 100));
      }
      std::vector<log::NewRecord> records(values.size());
      for (size_t k = 0; k < values.size(); k++) records[k].value = values[k];
      ExitOn(
          runtime->log().AppendAndWait("orders", static_cast<int>(i / 1000 % 2), records).status());
    }
    fmt::print("{} orders, {} keys\n\n{:<44} {:>12} {:>12} {:>10} {:>10}\n", rows, keys, "query",
               "orders / s", "CPU s per M", "rows out", "state MB");
  }

  void Run(const std::string& name, int shards, const std::string& cache,
           const std::string& query) {
    auto runtime =
        Open(fmt::format("SET 'parallelism.default' = '{}';\n", shards) +
                 fmt::format(
                     "CREATE TABLE rates (k BIGINT, rate DOUBLE, note STRING) WITH ('connector' = "
                     "'redis', 'url' = '{}', 'key' = 'rate:{{k}}'{});\n",
                     url, cache) +
                 "CREATE TABLE nothing (id BIGINT, total DOUBLE, note STRING) WITH ('connector' = "
                 "'blackhole');\nINSERT INTO nothing " +
                 query + ";",
             true);
    const double cpu = CpuSeconds();
    const double start = NowSeconds();
    runtime->Start();
    std::atomic<bool> stop{false};
    ExitOn(runtime->WaitForJobs(nullptr, stop));
    const double wall = NowSeconds() - start;
    job::JobStatus job = runtime->JobStatuses().at(0);
    fmt::print("{:<44} {:>12.0f} {:>12.2f} {:>10} {:>10.0f}\n", name,
               static_cast<double>(job.rows_in) / wall,
               (CpuSeconds() - cpu) / (static_cast<double>(job.rows_in) / 1e6), job.rows_out,
               static_cast<double>(job.state_bytes) / 1e6);
  }

 private:
  std::unique_ptr<project::Runtime> Open(const std::string& sql, bool jobs) {
    std::filesystem::remove_all(directory_ / ".millrace" / "state");
    std::ofstream(directory_ / "sql" / "all.sql")
        << "CREATE TABLE orders (id BIGINT, k BIGINT, amount BIGINT, at AS PROCTIME()) WITH "
           "('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = "
           "'embedded', 'format' = 'json', "
           "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');\n"
        << sql;
    std::vector<Status> faults;
    auto loaded = project::Project::Load(directory_.string(), "", faults);
    for (const Status& fault : faults) fmt::print("{}\n", fault.ToString());
    auto runtime = project::Runtime::Open(std::move(loaded), jobs);
    ExitOn(runtime.status());
    return std::move(*runtime);
  }

  std::filesystem::path directory_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Orders a second through a lookup join with Redis");
  app.add_option("--rows", rows, "orders");
  app.add_option("--keys", keys, "hashes in Redis");
  app.add_option("--redis", url, "a Redis whose keys rate:* may be overwritten");
  CLI11_PARSE(app, argc, argv);

  FillRedis();
  Bench bench;
  bench.Fill();
  const std::string join =
      "SELECT o.id, o.amount * r.rate, r.note FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF "
      "o.at AS r ON o.k = r.k";
  for (int shards : {1, 2}) {
    const std::string suffix = fmt::format(", {} shard{}", shards, shards > 1 ? "s" : "");
    bench.Run("no lookup" + suffix, shards, "",
              "SELECT id, amount * 1.0, CAST(k AS STRING) FROM orders");
    bench.Run("no cache: each epoch asks" + suffix, shards, "", join);
    bench.Run("cache, 1 s" + suffix, shards,
              ", 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.expire-after-write' = '1 s'",
              join);
  }
  return 0;
}
