// Topics whose closed segments are also Parquet: whatever a query asks, the answer is that of
// decoding the log, by a second warehouse which has the same tables and no files.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>

#include "duck/functions.h"
#include "log/crc32c.h"
#include "log/record_batch.h"
#include "log/wire.h"
#include "project/history/history_keeper.h"
#include "project/history/history_storage.h"
#include "project/history/offset_set.h"
#include "project/project_fixture.h"
#include "project/topic_table.h"
#include "sql/functions.h"

namespace millrace::project {
namespace {

constexpr int kPartitions = 3;
constexpr const char* kTable = R"(CREATE TABLE readings (
  id BIGINT NOT NULL, ok BOOLEAN, n INT, x DOUBLE, price DECIMAL(12, 3), name STRING,
  at TIMESTAMP(3), zoned TIMESTAMP_LTZ(3), day DATE, hour TIME, raw BYTES,
  numbers ARRAY<INT>, counts MAP<STRING, BIGINT>, place ROW<city STRING, height INT>,
  twice AS n * 2,
  place_in_log BIGINT METADATA FROM 'offset', part INT METADATA FROM 'partition' VIRTUAL,
  sent TIMESTAMP_LTZ(3) METADATA FROM 'timestamp', head MAP<STRING, BYTES> METADATA FROM 'headers'
) WITH ('connector' = 'kafka', 'topic' = 'readings', 'properties.bootstrap.servers' = 'embedded',
  'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
)";
constexpr const char* kQueries[] = {
    "SELECT * FROM readings",
    "SELECT count(*) FROM readings",
    "SELECT id FROM readings",  // a record that is bad elsewhere is a row here
    "SELECT name FROM readings WHERE n > 40 OR n IS NULL",
    ("SELECT part, count(*), min(place_in_log), max(place_in_log), sum(price) FROM readings "
     "GROUP BY 1"),
    "SELECT place_in_log, sent, head FROM readings WHERE part = 1",
    "SELECT place.city, count(*), max(twice) FROM readings GROUP BY 1",
    "SELECT a.id, b.name FROM readings a JOIN readings b ON a.n = b.n AND a.id < b.id",
};

std::string Settings(const std::string& parquet) {
  return "topics:\n  readings: {partitions: " + std::to_string(kPartitions) +
         ", retention: -1, segment-bytes: 16 KB" + parquet + "}\n";
}

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    Write(directory_.path() + "/sql/all.sql", kTable);
    Write(plain_.path() + "/sql/all.sql", kTable);
    Write(plain_.path() + "/millrace.yml", Settings(""));
  }

  // A process that begins: the log, the tables with their files, and those without.
  void OpenWith(const std::string& parquet) {
    with_files_ = {};
    decoding_ = {};
    log_.reset();
    log_ = *log::Log::Open({.directory = directory_.path() + "/log"});
    Write(directory_.path() + "/millrace.yml", Settings(parquet));
    OpenTables(directory_.path(), with_files_);
    OpenTables(plain_.path(), decoding_);
  }

  struct Tables {
    std::unique_ptr<Project> project;
    std::unique_ptr<HistoryKeeper> history;
    std::unique_ptr<duck::Warehouse> warehouse;
  };
  void OpenTables(const std::string& directory, Tables& tables) {
    std::vector<Status> faults;
    tables.project = Project::Load(directory, "", faults);
    ASSERT_TRUE(faults.empty()) << faults.front().ToString();
    if (!log_->Describe("readings").ok()) {
      const auto& config = tables.project->config().topics.at("readings").config;
      ASSERT_TRUE(log_->CreateTopic("readings", config).ok());
    }
    // As of a process that serves: it may read nothing else.
    tables.warehouse =
        *duck::Warehouse::Open("", {.readable_directories = {HistoryDirectory(*tables.project)}});
    duckdb::DuckDB database(tables.warehouse->instance());
    ASSERT_TRUE(duck::RegisterFunctions(database).ok());
    ASSERT_TRUE(sql::RegisterFlinkFunctions(database).ok());
    connectors::Services services;
    services.log = log_.get();
    services.warehouse = tables.warehouse.get();
    auto history = HistoryKeeper::Open(*tables.project, services);
    ASSERT_TRUE(history.ok()) << history.status().ToString();
    tables.history = std::move(*history);
    const Status registered = RegisterTopicTables(*tables.project, services, *tables.history);
    ASSERT_TRUE(registered.ok()) << registered.ToString();
  }
  HistoryKeeper& history() { return *with_files_.history; }
  const TableHistory& readings() { return *history().Find("readings"); }

  static std::vector<std::string> Answer(Tables& tables, const std::string& sql) {
    std::vector<std::string> rows;
    auto result = tables.warehouse->Query(sql);
    EXPECT_TRUE(result.ok()) << sql << "\n" << result.status().ToString();
    for (size_t r = 0; result.ok() && r < result->row_count(); r++) {
      std::string row;
      for (size_t c = 0; c < result->columns.size(); c++) row += result->Get(r, c).ToString() + "|";
      rows.push_back(row);
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  void ExpectEqual() {
    for (const char* query : kQueries) {
      EXPECT_EQ(Answer(with_files_, query), Answer(decoding_, query)) << query;
    }
  }
  void Keep(int64_t later_ms = 0) {
    const int64_t now_ms = env::Clock::System()->WallMicros() / 1000;
    const Status kept = history().Pass(now_ms + later_ms);
    ASSERT_TRUE(kept.ok()) << kept.ToString();
  }
  int64_t FilesKept() {
    int64_t files = 0;
    for (int p = 0; p < kPartitions; p++) {
      files += readings().Describe(p).files;
    }
    return files;
  }
  int64_t FilesOnDisk() {
    int64_t files = 0;
    const std::string root = HistoryDirectory(*with_files_.project);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      files += entry.path().extension() == ".parquet" ? 1 : 0;
    }
    return files;
  }

  int Pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }

  // A record's value: mostly a row, some with a wrong value in one column, some not even JSON.
  std::string Value() {
    if (Pick(20) == 0) return Pick(2) == 0 ? "{\"id\": 3, \"n\":" : "";
    std::string text =
        fmt::format("{{\"id\": {}", Pick(30) == 0 ? "null" : std::to_string(Pick(500)));
    const auto add = [&](const char* name, const std::string& value) {
      if (Pick(8) == 0) return;
      const bool null = Pick(8) == 0;
      const bool wrong = Pick(60) == 0;
      text += fmt::format(", \"{}\": {}", name, null ? "null" : wrong ? "[{\"a\": 1}]" : value);
    };
    add("ok", Pick(2) ? "true" : "false");
    add("n", std::to_string(Pick(100) - 20));
    add("x", fmt::format("{}e{}", Pick(1000) - 500, Pick(60) - 30));
    add("price", fmt::format("{}.{:03}", Pick(100000) - 50000, Pick(1000)));
    add("name", Pick(2) ? "\"größe\"" : fmt::format("\"{}\"", std::string(Pick(300), 'a')));
    add("at", fmt::format("\"2026-0{}-11T10:11:{:02}.{:03}\"", 1 + Pick(9), Pick(60), Pick(1000)));
    add("zoned", fmt::format("\"2026-01-{:02}T01:02:03.{:03}Z\"", 1 + Pick(28), Pick(1000)));
    add("day", fmt::format("\"19{:02}-02-28\"", Pick(100)));
    add("hour", fmt::format("\"{:02}:59:01\"", Pick(24)));
    add("raw", "\"AAECAw==\"");
    add("numbers", fmt::format("[1, null, {}]", Pick(100)));
    add("counts", fmt::format("{{\"a\": {}, \"b\": null}}", Pick(100)));
    add("place", fmt::format("{{\"city\": \"c{}\", \"height\": {}}}", Pick(4), Pick(3000)));
    return text + "}";
  }

  void AppendSome(int count) {
    for (int left = count; left > 0; left -= 8) {
      std::vector<log::NewRecord> records;
      std::deque<std::string> bytes;
      for (int i = 0; i < 8; i++) {
        const std::string& value = bytes.emplace_back(Value());
        const std::string& key = bytes.emplace_back("k" + std::to_string(Pick(9)));
        log::NewRecord& record = records.emplace_back();
        record.timestamp_ms = Pick(10) == 0 ? 0 : 1'760'000'000'000 + Pick(1'000'000);
        if (Pick(2) == 0) record.key = key;
        if (Pick(25) > 0) record.value = value;
        if (Pick(4) == 0) record.headers = {{"trace", key}, {"trace", "2"}, {"who", value}};
        if (Pick(10) == 0) records.push_back(log::NewRecord(records.back()));
      }
      auto done = log_->AppendAndWait("readings", Pick(kPartitions), records);
      ASSERT_TRUE(done.ok()) << done.status().ToString();
    }
  }

  log::AppendResult Wait(const std::function<void(log::AppendCallback)>& start) {
    std::mutex mutex;
    std::condition_variable done;
    std::optional<log::AppendResult> result;
    start([&](const log::AppendResult& r) {
      std::lock_guard lock(mutex);
      result = r;
      done.notify_one();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return result.has_value(); });
    return *result;
  }
  // A transaction of a Kafka client, or a part of it.
  void AppendTransactional(int partition, int records) {
    log::BatchBuilder builder;
    builder.Reset(-1, -1);
    std::vector<std::string> values;
    for (int i = 0; i < records; i++) values.push_back(Value());
    for (const auto& value : values) builder.Add({.value = value}, 1'760'000'000'000);
    std::string batch(builder.Finish(0));
    log::StoreBig<int16_t>(batch.data() + log::kBatchAttributesAt, 16);
    log::StoreBig<int64_t>(batch.data() + log::kBatchProducerIdAt, 7);
    log::StoreBig<int16_t>(batch.data() + log::kBatchProducerEpochAt, 0);
    log::StoreBig<int32_t>(batch.data() + 53, sequence_[partition]);
    log::StoreBig<uint32_t>(batch.data() + log::kBatchCrcAt,
                            log::Crc32c(std::string_view(batch).substr(log::kBatchAttributesAt)));
    sequence_[partition] += records;
    const auto done = Wait([&](log::AppendCallback callback) {
      log_->AppendBatch("readings", partition, batch, std::move(callback));
    });
    ASSERT_TRUE(done.status.ok()) << done.status.ToString();
  }
  void EndTransaction(int partition, bool commit) {
    const auto done = Wait([&](log::AppendCallback callback) {
      log_->AppendMarker("readings", partition, {7, 0, commit}, std::move(callback));
    });
    ASSERT_TRUE(done.status.ok()) << done.status.ToString();
  }
  // Makes the log apply its retention now: it does so when records are deleted, one more each time.
  void ApplyRetention(int64_t retention_bytes) {
    auto info = log_->Describe("readings");
    info->config.retention_bytes = retention_bytes;
    ASSERT_TRUE(log_->AlterTopic("readings", info->config).ok());
    deleted_++;
    for (int p = 0; p < kPartitions; p++) {
      ASSERT_TRUE(log_->DeleteRecords("readings", p, deleted_).ok());
    }
  }

  TempDirectory directory_;  // with files
  TempDirectory plain_;      // without
  std::unique_ptr<log::Log> log_;
  Tables with_files_, decoding_;
  std::mt19937 random_{1};
  int32_t sequence_[kPartitions] = {};
  int64_t deleted_ = 0;
};

