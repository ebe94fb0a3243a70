// A batch over a topic: by decoding its log, and with its closed segments as Parquet.
//
//   topic_bench [events]     default 5,000,000 JSON page views of about 220 bytes
//
// Prints what the files take and what writing them costs, then the time of each query both ways, on
// two threads; the answers are compared.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "env/clock.h"
#include "project/history/history_keeper.h"
#include "project/topic_table.h"

using namespace millrace;  // NOLINT: a program of its own

namespace {

constexpr int kPartitions = 2;
constexpr const char* kTable =
    "CREATE TABLE views (user_id BIGINT, page STRING, country STRING, device STRING, "
    "price DECIMAL(10, 2), sent BIGINT, event_time TIMESTAMP(3)) WITH ('connector' = 'kafka', "
    "'topic' = 'views', 'properties.bootstrap.servers' = 'embedded', 'format' = 'json');\n";
constexpr const char* kQueries[] = {
    "SELECT count(*) FROM views",
    "SELECT country, count(*), sum(price) FROM views GROUP BY country ORDER BY country",
    "SELECT device, count(DISTINCT user_id) FROM views GROUP BY device ORDER BY device",
    "SELECT count(*), max(page) FROM views WHERE sent >= 99 AND sent < 1099",
    "SELECT count(user_id), max(page), min(event_time), max(device), sum(sent) FROM views",
};

double NowSeconds() {
  return static_cast<double>(env::Clock::System()->MonotonicMicros()) / 1e6;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

[[noreturn]] void Fail(const Status& status) {
  fmt::print("{}\n", status.ToString());
  std::exit(1);
}

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) Fail(result.status());
  return std::move(*result);
}

void Fill(log::Log& log, int64_t events) {
  static constexpr const char* kCountries[] = {"US", "DE", "GB", "FR", "JP", "BR", "IN"};
  static constexpr const char* kDevices[] = {"mobile", "desktop", "tablet"};
  std::mt19937_64 random(42);
  std::vector<std::string> values;
  std::vector<log::NewRecord> records;
  for (int64_t i = 0; i < events;) {
    values.clear();
    for (int k = 0; k < 2000 && i < events; k++, i++) {
      const uint64_t r = random();
      values.push_back(fmt::format(
          R"({{"user_id":{},"page":"https://shop.example.com/products/{}/item-{}?ref=home","country":"{}",)"
          R"("device":"{}","price":{}.{:02},"sent":{},"event_time":"2026-03-{:02} {:02}:{:02}:{:02}.{:03}"}})",
          r % 1'000'000, r % 977, r % 10'007, kCountries[r % 7], kDevices[r % 3], r % 500, r % 100,
          i, 1 + i / 1'000'000, i / 50'000 % 20, i / 1000 % 50, i / 20 % 50, i % 1000));
    }
    records.assign(values.size(), {});
    for (size_t k = 0; k < values.size(); k++) records[k].value = values[k];
    Must(log.AppendAndWait("views", static_cast<int>(i / 2000) % kPartitions, records));
  }
}

struct Tables {
  std::unique_ptr<project::Project> project;
  std::unique_ptr<project::HistoryKeeper> history;
  std::unique_ptr<duck::Warehouse> warehouse;
};

// The table over the topic, with or without files.
Tables OpenTables(log::Log& log, const std::string& directory, const std::string& parquet) {
  std::filesystem::create_directories(directory + "/sql");
  std::ofstream(directory + "/sql/all.sql") << kTable;
  std::ofstream(directory + "/millrace.yml") << "topics: {views: {partitions: " << kPartitions
                                             << ", segment-bytes: 64 MB" << parquet << "}}\n";
  Tables tables;
  std::vector<Status> faults;
  tables.project = project::Project::Load(directory, "", faults);
  if (!faults.empty()) Fail(faults.front());
  if (!log.Describe("views").ok()) {
    const Status made =
        log.CreateTopic("views", tables.project->config().topics.at("views").config);
    if (!made.ok()) Fail(made);
  }
  tables.warehouse = Must(duck::Warehouse::Open("", {.threads = 2}));
  connectors::Services services;
  services.log = &log;
  services.warehouse = tables.warehouse.get();
  tables.history = Must(project::HistoryKeeper::Open(*tables.project, services));
  const Status registered = RegisterTopicTables(*tables.project, services, *tables.history);
  if (!registered.ok()) Fail(registered);
  return tables;
}

struct Answer {
  std::string rows;
  double seconds = 0;
  double cpu_seconds = 0;
};

Answer Ask(const Tables& tables, const std::string& query) {
  const double start = NowSeconds(), cpu = CpuSeconds();
  const duck::QueryResult result = Must(tables.warehouse->Query(query));
  const std::string json = result.ToJson();
  // Behind the rows it says how long it took.
  return {json.substr(0, json.find("\"elapsed")), NowSeconds() - start, CpuSeconds() - cpu};
}

}  // namespace

int main(int argc, char** argv) {
  const int64_t events = argc > 1 ? std::atoll(argv[1]) : 5'000'000;
  const std::string directory =
      (std::filesystem::temp_directory_path() / fmt::format("millrace-topic-bench-{}", getpid()))
          .string();
  {
    auto log = Must(log::Log::Open({.directory = directory + "/log"}));
    const Tables decoding = OpenTables(*log, directory + "/decoding", "");
    const Tables files = OpenTables(*log, directory + "/files", ", parquet: true");
    Fill(*log, events);

    const double wall = NowSeconds(), cpu = CpuSeconds();
    if (Status kept = files.history->Pass(0); !kept.ok()) Fail(kept);
    int64_t log_bytes = 0, file_bytes = 0, covered = 0;
    for (int p = 0; p < kPartitions; p++) {
      log_bytes += Must(log->DescribePartition("views", p)).size_bytes;
      const auto kept = files.history->Find("views")->Describe(p);
      file_bytes += kept.bytes;
      covered += kept.covered_to - kept.covered_from;
    }
    fmt::print("{} events, {} MB in the log; {} of them in closed segments, {} MB as Parquet\n",
               events, log_bytes >> 20, covered, file_bytes >> 20);
    fmt::print("written in {:.1f} s, {:.1f} s of CPU\n\n", NowSeconds() - wall, CpuSeconds() - cpu);
    fmt::print("{:>12} {:>8} {:>12} {:>8}  query\n", "decoding, s", "CPU s", "Parquet, s", "CPU s");
    for (const char* query : kQueries) {
      const Answer decoded = Ask(decoding, query), read = Ask(files, query);
      fmt::print("{:>12.2f} {:>8.2f} {:>12.2f} {:>8.2f}  {}{}\n", decoded.seconds,
                 decoded.cpu_seconds, read.seconds, read.cpu_seconds, query,
                 decoded.rows == read.rows ? "" : "   DIFFERENT ANSWERS");
    }
  }
  std::filesystem::remove_all(directory);
  return 0;
}
