#include "job/ledger.h"

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "job/job_entries.h"

namespace millrace::job {

namespace {
constexpr int64_t kEntryMs = 1000;
constexpr model::Epoch kEntryEpochs = 256;
constexpr size_t kGapsKept = 20;
constexpr size_t kGapSplitsKept = 20;
}  // namespace

Ledger::Ledger(std::string job, std::string run, std::vector<Source> sources,
               std::vector<LedgerStage> stages)
    : sources_(std::move(sources)),
      stages_(std::move(stages)),
      seen_(stages_.size()),
      missing_rows_(stages_.size()),
      missing_input_(stages_.size()) {
  total_.job = open_.job = std::move(job);
  total_.run = open_.run = std::move(run);
  Begin(total_);
  Begin(open_);
}

// Empty, but for the names.
void Ledger::Begin(LedgerEntry& entry) const {
  LedgerEntry empty;
  empty.job = entry.job;
  empty.run = entry.run;
  for (const LedgerStage& stage : stages_) empty.stages.push_back({stage.stage, stage.name});
  entry = std::move(empty);
}

void Ledger::Restore(const state::StateReader& state) {
  auto read = [&](const std::string& key, const std::function<void(LedgerEntry)>& take) {
    state.Scan(state::kJobEntries, key, [&](std::string_view, std::string_view value) {
      auto entry = LedgerEntry::FromJson(value);
      if (entry.ok()) take(std::move(*entry));
    });
  };
  auto same_stages = [&](const LedgerEntry& entry) {
    return std::equal(entry.stages.begin(), entry.stages.end(), stages_.begin(), stages_.end(),
                      [](const StageEntry& a, const LedgerStage& b) {
                        return a.stage == b.stage && a.name == b.name;
                      });
  };
  read(kLedgerTotalKey, [&](LedgerEntry entry) {
    // Which offsets were read stays true when the query changes.
    total_.splits = entry.splits;
    if (same_stages(entry)) total_ = std::move(entry);
  });
  state.Scan(state::kJobEntries, kLedgerEndedKey, [&](std::string_view, std::string_view lines) {
    for (const std::string& line : Split(std::string(lines), '\n')) {
      auto entry = LedgerEntry::FromJson(line);
      if (entry.ok()) ended_.push_back(std::move(*entry));
    }
  });
  read(kLedgerOpenKey, [&](LedgerEntry entry) {
    if (same_stages(entry)) {
      open_ = std::move(entry);
    } else if (entry.to_epoch > 0) {
      ended_.push_back(std::move(entry));
    }
  });
  auto read_number = [&](const char* key, int64_t& number) {
    state.Scan(state::kJobEntries, key, [&](std::string_view, std::string_view value) {
      if (value.size() == sizeof number) std::memcpy(&number, value.data(), sizeof number);
    });
  };
  read_number(kLedgerMissingKey, missing_);
  read_number(kLedgerRefusedKey, refused_);
  for (size_t i = 0; i < total_.splits.size(); i++) {
    total_splits_[{total_.splits[i].source, total_.splits[i].split}] = i;
  }
  for (size_t i = 0; i < open_.splits.size(); i++) {
    open_splits_[{open_.splits[i].source, open_.splits[i].split}] = i;
  }
}

void Ledger::Save(state::StateWriter& writer) const {
  LedgerEntry total = total_;
  total.gaps.clear();
  writer.Put(state::kJobEntries, kLedgerTotalKey, total.ToJson());
  writer.Put(state::kJobEntries, kLedgerOpenKey, open_.ToJson());
  std::vector<std::string> ended;
  for (const LedgerEntry& entry : ended_) ended.push_back(entry.ToJson());
  writer.Put(state::kJobEntries, kLedgerEndedKey, Join(ended, "\n"));
  auto write_number = [&](const char* key, int64_t number) {
    writer.Put(state::kJobEntries, key, {reinterpret_cast<const char*>(&number), sizeof number});
  };
  write_number(kLedgerMissingKey, missing_);
  write_number(kLedgerRefusedKey, refused_);
}

LedgerSplit& Ledger::SplitOf(std::vector<LedgerSplit>& splits, std::map<SplitKey, size_t>& index,
                             const LedgerSplit& range) {
  auto [at, is_new] = index.try_emplace({range.source, range.split}, splits.size());
  if (is_new) {
    splits.push_back(range);
    splits.back().to = range.from;
  }
  return splits[at->second];
}

std::vector<LedgerSplit> Ledger::Ranges(const state::Decision& decision) const {
  std::vector<LedgerSplit> ranges;
  for (const state::SplitRange& range : decision.ranges) {
    if (range.to == range.from) continue;
    const Source& source = sources_[static_cast<size_t>(range.source)];
    ranges.push_back({range.source, source.table, source.topic, range.split, range.from, range.to});
  }
  return ranges;
}

void Ledger::AddEpoch(const state::Decision& decision, const std::vector<StageCounts>& counts,
                      const SplitMissing& missing) {
  found_.clear();
  const std::vector<LedgerSplit> ranges = Ranges(decision);
  const int64_t clock_ms = decision.clock_us / 1000;
  std::vector<StageCounts> changed = counts;
  bool any = !ranges.empty();
  for (size_t s = 0; s < changed.size(); s++) {
    changed[s].Subtract(seen_[s]);
    any = any || !changed[s].IsZero();
  }
  if (any && open_.to_epoch == 0) {
    open_.from_epoch = decision.epoch;
    open_.from_ms = clock_ms;
  }
  if (any && total_.to_epoch == 0) {
    total_.from_epoch = decision.epoch;
    total_.from_ms = clock_ms;
  }
  if (any || open_.to_epoch > 0) {
    open_.to_epoch = total_.to_epoch = decision.epoch;
    open_.to_ms = total_.to_ms = clock_ms;
  }
  for (const LedgerSplit& range : ranges) {
    LedgerSplit& all = SplitOf(total_.splits, total_splits_, range);
    if (all.to != range.from) {
      LedgerGap gap{LedgerGap::Kind::kOffsets, range.table, "source", range.from - all.to};
      gap.from_epoch = gap.to_epoch = decision.epoch;
      gap.splits.push_back(range);
      gap.splits[0].from = std::min(all.to, range.from);
      gap.splits[0].to = std::max(all.to, range.from);
      Found(std::move(gap));
    }
    all.to = range.to;
    LedgerSplit& own = SplitOf(open_.splits, open_splits_, range);
    own.to = range.to;
    own.steps.push_back({decision.epoch, range.to});
  }
  Check(counts, ranges, missing, decision.epoch);
  for (size_t s = 0; s < changed.size(); s++) {
    total_.stages[s].counts.Add(changed[s]);
    open_.stages[s].counts.Add(changed[s]);
  }
  seen_ = counts;
  const bool full = open_.to_epoch - open_.from_epoch + 1 >= kEntryEpochs;
  if (IsDue(decision.clock_us) || (open_.to_epoch > 0 && full)) Close();
}

void Ledger::Check(const std::vector<StageCounts>& counts, const std::vector<LedgerSplit>& ranges,
                   const SplitMissing& missing, model::Epoch epoch) {
  for (size_t s = 0; s < stages_.size(); s++) {
    const LedgerStage& stage = stages_[s];
    const bool is_source = s < sources_.size();
    const int64_t rows = counts[s].Missing();
    if (rows != missing_rows_[s]) {
      LedgerGap gap{LedgerGap::Kind::kRows, stage.stage, stage.name, rows - missing_rows_[s]};
      gap.from_epoch = gap.to_epoch = epoch;
      for (const LedgerSplit& range : ranges) {
        if (is_source) {
          if (static_cast<size_t>(range.source) != s) continue;
          const int64_t now = missing(range.source, range.split);
          int64_t& before = missing_of_split_[{range.source, range.split}];
          if (now == before) continue;
          before = now;
        }
        gap.splits.push_back(range);
      }
      Found(std::move(gap));
      missing_rows_[s] = rows;
    }
    if (is_source) continue;
    int64_t emitted = 0;
    for (size_t producer : stage.producers) emitted += counts[producer][Count::kOut];
    const int64_t lacking = emitted - counts[s][Count::kIn];
    if (lacking == missing_input_[s]) continue;
    LedgerGap gap{LedgerGap::Kind::kInput, stage.stage, stage.name, lacking - missing_input_[s]};
    gap.from_epoch = gap.to_epoch = epoch;
    gap.splits = ranges;
    Found(std::move(gap));
    missing_input_[s] = lacking;
  }
}

// An entry says one thing once, however many of its epochs it is true of.
void Ledger::Found(LedgerGap gap) {
  missing_ += gap.rows < 0 ? -gap.rows : gap.rows;
  if (gap.splits.size() > kGapSplitsKept) gap.splits.resize(kGapSplitsKept);
  if (total_.gaps.size() < kGapsKept) total_.gaps.push_back(gap);
  found_.push_back(gap);
  for (LedgerGap& known : open_.gaps) {
    if (known.kind != gap.kind || known.stage != gap.stage) continue;
    if (gap.kind == LedgerGap::Kind::kOffsets) continue;
    known.rows += gap.rows;
    known.to_epoch = gap.to_epoch;
    for (const LedgerSplit& split : gap.splits) {
      auto same = std::find_if(known.splits.begin(), known.splits.end(), [&](const auto& other) {
        return other.source == split.source && other.split == split.split;
      });
      if (same != known.splits.end()) {
        same->to = std::max(same->to, split.to);
      } else if (known.splits.size() < kGapSplitsKept) {
        known.splits.push_back(split);
      }
    }
    return;
  }
  if (open_.gaps.size() < kGapsKept) open_.gaps.push_back(std::move(gap));
}

bool Ledger::IsDue(int64_t clock_us) const {
  return open_.to_epoch > 0 && clock_us / 1000 - open_.from_ms >= kEntryMs;
}

void Ledger::Close() {
  if (open_.to_epoch == 0) return;
  ended_.push_back(open_);
  Begin(open_);
  open_splits_.clear();
}

bool Ledger::AddRefused(int64_t total) {
  const int64_t rows = total - refused_;
  if (ended_.empty() || rows <= 0) return false;
  refused_ = total;
  for (LedgerEntry* entry : {&total_, &ended_.back()}) {
    StageCounts& sink = entry->stages.back().counts;
    sink[Count::kFailed] += rows;
    sink[Count::kTaken] -= rows;
    sink[Count::kOut] -= rows;
  }
  return true;
}

void Ledger::Forget(model::Epoch epoch) {
  while (!ended_.empty() && ended_.front().to_epoch <= epoch) ended_.pop_front();
}

int64_t Ledger::Sum(Count count, size_t first_stage) const {
  int64_t sum = 0;
  for (size_t s = first_stage; s + 1 < total_.stages.size(); s++)
    sum += total_.stages[s].counts[count];
  return sum;
}

}  // namespace millrace::job
