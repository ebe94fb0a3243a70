// What the log does with this disk and this processor: append and read rates beside the limits of
// the same disk measured in the same run.
//
//   log_bench [--seconds N per measurement] [--dir DIRECTORY]
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "env/files.h"
#include "log/log.h"

namespace {

using millrace::env::FileSystem;
using millrace::env::OpenMode;
using millrace::log::AppendResult;
using millrace::log::Log;
using millrace::log::LogOptions;
using millrace::log::NewRecord;

constexpr size_t kRecordBytes = 500;
constexpr double kMegabyte = 1e6;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void Fail(const millrace::Status& status) {
  fmt::print(stderr, "{}\n", status.ToString());
  std::exit(1);
}
void Must(const millrace::Status& status) {
  if (!status.ok()) Fail(status);
}
template <typename T>
T Must(millrace::Result<T> result) {
  if (!result.ok()) Fail(result.status());
  return *std::move(result);
}

struct Bench {
  std::string directory;
  double seconds;

  std::unique_ptr<Log> OpenLog(bool fsync) const {
    std::filesystem::remove_all(directory + "/log");
    LogOptions options;
    options.directory = directory + "/log";
    options.fsync = fsync;
    auto log = Must(Log::Open(options));
    Must(log->CreateTopic("t", {}));
    return log;
  }