class RandomHistory : public HistoryTest, public testing::WithParamInterface<int> {};

TEST_P(RandomHistory, IsWhatTheLogSays) {
  random_.seed(static_cast<unsigned>(GetParam()));
  OpenWith(", parquet: true");
  Keep();
  ExpectEqual();  // of nothing
  bool open[kPartitions] = {};
  for (int step = 0; step < 30; step++) {
    const int partition = Pick(kPartitions);
    switch (Pick(6)) {
      case 0:
        AppendTransactional(partition, 1 + Pick(8));
        open[partition] = true;
        break;
      case 1:
        if (open[partition]) EndTransaction(partition, Pick(2) == 0);
        open[partition] = false;
        break;
      case 2:
        Keep();
        break;
      case 3:
        if (step % 3 == 0) {
          // As a kill in the middle of a file leaves it.
          const auto plan = readings().MakePlan();
          for (const auto& parts : plan->stored) {
            Write(parts.parts.front().file.directory + "/0-77.tmp", "PAR1 and no more");
          }
          OpenWith(", parquet: true");
        }
        break;
      default:
        AppendSome(Pick(40));
    }
    if (step % 10 == 9) ExpectEqual();
  }
  for (int p = 0; p < kPartitions; p++) {
    if (open[p]) EndTransaction(p, true);
  }
  AppendSome(30);
  Keep();
  ExpectEqual();
  EXPECT_GT(FilesKept(), kPartitions);
  EXPECT_EQ(FilesKept(), FilesOnDisk());
  const int64_t files = FilesKept();
  Keep();
  EXPECT_EQ(FilesKept(), files) << "each segment once";
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistory, testing::Range(1, 3));

