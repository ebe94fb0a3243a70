#include "stream/window_aggregate.h"

#include <fmt/format.h>

#include <duckdb/common/types/timestamp.hpp>

#include "stream/columns.h"
#include "stream/pane_prefix.h"
#include "stream/pane_rows.h"

namespace millrace::stream {

using duckdb::idx_t;

WindowAggregate::Pane::Pane(const AggregatePlan& plan, int64_t value)
    : groups(plan, PanePrefix(value)) {}

WindowAggregate::WindowAggregate(uint32_t id, AggregatePlan plan, size_t pane_column,
                                 ColumnFrontier frontier)
    : Operator(id),
      plan_(std::move(plan)),
      pane_column_(pane_column),
      late_(std::move(frontier), "window"),
      key_columns_(ColumnsBut(plan_.group_types.size(), pane_column)),
      codec_(Pick(plan_.group_types, key_columns_)) {}

Status WindowAggregate::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
  late_.Restore(state, id());
  std::vector<int64_t> values;
  state.Scan(id(), kPanesPrefix, [&](std::string_view key, std::string_view) {
    int64_t value = PaneOfPrefix(key);
    if (values.empty() || values.back() != value) values.push_back(value);
  });
  for (int64_t value : values) {
    Pane& pane = PaneOf(value);
    pane.groups.Restore(state, id());
    pane.stored = true;
  }
  UpdateStateSize();
  return Status::Ok();
}

WindowAggregate::Pane& WindowAggregate::PaneOf(int64_t value) {
  auto& pane = panes_[value];
  if (!pane) pane = std::make_unique<Pane>(plan_, value);
  return *pane;
}

void WindowAggregate::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  duckdb::Vector& pane_vector = batch.rows->data[pane_column_];
  pane_vector.Flatten(batch.size());
  const auto* panes = duckdb::FlatVector::GetData<int64_t>(pane_vector);
  done_.assign(batch.size(), 0);
  stats_.rows_late += late_.SetAside(
      batch, panes, context_,
      [&](int64_t pane) {
        return fmt::format("late: its window {} {} was closed already",
                           plan_.group_names[pane_column_],
                           duckdb::Timestamp::ToString(duckdb::timestamp_t(pane)));
      },
      done_);
  codec_.Bind(*batch.rows, key_columns_);
  ForEachPane(
      panes, batch.size(), done_, rows_,
      [&](int64_t pane, const std::vector<uint32_t>& rows) { ProcessRows(batch, pane, rows); });
}

void WindowAggregate::ProcessRows(const Batch& batch, int64_t pane_value,
                                  const std::vector<uint32_t>& rows) {
  Pane& pane = PaneOf(pane_value);
  slots_.clear();
  codec_.EncodeRows(rows.data(), rows.size(), keys_);
  pane.groups.FindOrAdd(keys_, found_);
  for (const KeyTable::Found& found : found_) slots_.push_back(found.slot);
  AggregateInput input;
  input.chunk = batch.rows;
  input.rows = rows.data();
  input.slots = slots_.data();
  input.count = static_cast<uint32_t>(rows.size());
  if (batch.weights) {
    weights_.clear();
    for (uint32_t row : rows) weights_.push_back(batch.weights[row]);
    input.weights = weights_.data();
  }
  pane.groups.Update(input);
  stats_.rows_taken += static_cast<int64_t>(rows.size());
}

void WindowAggregate::OnWatermark(const Frontiers& frontiers) {
  late_.Advance(frontiers);
  while (!panes_.empty() && panes_.begin()->first < late_.closed_before()) {
    auto first = panes_.begin();
    EmitPane(first->first, *first->second);
    if (first->second->stored) freed_.push_back(first->first);
    panes_.erase(first);
  }
  UpdateStateSize();
}

void WindowAggregate::EmitPane(int64_t value, Pane& pane) {
  const KeyTable& keys = pane.groups.keys();
  for (uint32_t slot = 0; slot < keys.slots();) {
    slots_.clear();
    output_.Reset();
    for (; slot < keys.slots() && slots_.size() < STANDARD_VECTOR_SIZE; slot++) {
      if (plan_.input_retracts && pane.groups.rows(slot) <= 0) continue;
      codec_.Decode(keys.Key(slot), output_, key_columns_, slots_.size());
      duckdb::FlatVector::GetData<int64_t>(output_.data[pane_column_])[slots_.size()] = value;
      slots_.push_back(slot);
    }
    auto count = static_cast<uint32_t>(slots_.size());
    output_.SetCardinality(count);
    pane.groups.Finish(slots_.data(), count, output_, plan_.group_types.size());
    Batch out;
    out.rows = &output_;
    emitter_.Emit(out);
  }
}

void WindowAggregate::Snapshot(state::StateWriter& writer) {
  for (int64_t value : freed_) writer.DeletePrefix(id(), PanePrefix(value));
  freed_.clear();
  for (auto& [value, pane] : panes_) {
    pane->groups.Snapshot(writer, id());
    pane->stored = true;
  }
  late_.Snapshot(writer, id());
}

void WindowAggregate::UpdateStateSize() {
  stats_.state_rows = 0;
  stats_.state_bytes = 0;
  for (const auto& [value, pane] : panes_) {
    stats_.state_rows += static_cast<int64_t>(pane->groups.keys().size());
    stats_.state_bytes += static_cast<int64_t>(pane->groups.bytes());
  }
}

OperatorDescription WindowAggregate::Describe() const {
  OperatorDescription description;
  description.name = "WindowAggregate";
  description.detail = plan_.Describe();
  description.changelog = "append";
  description.state = "one row per open window and key";
  description.freed_by =
      fmt::format("the frontier passing \"{}\"", plan_.group_names[pane_column_]);
  return description;
}

}  // namespace millrace::stream
