#include "stream/updating_window_aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <duckdb/common/types/timestamp.hpp>

#include "base/units.h"
#include "stream/columns.h"
#include "stream/pane_prefix.h"
#include "stream/pane_rows.h"

#include "state/entry_bytes.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr std::string_view kTimesKey = "t";
constexpr char kStaleMark = 'o';
constexpr char kDueMark = 'd';

std::string StaleKey(int64_t pane, uint32_t slot) {
  std::string key = PanePrefix(pane) + kStaleMark;
  state::PutBigEndian(key, slot, 4);
  return key;
}
uint32_t SlotOfStaleKey(std::string_view key) {
  uint32_t slot = 0;
  for (char c : key.substr(key.size() - 4)) slot = slot << 8 | static_cast<unsigned char>(c);
  return slot;
}

duckdb::vector<duckdb::LogicalType> ResultTypes(const AggregatePlan& plan) {
  duckdb::vector<duckdb::LogicalType> types;
  for (const auto& call : plan.calls) types.push_back(call.bound->return_type);
  return types;
}

}  // namespace

UpdatingWindowAggregate::Pane::Pane(const AggregatePlan& plan, int64_t value)
    : groups(plan, PanePrefix(value)) {}

UpdatingWindowAggregate::UpdatingWindowAggregate(uint32_t id, AggregatePlan plan,
                                                 size_t pane_column, ColumnFrontier frontier,
                                                 WindowEmit emit)
    : Operator(id),
      plan_(std::move(plan)),
      pane_column_(pane_column),
      emit_(emit),
      prompt_(frontier.Prompt()),
      late_(std::move(frontier), "window"),
      key_columns_(ColumnsBut(plan_.group_types.size(), pane_column)),
      key_codec_(Pick(plan_.group_types, key_columns_)),
      result_codec_(ResultTypes(plan_)) {
  for (idx_t c = 0; c < plan_.calls.size(); c++) {
    result_columns_.push_back(plan_.group_types.size() + c);
  }
}

Status UpdatingWindowAggregate::Open(const OperatorContext& context,
                                     const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  fresh_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
  late_.Restore(state, id());
  state.Scan(id(), kTimesKey, [&](std::string_view, std::string_view value) {
    std::memcpy(&closed_before_, value.data(), sizeof closed_before_);
    std::memcpy(&clock_us_, value.data() + sizeof closed_before_, sizeof clock_us_);
  });
  std::vector<int64_t> values;
  state.Scan(id(), kPanesPrefix, [&](std::string_view key, std::string_view) {
    int64_t value = PaneOfPrefix(key);
    if (values.empty() || values.back() != value) values.push_back(value);
  });
  for (int64_t value : values) RestorePane(value, state);
  UpdateStateSize();
  return Status::Ok();
}

void UpdatingWindowAggregate::RestorePane(int64_t value, const state::StateReader& state) {
  Pane& pane = PaneOf(value);
  pane.groups.Restore(state, id());
  pane.stored = true;
  pane.is_stale.resize(pane.groups.keys().slots());
  state.Scan(id(), PanePrefix(value) + kStaleMark,
             [&](std::string_view key, std::string_view stored) {
               uint32_t slot = SlotOfStaleKey(key);
               pane.stale.push_back({slot, stored[0] != 0, std::string(stored.substr(1))});
               pane.is_stale[slot] = 1;
               pane.stored_stale.push_back(slot);
             });
  state.Scan(id(), PanePrefix(value) + kDueMark, [&](std::string_view, std::string_view stored) {
    std::memcpy(&pane.due, stored.data(), sizeof pane.due);
  });
  if (!pane.stale.empty()) stale_panes_.insert(value);
}

UpdatingWindowAggregate::Pane& UpdatingWindowAggregate::PaneOf(int64_t value) {
  auto& pane = panes_[value];
  if (!pane) {
    pane = std::make_unique<Pane>(plan_, value);
    pane->closed = value < closed_before_;
  }
  return *pane;
}

void UpdatingWindowAggregate::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  duckdb::Vector& pane_vector = batch.rows->data[pane_column_];
  pane_vector.Flatten(batch.size());
  const auto* panes = duckdb::FlatVector::GetData<int64_t>(pane_vector);
  done_.assign(batch.size(), 0);
  stats_.rows_late += late_.SetAside(
      batch, panes, context_,
      [&](int64_t pane) {
        return fmt::format("late: its window {} {} was closed, and is not corrected any more",
                           plan_.group_names[pane_column_],
                           duckdb::Timestamp::ToString(duckdb::timestamp_t(pane)));
      },
      done_);
  key_codec_.Bind(*batch.rows, key_columns_);
  ForEachPane(
      panes, batch.size(), done_, rows_,
      [&](int64_t pane, const std::vector<uint32_t>& rows) { ProcessRows(batch, pane, rows); });
}