TEST_F(HistoryTest, QueriesWhileSegmentsClose) {
  OpenWith(", parquet: true");
  history().Start();
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (int i = 0; i < 150; i++) {
      const std::string value = "{\"id\": 1, \"name\": \"" + std::string(200, 'x') + "\"}";
      log::NewRecord record;
      record.value = value;
      const std::vector<log::NewRecord> ten(10, record);
      EXPECT_TRUE(log_->AppendAndWait("readings", i % 2, ten).ok());
    }
    done = true;
  });
  int64_t before = 0;
  bool last = false;
  while (!last) {
    last = done;
    const auto rows = with_files_.warehouse->Query(
        "SELECT count(*), count(DISTINCT place_in_log), max(place_in_log), part FROM readings "
        "GROUP BY part");
    EXPECT_TRUE(rows.ok()) << rows.status().ToString();
    int64_t now = 0;
    for (size_t r = 0; rows.ok() && r < rows->row_count(); r++) {
      const auto count = rows->Get(r, 0).GetValue<int64_t>();
      EXPECT_EQ(rows->Get(r, 1).GetValue<int64_t>(), count);
      EXPECT_EQ(rows->Get(r, 2).GetValue<int64_t>(), count - 1);
      now += count;
    }
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_EQ(before, 1500);
  writer.join();
  history().Stop();
}

