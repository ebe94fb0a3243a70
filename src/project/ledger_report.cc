#include "project/ledger_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "base/strings.h"

namespace millrace::project {

namespace {

constexpr int64_t kBlockBytes = 1 << 20;

job::LedgerGap HoleBetween(const job::LedgerSplit& known, const job::LedgerSplit& next,
                           model::Epoch epoch) {
  job::LedgerGap hole{job::LedgerGap::Kind::kOffsets, next.table, "source"};
  hole.rows = next.from - known.to;
  hole.from_epoch = hole.to_epoch = epoch;
  hole.splits.push_back(next);
  hole.splits[0].steps.clear();
  hole.splits[0].from = std::min(known.to, next.from);
  hole.splits[0].to = std::max(known.to, next.from);
  return hole;
}

}  // namespace

Status VisitLedger(log::Log& log, const std::function<void(const job::LedgerEntry& entry)>& visit) {
  auto topic = log.Describe(job::kLedgerTopic);
  if (!topic.ok()) return topic.status().code() == Code::kNotFound ? Status() : topic.status();
  for (int p = 0; p < topic->config.partitions; p++) {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo partition, log.DescribePartition(job::kLedgerTopic, p));
    model::Offset offset = partition.start_offset;
    while (offset < partition.stable_offset) {
      auto read = [&](std::span<const model::Record> records) {
        for (const model::Record& record : records) {
          auto entry = job::LedgerEntry::FromJson(record.value);
          if (entry.ok()) visit(*entry);
        }
      };
      MR_ASSIGN_OR_RETURN(model::Offset next, log.Read(job::kLedgerTopic, p, offset,
                                                       partition.stable_offset, kBlockBytes, read));
      if (next <= offset) break;
      offset = next;
    }
  }
  return Status::Ok();
}

void LedgerSum::Add(const job::LedgerEntry& entry) {
  if (entries++ == 0) {
    sum.job = entry.job;
    sum.run = entry.run;
    sum.from_epoch = entry.from_epoch;
    sum.from_ms = entry.from_ms;
  }
  sum.to_epoch = entry.to_epoch;
  sum.to_ms = entry.to_ms;
  sum.committed_ms = entry.committed_ms;
  for (const job::StageEntry& stage : entry.stages) {
    auto same = std::find_if(sum.stages.begin(), sum.stages.end(), [&](const auto& other) {
      return other.stage == stage.stage && other.name == stage.name;
    });
    if (same == sum.stages.end()) {
      sum.stages.push_back(stage);
    } else {
      same->counts.Add(stage.counts);
    }
  }
  for (const job::LedgerSplit& split : entry.splits) {
    auto same = std::find_if(sum.splits.begin(), sum.splits.end(), [&](const auto& other) {
      return other.source == split.source && other.split == split.split;
    });
    if (same == sum.splits.end()) {
      sum.splits.push_back(split);
      sum.splits.back().steps.clear();
      continue;
    }
    // A hole that the job itself has noticed is in its gaps.
    const bool noticed = std::any_of(entry.gaps.begin(), entry.gaps.end(), [&](const auto& gap) {
      return gap.kind == job::LedgerGap::Kind::kOffsets && gap.stage == split.table;
    });
    if (same->to != split.from && !noticed) {
      job::LedgerGap hole = HoleBetween(*same, split, entry.from_epoch);
      missing += hole.rows < 0 ? -hole.rows : hole.rows;
      sum.gaps.push_back(std::move(hole));
    }
    same->to = split.to;
  }
  for (const job::LedgerGap& gap : entry.gaps) {
    missing += gap.rows < 0 ? -gap.rows : gap.rows;
    sum.gaps.push_back(gap);
  }
}

std::string LedgerSum::ToJson() const {
  std::string json = sum.ToJson();
  json.pop_back();
  return json + fmt::format(",\"entries\":{},\"missing\":{},\"closes\":{}}}", entries, missing,
                            missing == 0 && sum.gaps.empty());
}

Result<std::string> LedgerJson(log::Log& log, const std::string& job, int64_t entries_max) {
  std::map<std::string, LedgerSum> sums;  // by run
  std::deque<std::string> newest;
  std::vector<std::string> names;
  MR_RETURN_IF_ERROR(VisitLedger(log, [&](const job::LedgerEntry& entry) {
    if (std::find(names.begin(), names.end(), entry.job) == names.end()) {
      names.push_back(entry.job);
    }
    if (!job.empty() && entry.job != job) return;
    sums[entry.run].Add(entry);
    if (entries_max <= 0) return;
    newest.push_back(entry.ToJson());
    if (newest.size() > static_cast<size_t>(entries_max)) newest.pop_front();
  }));
  if (!job.empty() && sums.empty()) {
    return Status(Code::kNotFound, fmt::format("the ledger has no entry of job \"{}\"", job))
        .WithHint(names.empty() ? "a job writes one about every second while it has input"
                                : DidYouMean(job, names));
  }
  std::vector<std::string> texts;
  for (const auto& [run, sum] : sums) texts.push_back(sum.ToJson());
  return fmt::format("{{\"jobs\":[{}],\"entries\":[{}]}}", Join(texts, ","),
                     Join({newest.begin(), newest.end()}, ","));
}

}  // namespace millrace::project