void UpdatingWindowAggregate::ProcessRows(const Batch& batch, int64_t value,
                                          const std::vector<uint32_t>& rows) {
  Pane& pane = PaneOf(value);
  key_codec_.EncodeRows(rows.data(), rows.size(), keys_);
  pane.groups.FindOrAdd(keys_, found_);
  if (Shows(pane)) {
    MarkStale(pane, found_);
    stale_panes_.insert(value);
  }
  slots_.clear();
  for (const KeyTable::Found& found : found_) slots_.push_back(found.slot);
  AggregateInput input;
  input.chunk = batch.rows;
  input.rows = rows.data();
  input.slots = slots_.data();
  input.count = static_cast<uint32_t>(rows.size());
  std::vector<int32_t> weights;
  for (size_t i = 0; batch.weights && i < rows.size(); i++)
    weights.push_back(batch.weights[rows[i]]);
  if (batch.weights) input.weights = weights.data();
  pane.groups.Update(input);
  stats_.rows_taken += static_cast<int64_t>(rows.size());
}

// Remembers what the groups show, before they change.
void UpdatingWindowAggregate::MarkStale(Pane& pane, const std::vector<KeyTable::Found>& found) {
  slots_.clear();
  const size_t first = pane.stale.size();
  for (auto [slot, added] : found) {
    if (slot >= pane.is_stale.size()) pane.is_stale.resize(slot * 2 + 16);
    if (pane.is_stale[slot]) continue;
    pane.is_stale[slot] = 1;
    pane.stale.push_back({slot, !added});
    if (!added) slots_.push_back(slot);
  }
  if (slots_.empty()) return;
  auto count = static_cast<uint32_t>(slots_.size());
  fresh_.Reset();
  fresh_.SetCardinality(count);
  pane.groups.Finish(slots_.data(), count, fresh_, plan_.group_types.size());
  result_codec_.Bind(fresh_, result_columns_);
  idx_t row = 0;
  for (size_t i = first; i < pane.stale.size(); i++) {
    if (pane.stale[i].shown) pane.stale[i].results = result_codec_.Encode(row++);
  }
}

void UpdatingWindowAggregate::OnWatermark(const Frontiers& frontiers) {
  clock_us_ = std::max(clock_us_, frontiers.back());
  const model::EventTime before = closed_before_;
  closed_before_ = std::max(closed_before_, prompt_.At(frontiers));
  late_.Advance(frontiers);
  for (auto pane = panes_.lower_bound(before); pane != panes_.end() && pane->first < closed_before_;
       ++pane) {
    if (emit_.early) {
      ShowStale(pane->first, *pane->second);
    } else {
      ShowAll(pane->first, *pane->second);
    }
    pane->second->closed = true;
  }
  while (!panes_.empty() && panes_.begin()->first < late_.closed_before()) {
    auto first = panes_.begin();
    ShowStale(first->first, *first->second);
    if (first->second->stored) freed_.push_back(first->first);
    panes_.erase(first);
  }
  Flush();
  UpdateStateSize();
}

void UpdatingWindowAggregate::OnEpochEnd() {
  const std::vector<int64_t> values(stale_panes_.begin(), stale_panes_.end());
  for (int64_t value : values) {
    Pane& pane = *panes_.at(value);
    const int64_t delay = pane.closed ? emit_.late_delay_us : emit_.early_delay_us;
    if (delay > 0 && pane.due == kNotDue) pane.due = clock_us_ + delay;
    if (delay == 0 || pane.due <= clock_us_) ShowStale(value, pane);
  }
  Flush();
}

void UpdatingWindowAggregate::ShowAll(int64_t value, Pane& pane) {
  for (uint32_t slot = 0; slot < pane.groups.keys().slots();) {
    slots_.clear();
    for (; slot < pane.groups.keys().slots() && slots_.size() < STANDARD_VECTOR_SIZE; slot++) {
      slots_.push_back(slot);
    }
    FillRows(value, pane, slots_.data(), static_cast<uint32_t>(slots_.size()));
    for (idx_t row = 0; row < slots_.size(); row++) Add(row, fresh_.ColumnCount(), 1);
  }
}