// `sql` over the records from `from` on only.
std::string Since(std::string sql, int64_t from) {
  const std::string table = "readings";
  const std::string part = fmt::format("(FROM readings WHERE place_in_log >= {})", from);
  for (size_t at = sql.find(table); at != std::string::npos; at = sql.find(table, at)) {
    sql.replace(at, table.size(), part);
    at += part.size();
  }
  return sql;
}

TEST_F(HistoryTest, FilesOutliveTheirSegments) {
  constexpr int64_t kDeleted = 2;  // by ApplyRetention, in the end
  OpenWith(", parquet: {keep: -1}");
  AppendSome(300);
  std::vector<std::vector<std::string>> all;
  for (const char* query : kQueries) all.push_back(Answer(decoding_, Since(query, kDeleted)));
  ApplyRetention(8192);
  for (int p = 0; p < kPartitions; p++) {
    EXPECT_EQ(log_->DescribePartition("readings", p)->start_offset, 1) << "waits for the files";
  }
  Keep();
  ApplyRetention(8192);
  for (int p = 0; p < kPartitions; p++) {
    EXPECT_GT(log_->DescribePartition("readings", p)->start_offset, kDeleted);
  }
  const auto expect_all = [&](const char* when) {
    for (size_t q = 0; q < std::size(kQueries); q++) {
      EXPECT_EQ(Answer(with_files_, kQueries[q]), all[q]) << when << ": " << kQueries[q];
    }
  };
  expect_all("after retention");
  OpenWith(", parquet: {keep: -1}");
  expect_all("after a restart");
  Keep();
  expect_all("after another round");

  // 90 days later they go, too; from the disk when no query can read them any more.
  constexpr int64_t kMinuteMs = 60'000, kDayMs = 24 * 60 * kMinuteMs;
  OpenWith(", parquet: {keep: 90 d}");
  const int64_t before = FilesOnDisk();
  Keep(91 * kDayMs);
  ExpectEqual();
  EXPECT_LT(FilesKept(), before);
  EXPECT_EQ(FilesOnDisk(), before);
  Keep(91 * kDayMs + 11 * kMinuteMs);
  EXPECT_EQ(FilesOnDisk(), FilesKept());
  ExpectEqual();
}

