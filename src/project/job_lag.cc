#include "project/job_lag.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/units.h"
#include "log/topic_reader.h"

namespace millrace::project {

namespace {

// Adds what `split` of a topic lacks; false when the log does not have it.
bool AddSplit(const std::string& topic, const job::SplitPosition& split, log::Log& log,
              int64_t now_ms, JobLag& lag) {
  int partition = -1;
  const char* end = split.split.data() + split.split.size();
  if (std::from_chars(split.split.data(), end, partition).ptr != end) return false;
  auto info = log.DescribePartition(topic, partition);
  if (!info.ok() || split.to > info->end_offset) return false;
  const auto start = log::TopicReader(log, topic).Start(partition);
  if (!start.ok()) return false;
  if (split.to >= info->stable_offset) return true;
  lag.records += info->stable_offset - std::max<int64_t>(split.to, *start);
  const int64_t from = std::max<int64_t>(split.to, info->start_offset);
  bool first = true;
  auto visit = [&](std::span<const model::Record> records) {
    if (!first || records.empty()) return;
    first = false;
    lag.age_ms = std::max(lag.age_ms, now_ms - records[0].timestamp_ms);
  };
  // Retention may just have taken it: then the next look finds another.
  (void)log.Read(topic, partition, from, info->stable_offset, 1, visit);
  return true;
}

}  // namespace

JobLag LagOf(const job::JobStatus& status, log::Log& log, int64_t now_ms) {
  JobLag lag;
  if (status.state == job::JobState::kFinished) return lag;
  for (const job::SourceStatus& source : status.sources) {
    bool of_log = source.in_log;
    JobLag read;
    for (const job::SplitPosition& split : source.splits) {
      of_log = of_log && AddSplit(source.topic, split, log, now_ms, read);
    }
    lag.records += of_log ? read.records : source.lag_rows;
    if (of_log) lag.age_ms = std::max(lag.age_ms, read.age_ms);
  }
  return lag;
}

void LagWatch::Note(AlertBook& book, const std::string& job, const JobLag& lag, int64_t now_ms) {
  std::optional<std::string> wrong;
  for (size_t r = 0; r < rules_.size(); r++) {
    const LagRule& rule = rules_[r];
    if (!rule.job.empty() && rule.job != job) continue;
    const bool passed = (rule.records >= 0 && lag.records > rule.records) ||
                        (rule.age_ms >= 0 && lag.age_ms > rule.age_ms);
    if (!passed) {
      passed_since_ms_.erase({r, job});
      continue;
    }
    const int64_t since_ms = passed_since_ms_.try_emplace({r, job}, now_ms).first->second;
    if (wrong || now_ms - since_ms < rule.for_ms) continue;
    wrong = fmt::format("job \"{}\" is behind: {} records are not read, the oldest is {} old", job,
                        lag.records, FormatDurationMicros(lag.age_ms * 1000));
  }
  book.Note("job_behind", job, wrong, now_ms);
}

}  // namespace millrace::project
