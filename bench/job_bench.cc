// Jobs over the embedded log: events/s and CPU seconds per million events of a filter, of durable
// per-minute counts, and of the clickstream's three jobs at once; end-to-end latency at a held rate.
//
//   job_bench [--events N] [--rate N] [--seconds N]
//
// Input is 300-byte JSON page views. CPU is the whole process: reading the log, decoding, the
// query, decisions, commits and checkpoints. The latency run writes each event's send time into
// the event, passes it through a job into another topic, and reads that topic.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "env/clock.h"
#include "project/runtime.h"

using namespace millrace;  // NOLINT: a program of its own

namespace {

int64_t events = 2'000'000;
int64_t rate = 50'000;
int64_t seconds = 8;

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto of = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double PeakMegabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

double NowSeconds() { return static_cast<double>(env::Clock::System()->MonotonicMicros()) / 1e6; }

std::string Table(const std::string& name, const std::string& topic, const std::string& more, bool bounded) {
  return fmt::format(
      "CREATE TABLE {} (user_id STRING, page_url STRING, country STRING, device STRING, category STRING, "
      "price DECIMAL(10, 2), quantity INT, sent BIGINT, event_time TIMESTAMP(3), WATERMARK FOR event_time AS "
      "event_time - INTERVAL '5' SECOND) WITH ('connector' = 'kafka', 'topic' = '{}', "
      "'properties.bootstrap.servers' = 'embedded', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset'{}{});\n",
      name, topic, bounded ? ", 'scan.bounded.mode' = 'latest-offset'" : "", more);
}

std::string Sink(const std::string& name, const std::string& columns, const std::string& with) {
  return fmt::format("CREATE TABLE {} ({}) WITH ({});\n", name, columns, with);
}

constexpr const char* kJdbc = "'connector' = 'jdbc', 'url' = 'jdbc:postgresql://embedded/metrics', 'table-name' = '";

class Bench {
 public:
  Bench() {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("millrace-job-bench-{}", getpid());
    std::filesystem::create_directories(directory_ / "sql");
  }
  ~Bench() { std::filesystem::remove_all(directory_); }

  std::unique_ptr<project::Runtime> Open(const std::string& sql, bool jobs) {
    for (const char* part : {"state", "warehouse.duckdb", "warehouse.duckdb.wal"}) {
      std::filesystem::remove_all(directory_ / ".millrace" / part);
    }
    std::ofstream(directory_ / "sql" / "all.sql") << sql;
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
    auto runtime = Open(Table("page_views", "page-views", "", true), false);
    std::vector<std::string> values;
    std::vector<log::NewRecord> records;
    int64_t bytes = 0;
    for (int64_t i = 0; i < events;) {
      values.clear();
      for (int k = 0; k < 1000 && i < events; k++, i++) values.push_back(Event(i, i / 4, 0));
      records.assign(values.size(), {});
      for (size_t k = 0; k < values.size(); k++) {
        records[k].value = values[k];
        bytes += static_cast<int64_t>(values[k].size());
      }
      auto written = runtime->log().AppendAndWait("page-views", 0, records);
      if (!written.ok()) fmt::print("{}\n", written.status().ToString());
    }
    fmt::print("{} events of {} bytes in the log\n\n", events, bytes / events);
    fmt::print("{:<44} {:>12} {:>14} {:>12} {:>10}\n", "jobs", "k events/s", "CPU s per M", "wall s", "peak MB");
  }

  void Run(const std::string& name, const std::string& sql, int jobs) {
    auto runtime = Open(sql, true);
    double cpu = CpuSeconds();
    double start = NowSeconds();
    runtime->Start();
    std::atomic<bool> stop{false};
    Status status = runtime->WaitForJobs(nullptr, stop);
    double wall = NowSeconds() - start;
    cpu = CpuSeconds() - cpu;
    if (!status.ok()) fmt::print("{}\n", status.ToString());
    double millions = static_cast<double>(events) * jobs / 1e6;
    fmt::print("{:<44} {:>12.0f} {:>14.2f} {:>12.2f} {:>10.0f}\n", name, millions * 1000 / wall, cpu / millions, wall,
               PeakMegabytes());
  }