TEST_F(HistoryTest, OtherColumns) {
  OpenWith(", parquet: {keep: -1}");
  AppendSome(300);
  Keep();
  ApplyRetention(8192);
  const std::string same = "SELECT id, price, part, place_in_log, numbers FROM readings";
  const auto rows = Answer(with_files_, same);
  int64_t start = 0;
  for (int p = 0; p < kPartitions; p++) {
    start = std::max(start, log_->DescribePartition("readings", p)->start_offset);
  }
  ASSERT_GT(start, 1);

  std::string table = kTable;
  table.replace(table.find("x DOUBLE,"), 9, "extra STRING,");
  table.replace(table.find("n INT,"), 6, "n DECIMAL(9, 2),");
  table.replace(table.find("price DECIMAL(12, 3)"), 20,
                "price DECIMAL(12, 3), offset_again "
                "BIGINT METADATA FROM 'offset' VIRTUAL");
  Write(directory_.path() + "/sql/all.sql", table);
  Write(plain_.path() + "/sql/all.sql", table);
  for (const bool kept : {false, true}) {
    OpenWith(", parquet: {keep: -1}");
    if (kept) Keep();
    for (const char* query : kQueries) {
      EXPECT_EQ(Answer(with_files_, Since(query, start)), Answer(decoding_, Since(query, start)))
          << query;
    }
    // Bad in a column that is no more is a row now, where the bytes are there.
    const auto now = Answer(with_files_, same);
    EXPECT_TRUE(std::includes(now.begin(), now.end(), rows.begin(), rows.end()));
    const auto older =
        Answer(with_files_,
               fmt::format("SELECT count(*) > 0, count(n) > 0, count(offset_again) = count(*), "
                           "count(*) FILTER (offset_again <> place_in_log) FROM readings "
                           "WHERE place_in_log < {}",
                           start / 2));
    EXPECT_EQ(older, std::vector<std::string>{"true|true|true|0|"});
  }
}

TEST_F(HistoryTest, AnotherTopicOfTheName) {
  OpenWith(", parquet: {keep: -1}");
  AppendSome(300);
  Keep();
  EXPECT_GT(FilesOnDisk(), 0);
  const auto config = log_->Describe("readings")->config;
  ASSERT_TRUE(log_->DeleteTopic("readings").ok());
  ASSERT_TRUE(log_->CreateTopic("readings", config).ok());
  AppendSome(5);
  ExpectEqual();
  Keep();
  ExpectEqual();
  EXPECT_EQ(FilesOnDisk(), 0);
}

