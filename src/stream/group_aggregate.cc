#include "stream/group_aggregate.h"

#include <numeric>

#include "base/units.h"
#include "duck/functions.h"
#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {
constexpr idx_t kNone = duckdb::DConstants::INVALID_INDEX;
}  // namespace

GroupAggregate::GroupAggregate(uint32_t id, AggregatePlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      key_columns_(FirstColumns(plan_.group_types.size())),
      codec_(plan_.group_types),
      groups_(plan_, "") {}

Status GroupAggregate::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  fresh_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes());
  both_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.OutputTypes(),
                   2 * STANDARD_VECTOR_SIZE);
  groups_.Restore(state, id());
  stats_.state_rows = static_cast<int64_t>(groups_.keys().size());
  return Status::Ok();
}

void GroupAggregate::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  const int64_t now_us = plan_.ttl_us > 0 ? duck::EpochClockMicros(*context_.client) : 0;
  ForgetOldGroups();
  codec_.Bind(*batch.rows, key_columns_);
  slots_.clear();
  rows_.resize(batch.size());
  std::iota(rows_.begin(), rows_.end(), 0);
  if (plan_.ttl_us > 0 && batch.weights) LeaveOutLeadingRetractions(batch);
  std::vector<uint32_t> had_a_row;  // touched for the first time in this epoch
  codec_.EncodeRows(rows_.data(), rows_.size(), keys_);
  groups_.FindOrAdd(keys_, found_);
  for (auto [slot, added] : found_) {
    slots_.push_back(slot);
    if (slot >= is_touched_.size()) is_touched_.resize(slot * 2 + 16);
    if (is_touched_[slot]) continue;
    is_touched_[slot] = 1;
    touched_.push_back(slot);
    old_row_.push_back(-1);
    if (plan_.ttl_us > 0) groups_.Write(slot, now_us);
    if (added) continue;
    old_row_.back() = static_cast<int64_t>(old_rows_count_ + had_a_row.size());
    had_a_row.push_back(slot);
  }
  RememberOldRows(had_a_row);
  if (plan_.ttl_us > 0 && batch.weights) {
    UpdateInOrder(batch);
    return;
  }
  groups_.Update({batch.rows, rows_.data(), slots_.data(), batch.weights,
                  static_cast<uint32_t>(rows_.size())});
  stats_.rows_taken += static_cast<int64_t>(rows_.size());
}

void GroupAggregate::ForgetOldGroups() {
  if (plan_.ttl_us == 0 || forgot_) return;
  forgot_ = true;
  const int64_t now_us = duck::EpochClockMicros(*context_.client);
  for (uint32_t slot = 0; groups_.FindOld(now_us, slot);) groups_.Erase(slot);
}

// The group of all rows shows itself when it is there, also without rows: where it is not, rows
// that are taken away must not make it.
void GroupAggregate::LeaveOutLeadingRetractions(const Batch& batch) {
  if (!plan_.group_types.empty() || groups_.keys().size() > 0) return;
  size_t count = 0;
  while (count < rows_.size() && batch.weights[count] < 0) count++;
  rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(count));
  stats_.rows_filtered += static_cast<int64_t>(count);
}

void GroupAggregate::UpdateInOrder(const Batch& batch) {
  for (size_t i = 0; i < rows_.size(); i++) {
    const uint32_t slot = slots_[i];
    int64_t& rows = groups_.rows(slot);
    const int64_t weight = std::max<int64_t>(batch.weights[rows_[i]], -rows);
    if (weight == 0) {
      stats_.rows_filtered++;
      continue;
    }
    if (slot >= is_emptied_.size()) is_emptied_.resize(slot * size_t{2} + 16);
    if (is_emptied_[slot]) FlushTaken(*batch.rows);
    stats_.rows_taken++;
    rows += weight;
    taken_.rows.push_back(rows_[i]);
    taken_.slots.push_back(slot);
    taken_.weights.push_back(static_cast<int32_t>(weight));
    if (rows > 0) continue;
    is_emptied_[slot] = 1;
    emptied_.push_back(slot);
  }
  FlushTaken(*batch.rows);
}

void GroupAggregate::FlushTaken(duckdb::DataChunk& chunk) {
  groups_.UpdateAggregates({&chunk, taken_.rows.data(), taken_.slots.data(), taken_.weights.data(),
                            static_cast<uint32_t>(taken_.rows.size())});
  taken_.rows.clear();
  taken_.slots.clear();
  taken_.weights.clear();
  for (uint32_t slot : emptied_) {
    is_emptied_[slot] = 0;
    groups_.ResetAggregates(slot);
  }
  emptied_.clear();
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
  ForgetOldGroups();
  forgot_ = false;
  if (plan_.row_when_empty && groups_.keys().size() == 0) {
    is_touched_.resize(std::max<size_t>(is_touched_.size(), 16));
    touched_.push_back(groups_.FindOrAdd("").slot);
    old_row_.push_back(-1);
  }
  for (size_t first = 0; first < touched_.size(); first += STANDARD_VECTOR_SIZE) {
    size_t count = std::min<size_t>(STANDARD_VECTOR_SIZE, touched_.size() - first);
    EmitChanges(first, count);
    for (size_t i = 0; i < count; i++) {
      uint32_t slot = touched_[first + i];
      is_touched_[slot] = 0;
      if (groups_.rows(slot) <= 0 && !plan_.group_types.empty()) groups_.Erase(slot);
    }
  }
  touched_.clear();
  old_row_.clear();
  old_rows_count_ = 0;
  if (old_rows_.size() > 4) old_rows_.resize(4);
  stats_.state_rows = static_cast<int64_t>(groups_.keys().size());
  stats_.state_bytes = static_cast<int64_t>(groups_.bytes());
}

