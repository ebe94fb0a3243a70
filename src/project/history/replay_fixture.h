// What tests of replays share: two projects over the same records. `whole` has them all in its log,
// `moved` mostly in Parquet files; what their jobs write, refuse and count has to be the same.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "project/history/history_keeper.h"
#include "project/project_fixture.h"

namespace millrace::project {

inline constexpr int kPartitions = 3;
constexpr int64_t kDeleted = 2;  // records of each partition that DeleteRecords took
constexpr int64_t kFirstMs = 1'760'000'000'000;

inline std::string Tables(const std::string& options) {
  return R"(
CREATE TABLE readings (
  id BIGINT, n INT, name STRING, twice AS n * 2, at TIMESTAMP(3),
  place_in_log BIGINT METADATA FROM 'offset' VIRTUAL, part INT METADATA FROM 'partition' VIRTUAL,
  sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', head MAP<STRING, BYTES> METADATA FROM 'headers',
  WATERMARK FOR at AS at - INTERVAL '2' SECOND,
  CONSTRAINT small CHECK (n < 90)
) WITH ('connector' = 'kafka', 'topic' = 'readings', 'properties.bootstrap.servers' = 'embedded',
  'format' = 'json', )" +
         options + R"();
CREATE TABLE windows (ws TIMESTAMP(3), name STRING, c BIGINT, s BIGINT) WITH (
  'connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'windows');
CREATE TABLE copies (id BIGINT, twice INT, place_in_log BIGINT, part INT, sent TIMESTAMP_LTZ(3),
  head STRING) WITH (
  'connector' = 'jdbc', 'url' = 'jdbc:postgresql://x/y', 'table-name' = 'copies');
)";
}
constexpr const char* kFromTheFirst =
    "'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset'";
constexpr const char* kWindows =
    "INSERT INTO windows SELECT window_start, name, COUNT(*), SUM(n) FROM TABLE(TUMBLE(TABLE "
    "readings, DESCRIPTOR(at), INTERVAL '5' SECOND)) GROUP BY window_start, window_end, name;\n";
constexpr const char* kCopies =
    "INSERT INTO copies SELECT id, twice, place_in_log, part, sent, CAST(head AS STRING) FROM "
    "readings;\n";
constexpr const char* kJobs[] = {"windows", "copies"};

// What jobs leave behind, whatever their epochs were.
constexpr const char* kResults[] = {
    "SELECT * FROM windows",
    "SELECT * FROM copies",
    "SELECT stage, job, \"table\", topic, \"partition\", \"offset\", kind, \"column\", reason, "
    "value, value_base64, key, key_base64 FROM millrace.dead_letters",
    "SELECT job, stage, name, sum(rows_in), sum(rows_out), sum(rows_added), sum(rows_taken), "
    "sum(rows_late), sum(rows_failed), sum(rows_dropped), sum(rows_unchanged), sum(rows_missing) "
    "FROM millrace.ledger GROUP BY ALL",
    "SELECT job, topic, split, min(from_offset), max(to_offset), sum(to_offset - from_offset) "
    "FROM millrace.ledger_offsets GROUP BY ALL",
};

// A record as it is sent: rows, NULLs, rows that come late, that break the CHECK, that do not
// decode, that are not text; tombstones; with keys and headers and without.
struct Sent {
  int partition = 0;
  std::optional<std::string> key, value;
  int64_t timestamp_ms = 0;
  std::string header;  // "": none
};

inline std::vector<Sent> SomeRecords(unsigned seed, int count) {
  std::mt19937 random(seed);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<uint64_t>(n)); };
  std::vector<Sent> all;
  for (int i = 0; i < count; i++) {
    Sent& sent = all.emplace_back();
    sent.partition = pick(kPartitions);
    if (pick(2) == 0) sent.key = fmt::format("k{}", pick(9));
    if (pick(30) == 0) sent.key = std::string("\0\xFF", 2);
    if (pick(4) == 0) sent.header = fmt::format("trace {}", i);
    sent.timestamp_ms = kFirstMs + i * 10 - pick(50);
    const int second = std::max(0, i / 30 - (pick(12) == 0 ? 9 : pick(2)));
    const std::string at = fmt::format("\"2026-03-01 10:{:02}:{:02}\"", second / 60, second % 60);
    const auto or_null = [&](const std::string& text) { return pick(9) == 0 ? "null" : text; };
    switch (pick(25)) {
      case 0:
        break;  // a tombstone
      case 1:
        sent.value = fmt::format("{{\"id\": {}, \"n\":", i);
        break;
      case 2:
        sent.value = std::string("\x80\0\x01", 3);
        break;
      case 3:
        sent.value = fmt::format("{{\"id\": {}, \"n\": [\"x\"], \"at\": {}}}", i, at);
        break;
      default:
        sent.value = fmt::format("{{\"id\": {}, \"n\": {}, \"name\": {}, \"at\": {}}}", i,
                                 or_null(std::to_string(pick(100))),
                                 or_null(fmt::format("\"name {}\"", pick(4))), or_null(at));
    }
    if (pick(15) == 0) all.push_back(Sent(all.back()));
  }
  return all;
}

