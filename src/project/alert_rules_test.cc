// The rules of alerts: growth of dead letters, and jobs that are behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "project/job_lag.h"
#include "project/letter_growth.h"
#include "project/project_fixture.h"

namespace millrace::project {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> News(AlertBook& book) {
  std::vector<std::string> texts;
  for (const Alert& alert : book.TakeNews()) texts.push_back(alert.ToText("shop"));
  return texts;
}

model::DeadLetter Letter(const std::string& table, const std::string& job,
                         model::RowErrorKind kind) {
  model::DeadLetter letter;
  letter.table = table;
  letter.job = job;
  letter.kind = kind;
  return letter;
}

TEST(LetterGrowth, TellsOfEachTableJobAndKindByItself) {
  using Kind = model::RowErrorKind;
  LetterGrowth growth({{.more_than = 2, .within_ms = 60'000},
                       {.more_than = 0, .within_ms = 10'000, .job = "totals", .kind = "late"}});
  AlertBook book;
  growth.Note(book, 100'000);
  EXPECT_THAT(News(book), IsEmpty());
  for (int i = 0; i < 2; i++) growth.Add(Letter("orders", "totals", Kind::kConstraint), 100'000);
  for (int i = 0; i < 2; i++) growth.Add(Letter("orders", "", Kind::kConstraint), 100'000);
  for (int i = 0; i < 2; i++) growth.Add(Letter("orders", "totals", Kind::kType), 100'000);
  growth.Note(book, 100'000);
  EXPECT_THAT(News(book), IsEmpty()) << "six of them, but of no table, job and kind more than two";
  growth.Add(Letter("orders", "", Kind::kConstraint), 101'000);
  growth.Add(Letter("orders", "totals", Kind::kLate), 101'000);
  growth.Note(book, 102'000);
  growth.Note(book, 103'000);
  EXPECT_THAT(
      News(book),
      ElementsAre(
          "shop: dead_letters orders (constraint): 3 records of \"orders\" became dead letters of "
          "kind \"constraint\" at the collector within 1 min 0 s, more than 2: millrace dlq ls "
          "--kind constraint --since '60 s'",
          AllOf(HasSubstr("dead_letters orders (late) in totals: 1 records"),
                HasSubstr("in job \"totals\" within 10.0 s, more than 0"))));
  growth.Note(book, 112'000);
  EXPECT_THAT(News(book), ElementsAre(HasSubstr("over after 10.0 s: dead_letters orders (late)")));
  growth.Note(book, 161'000);
  EXPECT_THAT(News(book), ElementsAre(HasSubstr("dead_letters orders (constraint)")));
}

// Against a count of all letters, over random letters and looks.
TEST(LetterGrowth, CountsWhatASlidingWindowHolds) {
  std::mt19937 random(5);
  for (int round = 0; round < 50; round++) {
    const int64_t within_s = 1 + random() % 30;
    const int64_t more_than = random() % 20;
    LetterGrowth growth({{.more_than = more_than, .within_ms = within_s * 1000, .table = "t"}});
    AlertBook book;
    std::vector<int64_t> times;
    bool firing = false;
    for (int64_t now_s = 1000; now_s < 1200; now_s++) {
      for (int i = static_cast<int>(random() % 3); i > 0; i--) {
        times.push_back(now_s - static_cast<int64_t>(random() % 3));  // some come a little late
        growth.Add(Letter("t", "j", model::RowErrorKind::kLate), times.back() * 1000 + 7);
        growth.Add(Letter("other", "j", model::RowErrorKind::kLate), times.back() * 1000);
      }
      growth.Note(book, now_s * 1000);
      const auto inside = std::count_if(times.begin(), times.end(),
                                        [&](int64_t t) { return t > now_s - within_s; });
      const std::vector<Alert> news = book.TakeNews();
      ASSERT_EQ(news.size(), (inside > more_than) == firing ? 0u : 1u) << round << " " << now_s;
      if (!news.empty()) firing = !news[0].resolved;
    }
  }
}

TEST(LagWatch, TellsOfJobsThatAreBehindForLongEnough) {
  LagWatch watch(
      {{.records = 100, .for_ms = 10'000}, {.age_ms = 60'000, .for_ms = 0, .job = "totals"}});
  AlertBook book;
  watch.Note(book, "totals", {101, 0}, 0);
  watch.Note(book, "totals", {101, 0}, 9'999);
  EXPECT_THAT(News(book), IsEmpty());
  watch.Note(book, "totals", {100, 0}, 10'000);
  watch.Note(book, "totals", {101, 0}, 11'000);
  watch.Note(book, "totals", {500, 1'000}, 20'999);
  EXPECT_THAT(News(book), IsEmpty()) << "it had caught up in between";
  watch.Note(book, "totals", {500, 1'000}, 21'000);
  watch.Note(book, "totals", {600, 1'000}, 22'000);
  EXPECT_THAT(News(book), ElementsAre("shop: job_behind totals: job \"totals\" is behind: 500 "
                                      "records are not read, the oldest is 1.0 s old"));
  watch.Note(book, "totals", {0, 0}, 23'000);
  EXPECT_THAT(News(book), ElementsAre("shop: over after 2.0 s: job_behind totals"));
  watch.Note(book, "other", {1, 60'001}, 24'000);
  EXPECT_THAT(News(book), IsEmpty()) << "the rule is of another job";
  watch.Note(book, "totals", {1, 60'001}, 24'000);
  EXPECT_THAT(News(book), ElementsAre(HasSubstr("the oldest is 1 min 0 s old")));
}

// From the log itself: partitions, records of a known time, retention.
TEST(JobLag, IsWhatTheLogHasAndTheJobHasNotRead) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "name: shop\ntopics:\n  orders: {partitions: 2}\n");
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  log::Log& log = runtime->log();
  auto append = [&](int partition, int64_t time_ms) {
    log::NewRecord record;
    record.value = "{}";
    record.timestamp_ms = time_ms;
    ASSERT_TRUE(log.AppendAndWait("orders", partition, {&record, 1}).ok());
  };
  job::JobStatus status;
  auto add_source = [&](const std::string& topic, const std::string& split, int64_t lag_rows) {
    job::SourceStatus& source = status.sources.emplace_back();
    source.topic = topic;
    source.in_log = status.sources.size() == 1;
    source.splits = {{split, 0, 0}};
    source.lag_rows = lag_rows;
  };
  add_source("orders", "0", 99);
  status.sources[0].splits.push_back({"1", 0, 0});
  EXPECT_EQ(LagOf(status, log, 10'000).records, 0);
  EXPECT_EQ(LagOf(status, log, 10'000).age_ms, 0);
  for (int64_t time_ms : {1'000, 2'000, 3'000}) append(0, time_ms);
  append(1, 1'500);
  EXPECT_EQ(LagOf(status, log, 10'000).records, 4);
  EXPECT_EQ(LagOf(status, log, 10'000).age_ms, 9'000);
  status.sources[0].splits[0].to = 2;
  EXPECT_EQ(LagOf(status, log, 10'000).records, 2);
  EXPECT_EQ(LagOf(status, log, 10'000).age_ms, 8'500);
  status.sources[0].splits[1].to = 1;
  ASSERT_TRUE(log.DeleteRecords("orders", 0, 3).ok());
  EXPECT_EQ(LagOf(status, log, 10'000).records, 0);
  EXPECT_EQ(LagOf(status, log, 10'000).age_ms, 0);
  // What is no topic of this log: as the job says.
  add_source("", "a.csv", 12);
  add_source("orders", "0", 5);  // of a cluster
  EXPECT_EQ(LagOf(status, log, 10'000).records, 17);
  status.state = job::JobState::kFinished;
  EXPECT_EQ(LagOf(status, log, 10'000).records, 0);
}

// Letters that the topic held before count, too: a restart does not hide what grows.
TEST(LetterGrowth, FollowsTheTopicFromBeforeTheStart) {
  TempDirectory directory;
  Write(directory.path() + "/millrace.yml", "name: shop\n");
  auto runtime = Open(directory.path(), false);
  ASSERT_NE(runtime, nullptr);
  log::Log& log = runtime->log();
  auto append = [&](int64_t time_ms) {
    const std::string json = Letter("orders", "", model::RowErrorKind::kType).ToJson();
    log::NewRecord record;
    record.value = json;
    record.timestamp_ms = time_ms;
    ASSERT_TRUE(log.AppendAndWait(job::kDeadLetterTopic, 0, {&record, 1}).ok());
  };
  const int64_t now_ms = 1'000'000;
  append(now_ms - 400'000);
  append(now_ms - 3'000);
  append(now_ms - 2'000);
  LetterGrowth growth({{.more_than = 1, .within_ms = 300'000}});
  AlertBook book;
  ASSERT_TRUE(growth.Follow(log, now_ms).ok());
  growth.Note(book, now_ms);
  EXPECT_THAT(News(book), ElementsAre(HasSubstr("2 records of \"orders\"")));
  ASSERT_TRUE(growth.Follow(log, now_ms).ok());
  append(now_ms);
  ASSERT_TRUE(growth.Follow(log, now_ms).ok());
  growth.Note(book, now_ms + 297'500);
  EXPECT_THAT(News(book), IsEmpty());
  growth.Note(book, now_ms + 299'000);
  EXPECT_THAT(News(book), ElementsAre(HasSubstr("over after")));
}

}  // namespace
}  // namespace millrace::project