TEST_F(HistoryTest, WhatCannotBeKept) {
  OpenWith(", parquet: true");
  AppendSome(300);
  Keep();
  auto config = log_->Describe("readings")->config;
  config.cleanup = {.remove = false, .compact = true};
  ASSERT_TRUE(log_->AlterTopic("readings", config).ok());
  ExpectEqual();
  const Status kept = history().Pass(0);
  EXPECT_NE(kept.message().find("compacted"), std::string::npos) << kept.ToString();

  std::vector<Status> faults;
  Write(plain_.path() + "/millrace.yml", Settings(", cleanup: compact, parquet: true"));
  Project::Load(plain_.path(), "", faults);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_NE(faults.front().message().find("compacted"), std::string::npos);

  std::string table = kTable;
  table.replace(table.find("ok BOOLEAN"), 10, "mr_Offset BOOLEAN");
  Write(directory_.path() + "/sql/all.sql", table);
  const auto project = Project::Load(directory_.path(), "", faults);
  connectors::Services services;
  services.log = log_.get();
  const auto opened = HistoryKeeper::Open(*project, services);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), Code::kBadOption);
}

TEST_F(HistoryTest, InARuntime) {
  constexpr int kRecords = 2000;
  Write(directory_.path() + "/millrace.yml", Settings(", parquet: true"));
  for (const bool begins : {true, false}) {
    const auto runtime = Open(directory_.path(), true);
    ASSERT_NE(runtime, nullptr);
    if (begins) {
      std::vector<std::string> values(kRecords / 10);
      for (int i = 0; i < kRecords; i += static_cast<int>(values.size())) {
        std::vector<log::NewRecord> records;
        for (auto& value : values) {
          value = Value();
          records.emplace_back().value = value;
        }
        const auto done = runtime->log().AppendAndWait("readings", i % kPartitions, records);
        ASSERT_TRUE(done.ok()) << done.status().ToString();
      }
    }
    runtime->Start();
    const auto count = [&](const std::string& sql) {
      const auto rows = runtime->warehouse().Query(sql);
      EXPECT_TRUE(rows.ok()) << rows.status().ToString();
      return rows.ok() ? rows->Get(0, 0).GetValue<int64_t>() : 0;
    };
    const std::string kept =
        "SELECT coalesce(sum(to_offset - from_offset), 0)::BIGINT FROM "
        "millrace.topic_history WHERE topic = 'readings'";
    const auto segments = [&] {
      int64_t records = 0;
      for (int p = 0; p < kPartitions; p++) {
        const auto closed = runtime->log().ClosedSegments("readings", p);
        for (const auto& range : *closed) records += range.to - range.from;
      }
      return records;
    };
    while (count(kept) < segments()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_GT(count(kept), 0);
    EXPECT_EQ(count("SELECT count(*) FROM (SELECT DISTINCT part, place_in_log FROM readings)"),
              count("SELECT count(*) FROM readings"));
    const auto plan = runtime->warehouse().Query("EXPLAIN SELECT n FROM readings");
    ASSERT_TRUE(plan.ok()) << plan.status().ToString();
    EXPECT_NE(plan->ToJson().find("READ_PARQUET"), std::string::npos);
    runtime->Stop();
  }
}

TEST(OffsetSetTest, IsWhatAVectorOfFlagsSays) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; round++) {
    OffsetSet set;
    std::vector<bool> flags(60);
    for (int i = 0; i < 12; i++) {
      const auto from = static_cast<int64_t>(random() % 60),
                 to = static_cast<int64_t>(random() % 60);
      set.Add({from, to});
      for (auto at = from; at < to; at++) flags[static_cast<size_t>(at)] = true;
      const auto low = static_cast<int64_t>(random() % 60),
                 high = static_cast<int64_t>(random() % 60);
      std::vector<bool> missing(60);
      for (const auto& range : set.Missing({low, high})) {
        ASSERT_LT(range.from, range.to);
        for (auto at = range.from; at < range.to; at++) missing[static_cast<size_t>(at)] = true;
      }
      for (int64_t at = 0; at < 60; at++) {
        const auto place = static_cast<size_t>(at);
        ASSERT_EQ(missing[place], at >= low && at < high && !flags[place]);
      }
    }
  }
}

}  // namespace
}  // namespace millrace::project
