// Jobs over topics whose older records are only in Parquet files: what they write, refuse and count
// is what jobs over the same records in a log say that has them all.
#include <gtest/gtest.h>

#include "log/topic_reader.h"
#include "project/history/replay_fixture.h"
#include "project/stepped_job.h"
#include "project/verify.h"

namespace millrace::project {
namespace {

class ReplayInEveryWay : public ReplayTest, public testing::WithParamInterface<Way> {};

TEST_P(ReplayInEveryWay, IsThatOfTheWholeLog) {
  SendAll();
  WriteScripts(SettingsOf(GetParam()) + kWindows + kCopies);
  std::mt19937 random(7);
  RestartOnTheWay(GetParam(), moved_.path(), random);
  const auto whole = RunToEnd(whole_.path());
  const auto moved = RunToEnd(moved_.path());
  ASSERT_TRUE(whole && moved);
  const auto expected = ResultsOf(*whole);
  for (size_t i = 0; i < std::size(kResults); i++) {
    EXPECT_EQ(ResultsOf(*moved)[i], expected[i]) << kResults[i];
    EXPECT_GT(expected[i].size(), 2u) << kResults[i];
  }
  for (const char* job : kJobs) {
    const auto report = VerifyJob(*moved, job, 20);
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    EXPECT_TRUE(report->equal()) << report->ToText();
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, ReplayInEveryWay, testing::ValuesIn(kEveryWay));

// An epoch that died between its decision and its commit is read again from where its records are
// by then.
TEST_F(ReplayTest, OfADecisionWhoseRecordsMoved) {
  WriteScripts("SET 'millrace.epoch.bytes' = '10000';\n" + std::string(kCopies));
  const auto records = SomeRecords(3, 900);
  const auto runtime = Open(moved_.path(), false);
  ASSERT_NE(runtime, nullptr);
  Send(runtime->log(), records);
  int64_t deleted = 0;
  for (int64_t keep_bytes : {12'000, 6'000, 2'048}) {
    {
      auto job = OpenJob(*runtime);
      ASSERT_NE(job, nullptr);
      StepToEnd(*job, /*commit_last=*/false);
    }
    MoveToFiles(*runtime, keep_bytes, deleted);
  }
  auto job = OpenJob(*runtime);
  ASSERT_NE(job, nullptr);
  StepToEnd(*job);
  EXPECT_EQ(
      Rows(*runtime, "SELECT count(*), count(DISTINCT (part, place_in_log)) FROM copies"),
      Rows(*runtime,
           "SELECT count(*), count(*) FROM readings WHERE (n < 90 OR n IS NULL) AND \"at\" IS "
           "NOT NULL"));
}

// Every offset, wherever it is, once; the same from any offset on, to any other.
TEST_F(ReplayTest, ReadsTheRecordsOfTheLog) {
  SendAll(5, 600);
  const auto whole = Open(whole_.path(), false);
  const auto moved = Open(moved_.path(), false);
  ASSERT_TRUE(whole && moved);
  const auto text = [](log::TopicReader& reader, int partition, int64_t from, int64_t to) {
    std::string all;
    const auto visit = [&](std::span<const model::Record> records) {
      for (const model::Record& r : records) {
        all += fmt::format("{}|{}|{}|{}{}|{}{}|{}\n", r.offset, r.timestamp_ms, r.append_time,
                           r.has_key, r.key, r.has_value, r.value, r.headers);
      }
    };
    while (from < to) {
      const auto next = reader.Read(partition, from, to, 4096, visit);
      EXPECT_TRUE(next.ok()) << next.status().ToString();
      if (!next.ok() || *next <= from) break;
      from = *next;
    }
    return all;
  };
  log::TopicReader expected(whole->log(), "readings");
  log::TopicReader reader(moved->log(), "readings");
  std::mt19937 random(5);
  for (int p = 0; p < kPartitions; p++) {
    ASSERT_EQ(*reader.Start(p), kDeleted);
    ASSERT_EQ(*expected.Start(p), kDeleted);
    const int64_t end = moved->log().DescribePartition("readings", p)->end_offset;
    for (int round = 0; round < 30; round++) {
      const auto from = kDeleted + static_cast<int64_t>(random() % (end - kDeleted));
      const auto to = round < 5 ? end : from + static_cast<int64_t>(random() % (end - from + 1));
      ASSERT_EQ(text(reader, p, from, to), text(expected, p, from, to)) << from << " to " << to;
      const int64_t ms = kFirstMs + static_cast<int64_t>(random() % 7000) - 500;
      EXPECT_EQ(*reader.OffsetForTime(p, ms), *expected.OffsetForTime(p, ms)) << ms;
      const auto after = reader.OffsetAfterBytes(p, from, 1000);
      ASSERT_TRUE(after.ok()) << after.status().ToString();
      EXPECT_GT(*after, from);
      EXPECT_LE(*after, end);
    }
    const auto before = reader.Read(p, 0, 1, 1, [](std::span<const model::Record>) {});
    ASSERT_FALSE(before.ok()) << "deleted is deleted";
    EXPECT_EQ(before.status().code(), Code::kFailedPrecondition);
  }
}

// Where else a job may begin; the same as in the whole log.
TEST_F(ReplayTest, BeginsWhereItIsTold) {
  SendAll(9, 600);
  for (const char* mode :
       {"'scan.startup.mode' = 'timestamp', 'scan.startup.timestamp-millis' = '1760000001500'",
        "'scan.startup.mode' = 'specific-offsets', 'scan.startup.specific-offsets' = "
        "'partition:0,offset:0;partition:1,offset:70;partition:2,offset:11'",
        "'scan.startup.mode' = 'group-offsets', 'properties.auto.offset.reset' = 'earliest'"}) {
    WriteScripts(kCopies, mode + std::string(", 'scan.bounded.mode' = 'latest-offset'"));
    std::vector<std::string> copies[2];
    for (const TempDirectory* directory : {&whole_, &moved_}) {
      for (const char* results : {"/.millrace/state", "/.millrace/warehouse.duckdb"}) {
        std::filesystem::remove_all(directory->path() + results);
      }
      const auto runtime = RunToEnd(directory->path());
      ASSERT_NE(runtime, nullptr);
      copies[directory == &moved_] = Rows(*runtime, "SELECT * FROM copies");
      EXPECT_GT(copies[directory == &moved_].size(), 100u);
    }
    EXPECT_EQ(copies[1], copies[0]) << mode;
  }
}

// Files that another shape of the table, or another table, left hold the records all the same.
TEST_F(ReplayTest, OfATableWithOtherColumns) {
  SendAll(11, 600);
  std::string changed = Tables(kFromTheFirst) + kWindows + kCopies;
  changed.replace(changed.find("id BIGINT, n INT"), 16, "extra STRING, n INT, id BIGINT");
  for (const TempDirectory* directory : {&whole_, &moved_}) {
    Write(directory->path() + "/sql/a.sql", changed);
  }
  const auto whole = RunToEnd(whole_.path());
  const auto moved = RunToEnd(moved_.path());
  ASSERT_TRUE(whole && moved);
  for (const char* sql : kResults) EXPECT_EQ(Rows(*moved, sql), Rows(*whole, sql)) << sql;
}

// What is gone, or was written before files held the records' bytes, is not passed over in silence.
TEST_F(ReplayTest, OfWhatIsNotThere) {
  WriteScripts("SET 'millrace.epoch.bytes' = '1000';\n" + std::string(kCopies));
  SendAll(13, 600);
  const auto runtime = Open(moved_.path(), false);
  ASSERT_NE(runtime, nullptr);
  auto job = OpenJob(*runtime);
  ASSERT_NE(job, nullptr);
  auto stepped = job->Step({.promises = {}, .commit = true});
  ASSERT_TRUE(stepped.ok() && *stepped) << stepped.status().ToString();
  const std::string directory =
      runtime->history().Find("readings")->MakePlan()->stored[0].parts[0].file.directory;
  log::TopicReader reader(runtime->log(), "readings");
  const int64_t start = LogStart(*runtime, 0);
  std::filesystem::rename(directory, directory.substr(0, directory.rfind('-')));
  const auto again = HistoryKeeper::Open(runtime->project(), runtime->Services());
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(*reader.Start(0), start) << "the files hold rows only";
  stepped = job->Step({.promises = {}, .commit = true});
  ASSERT_FALSE(stepped.ok());
  EXPECT_NE(stepped.status().message().find("no longer has records"), std::string::npos)
      << stepped.status().ToString();
}

}  // namespace
}  // namespace millrace::project