void UpdatingWindowAggregate::ShowStale(int64_t value, Pane& pane) {
  // The order in which they changed is not part of the state.
  std::sort(pane.stale.begin(), pane.stale.end(),
            [](const Stale& a, const Stale& b) { return a.slot < b.slot; });
  for (size_t first = 0; first < pane.stale.size(); first += STANDARD_VECTOR_SIZE) {
    const size_t count = std::min<size_t>(STANDARD_VECTOR_SIZE, pane.stale.size() - first);
    slots_.clear();
    for (size_t i = 0; i < count; i++) slots_.push_back(pane.stale[first + i].slot);
    FillRows(value, pane, slots_.data(), static_cast<uint32_t>(count));
    result_codec_.Bind(fresh_, result_columns_);
    for (idx_t row = 0; row < count; row++) {
      const Stale& stale = pane.stale[first + row];
      if (stale.shown && result_codec_.Encode(row) == stale.results) continue;
      if (stale.shown) {
        Add(row, plan_.group_types.size(), -1);
        result_codec_.Decode(stale.results, output_, result_columns_, weights_.size() - 1);
      }
      Add(row, fresh_.ColumnCount(), 1);
    }
  }
  for (const Stale& stale : pane.stale) pane.is_stale[stale.slot] = 0;
  pane.stale.clear();
  pane.due = kNotDue;
  stale_panes_.erase(value);
}

void UpdatingWindowAggregate::FillRows(int64_t value, const Pane& pane, const uint32_t* slots,
                                       uint32_t count) {
  fresh_.Reset();
  auto* panes = duckdb::FlatVector::GetData<int64_t>(fresh_.data[pane_column_]);
  for (uint32_t i = 0; i < count; i++) {
    key_codec_.Decode(pane.groups.keys().Key(slots[i]), fresh_, key_columns_, i);
    panes[i] = value;
  }
  fresh_.SetCardinality(count);
  pane.groups.Finish(slots, count, fresh_, plan_.group_types.size());
}

void UpdatingWindowAggregate::Add(idx_t row, idx_t columns, int32_t weight) {
  if (weights_.size() == STANDARD_VECTOR_SIZE) Flush();
  for (idx_t c = 0; c < columns; c++) {
    duckdb::VectorOperations::Copy(fresh_.data[c], output_.data[c], row + 1, row, weights_.size());
  }
  weights_.push_back(weight);
}

void UpdatingWindowAggregate::Flush() {
  if (weights_.empty()) return;
  output_.SetCardinality(weights_.size());
  Batch out;
  out.rows = &output_;
  out.weights = weights_.data();
  emitter_.Emit(out);
  weights_.clear();
  output_.Reset();
}

void UpdatingWindowAggregate::Snapshot(state::StateWriter& writer) {
  for (int64_t value : freed_) writer.DeletePrefix(id(), PanePrefix(value));
  freed_.clear();
  for (auto& [value, pane] : panes_) {
    pane->groups.Snapshot(writer, id());
    pane->stored = true;
    if (pane->stored_stale.empty() && pane->stale.empty()) continue;
    for (uint32_t slot : pane->stored_stale) writer.Delete(id(), StaleKey(value, slot));
    pane->stored_stale.clear();
    for (const Stale& stale : pane->stale) {
      writer.Put(id(), StaleKey(value, stale.slot), (stale.shown ? '\1' : '\0') + stale.results);
      pane->stored_stale.push_back(stale.slot);
    }
    writer.Put(id(), PanePrefix(value) + kDueMark,
               {reinterpret_cast<const char*>(&pane->due), sizeof pane->due});
  }
  std::string times(reinterpret_cast<const char*>(&closed_before_), sizeof closed_before_);
  times.append(reinterpret_cast<const char*>(&clock_us_), sizeof clock_us_);
  writer.Put(id(), kTimesKey, times);
  late_.Snapshot(writer, id());
}

void UpdatingWindowAggregate::UpdateStateSize() {
  stats_.state_rows = 0;
  stats_.state_bytes = 0;
  for (const auto& [value, pane] : panes_) {
    stats_.state_rows += static_cast<int64_t>(pane->groups.keys().size());
    stats_.state_bytes += static_cast<int64_t>(pane->groups.bytes());
  }
}

OperatorDescription UpdatingWindowAggregate::Describe() const {
  const std::string lateness = FormatDurationMicros(late_.lateness_us());
  OperatorDescription description;
  description.name = "UpdatingWindowAggregate";
  description.detail = plan_.Describe();
  if (emit_.early) {
    description.detail += "; open windows shown ";
    description.detail += emit_.early_delay_us == 0
                              ? "every epoch"
                              : "every " + FormatDurationMicros(emit_.early_delay_us);
  }
  if (late_.lateness_us() > 0) {
    description.detail += "; corrected by late rows";
    if (emit_.late_delay_us > 0) {
      description.detail += " every " + FormatDurationMicros(emit_.late_delay_us);
    }
  }
  description.changelog = "retract";
  description.state = "one row per open window and key";
  if (late_.lateness_us() > 0) {
    description.state += fmt::format(", and those of windows closed for less than {}", lateness);
  }
  description.freed_by =
      fmt::format("the frontier passing \"{}\"", plan_.group_names[pane_column_]);
  if (late_.lateness_us() > 0) description.freed_by += " by " + lateness;
  return description;
}

}  // namespace millrace::stream
