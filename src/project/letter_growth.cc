#include "project/letter_growth.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "job/job.h"
#include "project/dead_letter_audit.h"

namespace millrace::project {

namespace {
constexpr int64_t kBlockBytes = 1 << 20;
}

LetterGrowth::LetterGrowth(std::vector<LetterRule> rules) : rules_(std::move(rules)) {
  for (const LetterRule& rule : rules_) within_ms_max_ = std::max(within_ms_max_, rule.within_ms);
}

Status LetterGrowth::Follow(log::Log& log, int64_t now_ms) {
  auto info = log.Describe(job::kDeadLetterTopic);
  if (rules_.empty() || !info.ok()) return Status::Ok();  // nothing was written yet
  for (int p = 0; p < info->config.partitions; p++) {
    auto next = next_.find(p);
    if (next == next_.end()) {
      MR_ASSIGN_OR_RETURN(const int64_t first,
                          log.OffsetForTime(job::kDeadLetterTopic, p,
                                            std::max<int64_t>(0, now_ms - within_ms_max_)));
      next = next_.emplace(p, first).first;
    }
    MR_ASSIGN_OR_RETURN(const log::PartitionInfo at,
                        log.DescribePartition(job::kDeadLetterTopic, p));
    int64_t& from = next->second;
    from = std::max(from, at.start_offset);
    while (from < at.stable_offset) {
      MR_ASSIGN_OR_RETURN(from, log.Read(job::kDeadLetterTopic, p, from, at.stable_offset,
                                         kBlockBytes, [&](std::span<const model::Record> records) {
                                           for (const model::Record& record : records) {
                                             auto letter = ParseDeadLetter(record.value);
                                             if (letter.ok()) Add(*letter, record.timestamp_ms);
                                           }
                                         }));
    }
  }
  return Status::Ok();
}

void LetterGrowth::Add(const model::DeadLetter& letter, int64_t time_ms) {
  const std::string& table = letter.table.empty() ? letter.topic : letter.table;
  counts_[{table, letter.job, model::RowErrorKindName(letter.kind)}][time_ms / 1000]++;
}

void LetterGrowth::Note(AlertBook& book, int64_t now_ms) {
  for (auto& [where, by_second] : counts_) {
    by_second.erase(by_second.begin(), by_second.upper_bound((now_ms - within_ms_max_) / 1000));
    std::optional<std::string> wrong;
    for (const LetterRule& rule : rules_) {
      if (wrong || !Fits(rule, where)) continue;
      int64_t count = 0;
      auto second = by_second.upper_bound((now_ms - rule.within_ms) / 1000);
      for (; second != by_second.end(); ++second) count += second->second;
      if (count > rule.more_than) wrong = Text(rule, where, count);
    }
    const std::string of_job = where.job.empty() ? "" : " in " + where.job;
    book.Note("dead_letters", fmt::format("{} ({}){}", where.table, where.kind, of_job), wrong,
              now_ms);
  }
}

bool LetterGrowth::Fits(const LetterRule& rule, const Where& where) {
  auto fits = [](const std::string& wanted, const std::string& have) {
    return wanted.empty() || wanted == have;
  };
  return fits(rule.table, where.table) && fits(rule.job, where.job) && fits(rule.kind, where.kind);
}

std::string LetterGrowth::Text(const LetterRule& rule, const Where& where, int64_t count) {
  return fmt::format(
      "{} records of \"{}\" became dead letters of kind \"{}\" {} within {}, more than {}: "
      "millrace "
      "dlq ls --kind {} --since '{} s'",
      count, where.table, where.kind,
      where.job.empty() ? "at the collector" : "in job \"" + where.job + "\"",
      FormatDurationMicros(rule.within_ms * 1000), rule.more_than, where.kind,
      rule.within_ms / 1000);
}

}  // namespace millrace::project