  void Latency() {
    std::string sql = Table("page_views", "live-views", "", false);
    sql += Sink("passed", "page_url STRING, sent BIGINT",
                "'connector' = 'kafka', 'topic' = 'passed', 'properties.bootstrap.servers' = 'embedded', 'format' = 'json'");
    sql += "INSERT INTO passed SELECT page_url, sent FROM page_views WHERE device <> 'bot';\n";
    auto runtime = Open(sql, true);
    runtime->Start();
    std::atomic<bool> done{false};
    std::vector<double> latencies;
    std::thread reader([&] {
      int64_t next = 0;
      uint64_t seen = 0;
      while (!done) {
        seen = runtime->log().WaitForCommit(seen, 20'000);
        auto info = runtime->log().DescribePartition("passed", 0);
        if (!info.ok() || info->end_offset <= next) continue;
        int64_t now = env::Clock::System()->MonotonicMicros();
        auto read = runtime->log().Read("passed", 0, next, info->end_offset, 64 << 20, [&](auto records) {
          for (const model::Record& record : records) {
            std::string_view value = record.value;
            size_t at = value.find("\"sent\":");
            if (at == std::string_view::npos) continue;
            latencies.push_back(static_cast<double>(now - std::atoll(value.data() + at + 7)) / 1000.0);
          }
        });
        if (read.ok()) next = *read;
      }
    });
    double start = NowSeconds();
    double cpu = CpuSeconds();
    int64_t sent = 0;
    std::vector<std::string> values;
    while (NowSeconds() - start < static_cast<double>(seconds)) {
      auto due = static_cast<int64_t>((NowSeconds() - start) * static_cast<double>(rate));
      values.clear();
      for (; sent < due && values.size() < 2000; sent++) {
        values.push_back(Event(sent, sent * 1000 / rate, env::Clock::System()->MonotonicMicros()));
      }
      if (values.empty()) {
        std::this_thread::sleep_for(std::chrono::microseconds(500));
        continue;
      }
      std::vector<log::NewRecord> records(values.size());
      for (size_t k = 0; k < values.size(); k++) records[k].value = values[k];
      runtime->log().Append("live-views", 0, records, {}, [](const log::AppendResult&) {});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    done = true;
    reader.join();
    runtime->Stop();
    cpu = CpuSeconds() - cpu;
    std::sort(latencies.begin(), latencies.end());
    if (latencies.empty()) return;
    auto at = [&](double q) { return latencies[std::min(latencies.size() - 1, static_cast<size_t>(q * static_cast<double>(latencies.size())))]; };
    fmt::print("\nlatency, append to committed output, exactly once, at {} events/s held ({} passed):\n", rate, latencies.size());
    fmt::print("  p50 {:.1f} ms   p90 {:.1f} ms   p99 {:.1f} ms   max {:.1f} ms   CPU {:.2f} s per M\n", at(0.5), at(0.9),
               at(0.99), latencies.back(), cpu / (static_cast<double>(sent) / 1e6));
  }

 private:
  static std::string Event(int64_t i, int64_t at_ms, int64_t sent) {
    static constexpr const char* kDevices[] = {"mobile", "desktop", "tablet", "bot"};
    static constexpr const char* kCountries[] = {"DE", "FR", "US", "JP", "BR", "IN", "GB", "CA"};
    int64_t h = (i * 2654435761LL) & 0x7fffffff;
    int64_t ms = at_ms % 86'400'000;
    return fmt::format(
        R"j({{"user_id":"user_{:06}","page_url":"/products/{}","country":"{}","device":"{}","category":"cat{}",)j"
        R"j("price":{}.{:02},"quantity":{},"sent":{},"session":"s-{:012}","referrer":"https://shop.example/search?q=item{}",)j"
        R"j("event_time":"2026-01-{:02} {:02}:{:02}:{:02}.{:03}","agent":"Mozilla/5.0 (X11; Linux x86_64)"}})j",
        h % 50'000, h % 500, kCountries[h % 8], kDevices[(h >> 4) % 4], h % 12, h % 200, h % 100, h % 5 + 1, sent, h,
        h % 997, at_ms / 86'400'000 + 1, ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
  }

  std::filesystem::path directory_;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Throughput, CPU and latency of SQL jobs over the embedded log");
  app.add_option("--events", events, "events in the log");
  app.add_option("--rate", rate, "events/s of the latency run");
  app.add_option("--seconds", seconds, "length of the latency run");
  CLI11_PARSE(app, argc, argv);

  Bench bench;
  bench.Fill();
  std::string source = Table("page_views", "page-views", "", true);
  std::string blackhole = Sink("nothing", "user_id STRING, page_url STRING", "'connector' = 'blackhole'");
  bench.Run("filter (2 of 13 fields) -> blackhole",
            source + blackhole + "INSERT INTO nothing SELECT user_id, page_url FROM page_views WHERE device = 'mobile';", 1);
  std::string counts = Sink("counts", "ws TIMESTAMP(3), we TIMESTAMP(3), page_url STRING, views BIGINT, users BIGINT",
                            std::string(kJdbc) + "counts'");
  std::string counting =
      "INSERT INTO counts SELECT window_start, window_end, page_url, COUNT(*), COUNT(DISTINCT user_id) FROM TABLE(TUMBLE("
      "TABLE page_views, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, page_url;\n";
  bench.Run("views and users per minute and URL -> warehouse", source + counts + counting, 1);
  std::string plain = Sink("plain", "ws TIMESTAMP(3), page_url STRING, views BIGINT", std::string(kJdbc) + "plain'");
  bench.Run("views per minute and URL, epoch every 100 ms",
            "SET 'millrace.epoch.interval' = '100 ms'; SET 'millrace.epoch.bytes' = '64 MB';\n" + source + plain +
                "INSERT INTO plain SELECT window_start, page_url, COUNT(*) FROM TABLE(TUMBLE(TABLE page_views, "
                "DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, page_url;",
            1);
  std::string devices = Sink("devices", "ws TIMESTAMP(3), page_url STRING, country STRING, device STRING, views BIGINT, users BIGINT",
                             std::string(kJdbc) + "devices'");
  std::string revenue = Sink("revenue", "ws TIMESTAMP(3), category STRING, country STRING, revenue DECIMAL(20, 2), units BIGINT",
                             std::string(kJdbc) + "revenue'");
  std::string totals = Sink("totals", "country STRING, views BIGINT, PRIMARY KEY (country) NOT ENFORCED", std::string(kJdbc) + "totals'");
  bench.Run("three jobs at once -> warehouse",
            source + devices + revenue + totals +
                "INSERT INTO devices SELECT window_start, page_url, country, device, COUNT(*), COUNT(DISTINCT user_id) FROM "
                "TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, "
                "page_url, country, device;\n"
                "INSERT INTO revenue SELECT window_start, category, country, SUM(price * quantity), SUM(quantity) FROM "
                "TABLE(TUMBLE(TABLE page_views, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, "
                "category, country;\n"
                "INSERT INTO totals SELECT country, COUNT(*) FROM page_views GROUP BY country;",
            3);
  bench.Latency();
  return 0;
}
