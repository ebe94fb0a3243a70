#include "stream/set_operation.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/units.h"
#include "duck/functions.h"

namespace millrace::stream {

namespace {
constexpr char kRowPrefix = 'r';

std::string EntryKey(std::string_view row) {
  std::string key(1, kRowPrefix);
  key.append(row);
  return key;
}
}  // namespace

SetOperation::SetOperation(uint32_t id, SetOperationPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      columns_(plan_.types.size()),
      codec_(plan_.types),
      ages_(plan_.ttl_us) {
  std::iota(columns_.begin(), columns_.end(), 0);
}

Status SetOperation::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  std::vector<uint32_t> slots;
  state.Scan(id(), {&kRowPrefix, 1}, [&](std::string_view key, std::string_view value) {
    uint32_t slot = rows_.FindOrAdd(key.substr(1)).slot;
    copies_.resize(std::max<size_t>(copies_.size(), slot + size_t{1}));
    Copies& copies = copies_[slot];
    std::memcpy(copies.side, value.data(), sizeof copies.side);
    std::memcpy(&copies.shown, value.data() + sizeof copies.side, sizeof copies.shown);
    copies.stored = true;
    if (!ages_.on()) return;
    int64_t written_us = 0;
    std::memcpy(&written_us, value.data() + sizeof copies.side + sizeof copies.shown,
                sizeof written_us);
    ages_.Restore(slot, written_us);
    slots.push_back(slot);
  });
  ages_.EndRestore(std::move(slots));
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  return Status::Ok();
}

void SetOperation::Process(int port, const Batch& batch) {
  stats_.rows_in += static_cast<int64_t>(batch.size());
  ForgetOldRows();
  const int64_t now_us = ages_.on() ? duck::EpochClockMicros(*context_.client) : 0;
  codec_.Bind(*batch.rows, columns_);
  for (uint32_t row = 0; row < batch.size(); row++) {
    uint32_t slot = rows_.FindOrAdd(codec_.Encode(row)).slot;
    if (slot >= copies_.size()) copies_.resize(slot + 1);
    Copies& copies = copies_[slot];
    int64_t weight = batch.weights ? batch.weights[row] : 1;
    if (ages_.on()) {
      weight = std::max(weight, -copies.side[port]);
      ages_.Write(slot, now_us);
    }
    copies.side[port] += weight;
    (weight != 0 ? stats_.rows_taken : stats_.rows_filtered)++;
    if (!copies.touched) touched_.push_back(slot);
    if (!copies.changed) changed_.push_back(slot);
    copies.touched = copies.changed = true;
  }
}

int64_t SetOperation::Wanted(const Copies& copies) const {
  const int64_t left = copies.side[0];
  const int64_t right = copies.side[1];
  switch (plan_.kind) {
    case SetOperationKind::kIntersect:
      return left > 0 && right > 0 ? 1 : 0;
    case SetOperationKind::kIntersectAll:
      return std::max<int64_t>(0, std::min(left, right));
    case SetOperationKind::kExcept:
      return left > 0 && right <= 0 ? 1 : 0;
    case SetOperationKind::kExceptAll:
      return std::max<int64_t>(0, left - std::max<int64_t>(0, right));
  }
  return 0;
}

void SetOperation::ForgetOldRows() {
  if (!ages_.on() || forgot_) return;
  forgot_ = true;
  const int64_t now_us = duck::EpochClockMicros(*context_.client);
  for (uint32_t slot = 0; ages_.FindOld(now_us, slot);) Forget(slot);
}

void SetOperation::Forget(uint32_t slot) {
  Copies& copies = copies_[slot];
  if (copies.stored) erased_.emplace_back(rows_.Key(slot));
  bool changed = copies.changed;  // it stays in changed_
  copies = Copies();
  copies.changed = changed;
  rows_.Erase(slot);
  if (ages_.on()) ages_.Remove(slot);
}

void SetOperation::OnEpochEnd() {
  ForgetOldRows();
  forgot_ = false;
  for (uint32_t slot : touched_) {
    Copies& copies = copies_[slot];
    copies.touched = false;
    int64_t wanted = Wanted(copies);
    if (ages_.on()) {
      Show(slot, -copies.shown);
      Show(slot, wanted);
    } else {
      Show(slot, wanted - copies.shown);
    }
    copies.shown = wanted;
  }
  Flush();
  for (uint32_t slot : touched_) {
    Copies& copies = copies_[slot];
    if (copies.side[0] == 0 && copies.side[1] == 0) Forget(slot);
  }
  touched_.clear();
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes =
      static_cast<int64_t>(rows_.bytes() + copies_.capacity() * sizeof(Copies) + ages_.bytes());
}

void SetOperation::Show(uint32_t slot, int64_t count) {
  for (int64_t copy = 0; copy < std::abs(count); copy++) {
    codec_.Decode(rows_.Key(slot), output_, columns_, weights_.size());
    weights_.push_back(count > 0 ? 1 : -1);
    if (weights_.size() == STANDARD_VECTOR_SIZE) Flush();
  }
}

void SetOperation::Flush() {
  if (weights_.empty()) return;
  output_.SetCardinality(weights_.size());
  Batch out;
  out.rows = &output_;
  out.weights = plan_.Appends() ? nullptr : weights_.data();
  emitter_.Emit(out);
  output_.Reset();
  weights_.clear();
}

void SetOperation::Snapshot(state::StateWriter& writer) {
  // A row that went and came again is in both lists: what it is now is written last.
  for (const std::string& row : erased_) writer.Delete(id(), EntryKey(row));
  erased_.clear();
  std::string entry;
  for (uint32_t slot : changed_) {
    Copies& copies = copies_[slot];
    copies.changed = false;
    if (!rows_.Live(slot)) continue;
    char value[sizeof copies.side + sizeof copies.shown];
    std::memcpy(value, copies.side, sizeof copies.side);
    std::memcpy(value + sizeof copies.side, &copies.shown, sizeof copies.shown);
    entry.assign(value, sizeof value);
    if (ages_.on()) {
      const int64_t written_us = ages_.written_us(slot);
      entry.append(reinterpret_cast<const char*>(&written_us), sizeof written_us);
    }
    writer.Put(id(), EntryKey(rows_.Key(slot)), entry);
    copies.stored = true;
  }
  changed_.clear();
}

OperatorDescription SetOperation::Describe() const {
  constexpr const char* kNames[] = {"intersect", "intersect all", "except", "except all"};
  OperatorDescription description;
  description.name = "SetOperation";
  description.detail = kNames[static_cast<size_t>(plan_.kind)];
  description.changelog = plan_.Appends() ? "append" : "retract";
  description.state = "one entry per distinct row of both sides";
  description.freed_by = ages_.on()
                             ? "\"table.exec.state.ttl\": rows that neither side had for " +
                                   FormatDurationMicros(plan_.ttl_us) +
                                   "; retractions of forgotten ones are left out (filtered)"
                             : "nothing: a row stays until both sides retract it, unless SET "
                               "'table.exec.state.ttl' = '…' bounds it";
  return description;
}

}  // namespace millrace::stream
