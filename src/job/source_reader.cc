#include "job/source_reader.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "job/job_entries.h"

namespace millrace::job {

SourceReader::SourceReader(int index, const SourceTable& table,
                           std::vector<std::unique_ptr<SourceLane>> lanes)
    : index_(index), table_(table), lanes_(std::move(lanes)) {}

Status SourceReader::Open() {
  for (auto& lane : lanes_) MR_RETURN_IF_ERROR(lane->Open());
  return Status::Ok();
}

size_t SourceReader::OwnerOf(const std::string& split) const {
  // Neighbours (partition 0, 1; part-0.jsonl, part-1.jsonl) go to different shards.
  size_t end = split.find_last_of("0123456789");
  if (end == std::string::npos) return XXH3_64bits(split.data(), split.size()) % lanes_.size();
  size_t number = 0;
  size_t begin = split.find_last_not_of("0123456789", end);
  for (size_t i = begin == std::string::npos ? 0 : begin + 1; i <= end; i++) {
    number = number * 10 + static_cast<size_t>(split[i] - '0');
  }
  return number % lanes_.size();
}

SplitState& SourceReader::Split(const std::string& id) {
  for (SplitState& split : splits_) {
    if (split.id == id) return split;
  }
  SplitState split;
  split.id = id;
  auto restored = restored_.find(id);
  if (restored != restored_.end()) split = restored->second;
  splits_.push_back(split);
  return splits_.back();
}

Status SourceReader::RefreshSplits(int64_t now_monotonic_us) {
  MR_ASSIGN_OR_RETURN(std::vector<connectors::Split> found, source().Splits());
  for (size_t s = 1; s < lanes_.size(); s++) {
    MR_RETURN_IF_ERROR(lanes_[s]->source().Splits().status());
  }
  // The startup mode is for the splits of a new job; one that appears later is read whole.
  const bool first_time = splits_.empty() && !has_checkpoint_;
  std::vector<model::Offset> starts(found.size(), 0);
  for (size_t i = 0; first_time && i < found.size(); i++) {
    if (restored_.count(found[i].id)) continue;
    MR_ASSIGN_OR_RETURN(starts[i], source().Start(found[i]));
  }
  for (size_t i = 0; i < found.size(); i++) {
    const bool known = std::any_of(splits_.begin(), splits_.end(),
                                   [&](const SplitState& s) { return s.id == found[i].id; });
    if (known) continue;
    const bool restored = restored_.count(found[i].id) > 0;
    SplitState& state = Split(found[i].id);
    state.last_data_monotonic_us = now_monotonic_us;
    if (!restored) state.first = state.next = starts[i];
  }
  return Status::Ok();
}

Status SourceReader::Decide(int64_t budget_bytes, int64_t now_us, state::Decision& decision) {
  int64_t active = std::count_if(splits_.begin(), splits_.end(), [](auto& s) { return !s.ended; });
  if (active == 0) return Status::Ok();
  int64_t share = std::max<int64_t>(1, budget_bytes / active);
  for (SplitState& split : splits_) {
    if (split.ended) continue;
    MR_ASSIGN_OR_RETURN(connectors::Source::Ready ready,
                        source().Poll({split.id}, split.next, share));
    split.behind = ready.behind;
    if (ready.to > split.next || ready.end) {
      decision.ranges.push_back({index_, split.id, split.next, ready.to, ready.end});
      split.last_data_monotonic_us = now_us;
      continue;
    }
    if (split.last_data_monotonic_us == 0) split.last_data_monotonic_us = now_us;
    int64_t timeout = table_.settings.idle_timeout_us;
    if (timeout > 0 && now_us - split.last_data_monotonic_us >= timeout) {
      decision.idle.push_back({index_, split.id});
    }
  }
  return Status::Ok();
}

void SourceReader::Prepare(const state::Decision& decision) {
  for (const state::SplitRange& range : decision.ranges) {
    if (range.source != index_) continue;
    SplitState& split = Split(range.split);
    if (split.first < 0 && !restored_.count(split.id)) split.first = range.from;
  }
}

Status SourceReader::Read(const state::SplitRange& range, int64_t clock_us) {
  auto split = std::find_if(splits_.begin(), splits_.end(),
                            [&](const SplitState& s) { return s.id == range.split; });
  MR_CHECK(split != splits_.end(), "the decision was prepared");
  return lanes_[OwnerOf(range.split)]->Read(*split, range, clock_us, frontier_);
}

SourceCounters SourceReader::counters() const {
  SourceCounters sum;
  for (const auto& lane : lanes_) {
    sum.rows_in += lane->counters().rows_in;
    sum.dead_lettered += lane->counters().dead_lettered;
    sum.dropped += lane->counters().dropped;
    sum.warned += lane->counters().warned;
    sum.skipped += lane->counters().skipped;
    sum.added += lane->counters().added;
    sum.delivered += lane->counters().delivered;
  }
  return sum;
}

std::vector<format::FieldDrift> SourceReader::drift() const {
  std::vector<format::FieldDrift> all;
  for (const auto& lane : lanes_) {
    if (lane->drift() == nullptr) continue;
    for (const format::FieldDrift& found : lane->drift()->fields()) {
      if (found.values == 0) continue;
      auto same = std::find_if(all.begin(), all.end(),
                               [&](const auto& known) { return known.field == found.field; });
      if (same == all.end()) {
        all.push_back(found);
        continue;
      }
      same->values += found.values;
      same->Widen(found.type);
      same->mixed |= found.mixed;
    }
  }
  return all;
}

model::EventTime SourceReader::Advance(const state::Decision& decision) {
  if (!has_event_time()) {
    return Ended() ? model::kTimeMax : model::kTimeMin;
  }
  for (SplitState& split : splits_) split.idle = false;
  for (const state::SplitName& idle : decision.idle) {
    if (idle.source == index_) Split(idle.split).idle = true;
  }
  model::EventTime lowest = model::kTimeMax;   // over the splits that may still send
  model::EventTime highest = model::kTimeMin;  // over all
  bool any = false;
  for (const SplitState& split : splits_) {
    model::EventTime own = split.Reached(table_.table->watermark->delay_us.value_or(0));
    highest = std::max(highest, own);
    if (split.ended || split.idle) continue;
    any = true;
    lowest = std::min(lowest, own);
  }
  if (Ended()) {
    frontier_ = model::kTimeMax;
  } else {
    // All silent: none holds the others back, as if they had fallen idle one after the other.
    frontier_ = std::max(frontier_, any ? lowest : highest);
  }
  for (const state::FrontierPromise& promise : decision.promises) {
    if (promise.source == index_) frontier_ = std::max(frontier_, promise.frontier);
  }
  return frontier_;
}

bool SourceReader::Ended() const {
  return !splits_.empty() &&
         std::all_of(splits_.begin(), splits_.end(), [](const SplitState& s) { return s.ended; });
}

bool SourceReader::WhollyIdle() const {
  return !splits_.empty() && !Ended() &&
         std::all_of(splits_.begin(), splits_.end(),
                     [](const SplitState& s) { return s.ended || s.idle; });
}

void SourceReader::Save(state::StateWriter& writer) const {
  for (const SplitState& split : splits_) {
    std::string value(25, '\0');
    std::memcpy(value.data(), &split.next, 8);
    std::memcpy(value.data() + 8, &split.newest, 8);
    value[16] = split.ended ? '\1' : '\0';
    std::memcpy(value.data() + 17, &split.first, 8);
    writer.Put(state::kJobEntries, SplitKey(index_, split.id), value);
  }
  std::string value(8 + sizeof(SourceCounters), '\0');
  std::memcpy(value.data(), &frontier_, 8);
  SourceCounters sum = counters();
  std::memcpy(value.data() + 8, &sum, sizeof sum);
  writer.Put(state::kJobEntries, SourceKey(index_), value);
}

void SourceReader::BeginCheckpoint() {
  checkpointed_.clear();
  for (const SplitState& split : splits_) checkpointed_.push_back({{split.id}, split.next});
}

void SourceReader::FinishCheckpoint() {
  source().OnCheckpoint(checkpointed_);
}

void SourceReader::Interrupt() {
  for (auto& lane : lanes_) lane->source().Interrupt();
}

std::vector<SplitState> SourceReader::SavedSplits(const state::StateReader& state, int index) {
  std::vector<SplitState> splits;
  std::string prefix = SplitKey(index, "");
  state.Scan(state::kJobEntries, prefix, [&](std::string_view key, std::string_view value) {
    SplitState split;
    split.id = std::string(key.substr(prefix.size()));
    std::memcpy(&split.next, value.data(), 8);
    std::memcpy(&split.newest, value.data() + 8, 8);
    split.ended = value[16] != 0;
    // States of older versions do not say it.
    if (value.size() >= 25) std::memcpy(&split.first, value.data() + 17, 8);
    splits.push_back(std::move(split));
  });
  return splits;
}

void SourceReader::Restore(const state::StateReader& state) {
  state.Scan(state::kJobEntries, SourceKey(index_),
             [&](std::string_view, std::string_view) { has_checkpoint_ = true; });
  for (SplitState& split : SavedSplits(state, index_)) restored_[split.id] = split;
  state.Scan(state::kJobEntries, SourceKey(index_), [&](std::string_view, std::string_view value) {
    std::memcpy(&frontier_, value.data(), 8);
    // Checkpoints of earlier versions know fewer counters.
    std::memcpy(&lanes_[0]->counters(), value.data() + 8,
                std::min(value.size() - 8, sizeof(SourceCounters)));
  });
}

}  // namespace millrace::job
