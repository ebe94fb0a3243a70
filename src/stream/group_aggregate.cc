#include "stream/group_aggregate.h"

#include <numeric>

#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

GroupAggregate::GroupAggregate(uint32_t id, AggregatePlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      key_columns_(FirstColumns(plan_.group_types.size())),
      codec_(plan_.group_types),
      groups_(plan_, "") {}

Status GroupAggregate::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  fresh_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
  groups_.Restore(state, id());
  stats_.state_rows = static_cast<int64_t>(groups_.keys().size());
  return Status::Ok();
}

void GroupAggregate::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  codec_.Bind(*batch.rows, key_columns_);
  slots_.clear();
  rows_.clear();
  std::vector<uint32_t> had_a_row;  // touched for the first time in this epoch
  for (uint32_t row = 0; row < batch.size(); row++) rows_.push_back(row);
  codec_.EncodeRows(rows_.data(), rows_.size(), keys_);
  groups_.FindOrAdd(keys_, found_);
  for (auto [slot, added] : found_) {
    slots_.push_back(slot);
    if (slot >= is_touched_.size()) is_touched_.resize(slot * 2 + 16);
    if (is_touched_[slot]) continue;
    is_touched_[slot] = 1;
    touched_.push_back(slot);
    old_row_.push_back(-1);
    if (added) continue;
    old_row_.back() = static_cast<int64_t>(old_rows_count_ + had_a_row.size());
    had_a_row.push_back(slot);
  }
  RememberOldRows(had_a_row);
  groups_.Update({batch.rows, rows_.data(), slots_.data(), batch.weights,
                  static_cast<uint32_t>(rows_.size())});
}

void GroupAggregate::FillRows(const uint32_t* slots, uint32_t count, duckdb::DataChunk& out) {
  out.Reset();
  for (uint32_t i = 0; i < count; i++) {
    codec_.Decode(groups_.keys().Key(slots[i]), out, key_columns_, i);
  }
  out.SetCardinality(count);
  groups_.Finish(slots, count, out, plan_.group_types.size());
}

void GroupAggregate::RememberOldRows(const std::vector<uint32_t>& slots) {
  if (slots.empty()) return;
  auto count = static_cast<uint32_t>(slots.size());
  FillRows(slots.data(), count, fresh_);
  for (idx_t from = 0; from < count;) {
    idx_t used = old_rows_count_ % STANDARD_VECTOR_SIZE;
    size_t chunk = old_rows_count_ / STANDARD_VECTOR_SIZE;
    if (chunk == old_rows_.size()) {
      old_rows_.push_back(std::make_unique<duckdb::DataChunk>());
      old_rows_.back()->Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
    }
    if (used == 0) old_rows_[chunk]->Reset();
    idx_t taken = std::min<idx_t>(count - from, STANDARD_VECTOR_SIZE - used);
    for (idx_t c = 0; c < fresh_.ColumnCount(); c++) {
      duckdb::VectorOperations::Copy(fresh_.data[c], old_rows_[chunk]->data[c], from + taken, from,
                                     used);
    }
    old_rows_[chunk]->SetCardinality(used + taken);
    old_rows_count_ += taken;
    from += taken;
  }
}

void GroupAggregate::OnEpochEnd() {
  if (plan_.row_when_empty && groups_.keys().size() == 0) {
    is_touched_.resize(std::max<size_t>(is_touched_.size(), 16));
    touched_.push_back(groups_.FindOrAdd("").slot);
    old_row_.push_back(-1);
  }
  for (size_t first = 0; first < touched_.size(); first += STANDARD_VECTOR_SIZE) {
    size_t count = std::min<size_t>(STANDARD_VECTOR_SIZE, touched_.size() - first);
    FillRows(touched_.data() + first, static_cast<uint32_t>(count), fresh_);
    for (size_t i = 0; i < count; i++) {
      uint32_t slot = touched_[first + i];
      int64_t old_row = old_row_[first + i];
      // The one group of a global aggregate stays even when all its rows were taken away.
      bool shown = groups_.rows(slot) > 0 || plan_.group_types.empty();
      bool same = old_row >= 0 && shown;
      if (same) {
        duckdb::DataChunk& old = *old_rows_[static_cast<size_t>(old_row) / STANDARD_VECTOR_SIZE];
        idx_t at = static_cast<idx_t>(old_row) % STANDARD_VECTOR_SIZE;
        for (idx_t c = plan_.group_types.size(); c < fresh_.ColumnCount() && same; c++) {
          same = duckdb::Value::NotDistinctFrom(old.GetValue(c, at), fresh_.GetValue(c, i));
        }
      }
      if (!same) {
        if (old_row >= 0) {
          Add(*old_rows_[static_cast<size_t>(old_row) / STANDARD_VECTOR_SIZE],
              static_cast<idx_t>(old_row) % STANDARD_VECTOR_SIZE, -1);
        }
        if (shown) Add(fresh_, i, +1);
      }
    }
    for (size_t i = 0; i < count; i++) {
      uint32_t slot = touched_[first + i];
      is_touched_[slot] = 0;
      if (groups_.rows(slot) <= 0 && !plan_.group_types.empty()) groups_.Erase(slot);
    }
  }
  Flush();
  touched_.clear();
  old_row_.clear();
  old_rows_count_ = 0;
  if (old_rows_.size() > 4) old_rows_.resize(4);
  stats_.state_rows = static_cast<int64_t>(groups_.keys().size());
  stats_.state_bytes = static_cast<int64_t>(groups_.bytes());
}

void GroupAggregate::Add(duckdb::DataChunk& from, idx_t row, int32_t weight) {
  if (weights_.size() == STANDARD_VECTOR_SIZE) Flush();
  for (idx_t c = 0; c < from.ColumnCount(); c++) {
    duckdb::VectorOperations::Copy(from.data[c], output_.data[c], row + 1, row, weights_.size());
  }
  weights_.push_back(weight);
}

void GroupAggregate::Flush() {
  if (weights_.empty()) return;
  output_.SetCardinality(weights_.size());
  Batch out;
  out.rows = &output_;
  out.weights = plan_.Appends() ? nullptr : weights_.data();
  emitter_.Emit(out);
  weights_.clear();
  output_.Reset();
}

void GroupAggregate::Snapshot(state::StateWriter& writer) {
  groups_.Snapshot(writer, id());
}

OperatorDescription GroupAggregate::Describe() const {
  OperatorDescription description;
  description.name = "GroupAggregate";
  description.detail = plan_.Describe();
  description.changelog = plan_.Appends() ? "append" : "retract";
  description.state = "one row per key";
  description.freed_by = "nothing: a group stays until all its rows are retracted";
  return description;
}

}  // namespace millrace::stream