inline void Send(log::Log& log, const std::vector<Sent>& all) {
  constexpr size_t kTogether = 20;
  std::vector<log::NewRecord> waiting[kPartitions];
  const auto append = [&](int partition) {
    const auto done = log.AppendAndWait("readings", partition, waiting[partition]);
    ASSERT_TRUE(done.ok()) << done.status().ToString();
    waiting[partition].clear();
  };
  for (const Sent& sent : all) {
    log::NewRecord& record = waiting[sent.partition].emplace_back();
    record.timestamp_ms = sent.timestamp_ms;
    record.key = sent.key;
    record.value = sent.value;
    if (!sent.header.empty()) record.headers = {{"trace", sent.header}, {"", ""}};
    if (waiting[sent.partition].size() == kTogether) append(sent.partition);
  }
  for (int p = 0; p < kPartitions; p++) {
    if (!waiting[p].empty()) append(p);
  }
}

inline std::string Settings(const std::string& more) {
  return fmt::format(
      "topics:\n  readings: {{partitions: {}, retention: -1, segment-bytes: 4 KB{}}}\n",
      kPartitions, more);
}

inline int64_t NowMs() {
  return env::Clock::System()->WallMicros() / 1000;
}

// Writes the files, then has retention take what the log keeps too much. It does so when records
// are deleted, one more each time.
inline void MoveToFiles(Runtime& runtime, int64_t keep_bytes, int64_t deleted) {
  const Status kept = runtime.history().Pass(NowMs());
  ASSERT_TRUE(kept.ok()) << kept.ToString();
  auto config = runtime.log().Describe("readings")->config;
  config.retention_bytes = keep_bytes;
  ASSERT_TRUE(runtime.log().AlterTopic("readings", config).ok());
  for (int p = 0; p < kPartitions; p++) {
    ASSERT_TRUE(runtime.log().DeleteRecords("readings", p, deleted).ok());
  }
}

inline int64_t LogStart(Runtime& runtime, int partition) {
  return runtime.log().DescribePartition("readings", partition)->start_offset;
}

class ReplayTest : public testing::Test {
 protected:
  void SetUp() override {
    WriteScripts(kWindows + std::string(kCopies));
    Write(whole_.path() + "/millrace.yml", Settings(""));
    Write(moved_.path() + "/millrace.yml", Settings(", parquet: {keep: -1}"));
  }

  void WriteScripts(const std::string& jobs, const std::string& options = kFromTheFirst) {
    for (const TempDirectory* directory : {&whole_, &moved_}) {
      Write(directory->path() + "/sql/a.sql", Tables(options) + jobs);
    }
  }

  void SendAll(unsigned seed = 1, int count = 1000) {
    const auto records = SomeRecords(seed, count);
    {
      const auto runtime = Open(whole_.path(), false);
      ASSERT_NE(runtime, nullptr);
      Send(runtime->log(), records);
      for (int p = 0; p < kPartitions; p++) {
        ASSERT_TRUE(runtime->log().DeleteRecords("readings", p, kDeleted).ok());
      }
    }
    const auto runtime = Open(moved_.path(), false);
    ASSERT_NE(runtime, nullptr);
    Send(runtime->log(), records);
    MoveToFiles(*runtime, 4096, kDeleted);
    for (int p = 0; p < kPartitions; p++) {
      EXPECT_GT(LogStart(*runtime, p), count / 20) << "partition " << p;
    }
  }

  static std::vector<std::vector<std::string>> ResultsOf(Runtime& runtime) {
    std::vector<std::vector<std::string>> results;
    for (const char* sql : kResults) results.push_back(Rows(runtime, sql));
    return results;
  }

  TempDirectory whole_;
  TempDirectory moved_;
};

}  // namespace millrace::project