  // Bytes per second of write + fdatasync of `chunk` bytes at a time: what the disk can do.
  double DiskAppend(size_t chunk) const {
    const std::string path = directory + "/limit";
    auto file = Must(FileSystem::Real()->Open(path, OpenMode::kCreate));
    const std::string bytes(chunk, 'x');
    const std::string_view part = bytes;
    const double start = Now();
    int64_t written = 0;
    while (Now() - start < seconds) {
      Must(file->WriteAt(written, {&part, 1}));
      Must(file->Sync());
      written += static_cast<int64_t>(chunk);
    }
    const double rate = static_cast<double>(written) / (Now() - start);
    file.reset();
    std::filesystem::remove(path);
    return rate;
  }
};

struct AppendRow {
  double bytes_per_second;
  double records_per_second;
  double commits_per_second;
  double cpu_per_million;
};

// `appenders` threads, each waiting for its append before the next; or, with `in_flight` > 1, one
// that keeps so many appends going, as a collector does.
AppendRow MeasureAppend(const Bench& bench, size_t batch, int appenders, int in_flight,
                        bool fsync) {
  auto log = bench.OpenLog(fsync);
  const std::string value(kRecordBytes, 'v');
  NewRecord record;
  record.value = value;
  const std::vector<NewRecord> records(batch, record);
  std::atomic<int64_t> appended = 0;
  std::atomic<bool> stop = false;
  const uint64_t commits = log->CommitCount();
  const double cpu = CpuSeconds();
  const double start = Now();
  std::vector<std::thread> threads;
  for (int t = 0; t < appenders; t++) {
    threads.emplace_back([&] {
      std::mutex mutex;
      std::condition_variable room;
      int going = 0;
      while (!stop) {
        {
          std::unique_lock lock(mutex);
          room.wait(lock, [&] { return going < in_flight; });
          going++;
        }
        log->Append("t", 0, records, {}, [&](const AppendResult& result) {
          Must(result.status);
          appended += static_cast<int64_t>(batch);
          std::lock_guard lock(mutex);
          going--;
          room.notify_one();
        });
      }
      std::unique_lock lock(mutex);
      room.wait(lock, [&] { return going == 0; });
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(bench.seconds));
  stop = true;
  for (auto& thread : threads) thread.join();
  const double elapsed = Now() - start;
  const auto count = static_cast<double>(appended.load());
  return {count * kRecordBytes / elapsed, count / elapsed,
          static_cast<double>(log->CommitCount() - commits) / elapsed,
          (CpuSeconds() - cpu) * 1e6 / count};
}

void AppendTable(const Bench& bench) {
  fmt::print("append, records of {} bytes; ratio: to write + fdatasync of the same commits\n",
             kRecordBytes);
  fmt::print("{:>6} {:>9} {:>9} {:>6} {:>9} {:>11} {:>10} {:>13} {:>12} {:>6}\n", "batch",
             "appenders", "in flight", "fsync", "MB/s", "records/s", "commits/s", "CPU s/M rec",
             "disk MB/s", "ratio");
  for (const bool fsync : {true, false}) {
    for (const size_t batch : {size_t{1}, size_t{20}, size_t{500}}) {
      for (const auto& [appenders, in_flight] :
           std::vector<std::pair<int, int>>{{1, 1}, {16, 1}, {1, 64}}) {
        const AppendRow row = MeasureAppend(bench, batch, appenders, in_flight, fsync);
        std::string disk = "-";
        std::string ratio = "-";
        if (fsync) {
          // The disk alone, with as many bytes per sync as the log had on average.
          const double limit = bench.DiskAppend(
              static_cast<size_t>(row.bytes_per_second / row.commits_per_second) + 1);
          disk = fmt::format("{:.1f}", limit / kMegabyte);
          ratio = fmt::format("{:.2f}", row.bytes_per_second / limit);
        }
        fmt::print("{:>6} {:>9} {:>9} {:>6} {:>9.1f} {:>11.0f} {:>10.0f} {:>13.2f} {:>12} {:>6}\n",
                   batch, appenders, in_flight, fsync ? "on" : "off",
                   row.bytes_per_second / kMegabyte, row.records_per_second, row.commits_per_second,
                   row.cpu_per_million, disk, ratio);
      }
    }
  }
}

void ReadTable(const Bench& bench) {
  fmt::print("\nread from a warm cache; limit: pread of the same files\n");
  fmt::print("{:>12} {:>9} {:>12} {:>12} {:>11} {:>6}\n", "record bytes", "MB/s", "records/s",
             "CPU s/M rec", "pread MB/s", "ratio");
  for (const size_t record_bytes : {size_t{100}, size_t{300}, kRecordBytes, size_t{5000}}) {
    auto log = bench.OpenLog(false);
    const std::string value(record_bytes, 'v');
    NewRecord record;
    record.value = value;
    const std::vector<NewRecord> records(256'000 / record_bytes, record);
    constexpr int64_t kTotalBytes = 256'000'000;
    for (int64_t i = 0; i < kTotalBytes / 256'000; i++) {
      Must(log->AppendAndWait("t", 0, records));
    }
    const auto info = Must(log->DescribePartition("t", 0));

    std::string buffer(512 << 10, '\0');
    double start = Now();
    int64_t raw = 0;
    while (Now() - start < bench.seconds) {
      for (const auto& name : Must(FileSystem::Real()->List(bench.directory + "/log/t-0"))) {
        if (!name.ends_with(".log")) continue;
        auto file =
            Must(FileSystem::Real()->Open(bench.directory + "/log/t-0/" + name, OpenMode::kRead));
        for (int64_t at = 0;;) {
          const size_t got = Must(file->ReadAt(at, buffer.data(), buffer.size()));
          if (got == 0) break;
          at += static_cast<int64_t>(got);
          raw += static_cast<int64_t>(got);
        }
      }
    }
    const double limit = static_cast<double>(raw) / (Now() - start);

    const double cpu = CpuSeconds();
    start = Now();
    int64_t count = 0;
    int64_t bytes = 0;
    while (Now() - start < bench.seconds) {
      for (int64_t at = info.start_offset; at < info.end_offset;) {
        at = Must(log->Read("t", 0, at, info.end_offset, 8 << 20, [&](auto visited) {
          for (const auto& r : visited) bytes += static_cast<int64_t>(r.value.size());
          count += std::ssize(visited);
        }));
      }
    }
    const double elapsed = Now() - start;
    const double rate = static_cast<double>(bytes) / elapsed;
    fmt::print("{:>12} {:>9.0f} {:>12.0f} {:>12.3f} {:>11.0f} {:>6.2f}\n", record_bytes,
               rate / kMegabyte, static_cast<double>(count) / elapsed,
               (CpuSeconds() - cpu) * 1e6 / static_cast<double>(count), limit / kMegabyte,
               rate / limit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench{std::filesystem::temp_directory_path().string(), 1.0};
  CLI::App app("Measures the log beside the disk's own limits.");
  app.add_option("--seconds", bench.seconds, "length of each measurement")
      ->check(CLI::Range(0.01, 600.0));
  app.add_option("--dir", bench.directory, "where to write, about 1 GB (removed afterwards)");
  CLI11_PARSE(app, argc, argv);
  bench.directory += "/millrace-log-bench-" + std::to_string(getpid());
  Must(FileSystem::Real()->CreateDirectories(bench.directory));
  AppendTable(bench);
  ReadTable(bench);
  std::filesystem::remove_all(bench.directory);
  return 0;
}