void GroupAggregate::EmitChanges(size_t first, size_t count) {
  // Rows [0, count) of both_ are what the groups show now; behind them stands what those of them
  // showed that were there before.
  FillRows(touched_.data() + first, static_cast<uint32_t>(count), both_);
  idx_t rows = count;
  std::vector<idx_t> before(count, kNone);
  for (size_t i = 0; i < count; i++) {
    if (old_row_[first + i] >= 0) before[i] = rows++;
  }
  AppendOldRows(first, count);

  std::vector<uint8_t> same = FindUnchanged(first, before);
  duckdb::SelectionVector changed(2 * STANDARD_VECTOR_SIZE);
  std::vector<int32_t> weights;
  for (size_t i = 0; i < count; i++) {
    if (same[i]) continue;
    if (before[i] != kNone) {
      changed.set_index(weights.size(), before[i]);
      weights.push_back(-1);
    }
    if (Shown(touched_[first + i])) {
      changed.set_index(weights.size(), i);
      weights.push_back(+1);
    }
  }
  for (size_t from = 0; from < weights.size(); from += STANDARD_VECTOR_SIZE) {
    idx_t part = std::min<idx_t>(STANDARD_VECTOR_SIZE, weights.size() - from);
    duckdb::DataChunk output;
    output.InitializeEmpty(both_.GetTypes());
    output.Slice(both_, duckdb::SelectionVector(changed.data() + from), part);
    Batch out;
    out.rows = &output;
    out.weights = plan_.Appends() ? nullptr : weights.data() + from;
    emitter_.Emit(out);
  }
}

bool GroupAggregate::Shown(uint32_t slot) const {
  // The one group of a global aggregate stays even when all its rows were taken away.
  return groups_.rows(slot) > 0 || plan_.group_types.empty();
}

// Old rows were put aside in the order of touched_: those of a block lie side by side.
void GroupAggregate::AppendOldRows(size_t first, size_t count) {
  idx_t to = count;
  for (size_t i = first; i < first + count;) {
    if (old_row_[i] < 0) {
      i++;
      continue;
    }
    const auto from = static_cast<size_t>(old_row_[i]);
    idx_t taken = 0;
    idx_t left = STANDARD_VECTOR_SIZE - from % STANDARD_VECTOR_SIZE;
    for (; i < first + count && taken < left; i++) taken += old_row_[i] >= 0 ? 1 : 0;
    duckdb::DataChunk& old = *old_rows_[from / STANDARD_VECTOR_SIZE];
    idx_t at = from % STANDARD_VECTOR_SIZE;
    for (idx_t c = 0; c < both_.ColumnCount(); c++) {
      duckdb::VectorOperations::Copy(old.data[c], both_.data[c], at + taken, at, to);
    }
    to += taken;
  }
}

// By place in the block: whether the group shows what it showed before.
std::vector<uint8_t> GroupAggregate::FindUnchanged(size_t first, const std::vector<idx_t>& before) {
  if (plan_.ttl_us > 0) return std::vector<uint8_t>(before.size(), 0);  // see the header
  duckdb::SelectionVector now(STANDARD_VECTOR_SIZE);
  duckdb::SelectionVector then(STANDARD_VECTOR_SIZE);
  idx_t count = 0;
  for (size_t i = 0; i < before.size(); i++) {
    if (before[i] == kNone || !Shown(touched_[first + i])) continue;
    now.set_index(count, i);
    then.set_index(count++, before[i]);
  }
  for (idx_t c = plan_.group_types.size(); c < both_.ColumnCount() && count > 0; c++) {
    duckdb::Vector fresh(both_.data[c], now, count);
    duckdb::Vector old(both_.data[c], then, count);
    duckdb::SelectionVector equal(STANDARD_VECTOR_SIZE);
    idx_t left =
        duckdb::VectorOperations::NotDistinctFrom(fresh, old, nullptr, count, &equal, nullptr);
    for (idx_t i = 0; i < left; i++) {
      now.set_index(i, now.get_index(equal.get_index(i)));
      then.set_index(i, then.get_index(equal.get_index(i)));
    }
    count = left;
  }
  std::vector<uint8_t> same(before.size(), 0);
  for (idx_t i = 0; i < count; i++) same[now.get_index(i)] = 1;
  return same;
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
  if (plan_.ttl_us > 0) {
    description.freed_by = "\"table.exec.state.ttl\": groups not written for " +
                           FormatDurationMicros(plan_.ttl_us) +
                           "; retractions of forgotten ones are left out (filtered)";
  } else if (plan_.row_when_empty) {
    description.freed_by = "nothing: it is one row";
  } else {
    description.freed_by =
        "nothing: a group stays until all its rows are retracted, unless SET "
        "'table.exec.state.ttl' = '…' bounds it";
  }
  return description;
}

}  // namespace millrace::stream
