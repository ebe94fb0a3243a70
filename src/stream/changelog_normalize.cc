#include "stream/changelog_normalize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "base/units.h"
#include "duck/functions.h"
#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kRowPrefix = "r";

std::string_view KeyOf(std::string_view record) {
  uint32_t size = 0;
  std::memcpy(&size, record.data(), sizeof size);
  return record.substr(sizeof size, size);
}

std::string_view OthersOf(std::string_view record) {
  return record.substr(sizeof(uint32_t) + KeyOf(record).size());
}

std::vector<idx_t> ColumnsBut(size_t count, const std::vector<idx_t>& left_out) {
  std::vector<idx_t> columns = FirstColumns(count);
  std::erase_if(columns, [&](idx_t c) {
    return std::find(left_out.begin(), left_out.end(), c) != left_out.end();
  });
  return columns;
}

}  // namespace

ChangelogNormalize::ChangelogNormalize(uint32_t id, std::string table,
                                       std::vector<std::string> names,
                                       duckdb::vector<duckdb::LogicalType> types,
                                       std::vector<idx_t> keys, int64_t ttl_us)
    : Operator(id),
      table_(std::move(table)),
      names_(std::move(names)),
      types_(std::move(types)),
      keys_(std::move(keys)),
      others_(ColumnsBut(types_.size(), keys_)),
      key_codec_(Pick(types_, keys_)),
      other_codec_(Pick(types_, others_)),
      ttl_us_(ttl_us),
      ages_(ttl_us) {}

Status ChangelogNormalize::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), types_);
  std::vector<uint32_t> slots;
  rows_.Restore(state, id(), kRowPrefix, [&](uint32_t row, std::string_view record) {
    const uint32_t slot = slots_.FindOrAdd(KeyOf(record)).slot;
    if (slot >= row_of_slot_.size()) row_of_slot_.resize(slot * 2 + 16, kNone);
    row_of_slot_[slot] = row;
    if (!ages_.on()) return;
    int64_t written_us = 0;
    std::memcpy(&written_us, record.data() + ContentOf(record).size(), sizeof written_us);
    ages_.Restore(slot, written_us);
    slots.push_back(slot);
  });
  ages_.EndRestore(std::move(slots));
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  return Status::Ok();
}

void ChangelogNormalize::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  ForgetOldRows();
  batch_ = &batch;
  marks_.clear();
  if (!batch.late.empty()) {
    marks_.resize(batch.size(), nullptr);
    for (const LateCandidate& mark : batch.late) marks_[mark.row] = &mark;
  }
  key_codec_.Bind(*batch.rows, keys_);
  other_codec_.Bind(*batch.rows, others_);
  for (uint32_t row = 0; row < batch.size(); row++) {
    Change(row, batch.weights ? batch.weights[row] : 1);
  }
  Flush();
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes = static_cast<int64_t>(rows_.bytes() + slots_.bytes() + ages_.bytes());
}

void ChangelogNormalize::OnEpochEnd() {
  ForgetOldRows();
  forgot_ = false;
  stats_.state_rows = static_cast<int64_t>(rows_.size());
}

void ChangelogNormalize::ForgetOldRows() {
  if (!ages_.on() || forgot_) return;
  forgot_ = true;
  now_us_ = duck::EpochClockMicros(*context_.client);
  for (uint32_t slot = 0; ages_.FindOld(now_us_, slot);) Forget(slot);
}

void ChangelogNormalize::Forget(uint32_t slot) {
  rows_.Remove(row_of_slot_[slot]);
  row_of_slot_[slot] = kNone;
  slots_.Erase(slot);
  if (ages_.on()) ages_.Remove(slot);
}

std::string_view ChangelogNormalize::ContentOf(std::string_view record) const {
  return ages_.on() ? record.substr(0, record.size() - sizeof(int64_t)) : record;
}

void ChangelogNormalize::Change(uint32_t row, int32_t weight) {
  const std::string_view key = key_codec_.Encode(row);
  if (weight < 0) {
    const int64_t slot = slots_.Find(key);
    if (slot < 0) {  // nothing to take away
      stats_.rows_unchanged++;
      return;
    }
    stats_.rows_taken++;
    Add(row_of_slot_[static_cast<size_t>(slot)], -1, row);
    Forget(static_cast<uint32_t>(slot));
    return;
  }
  const auto key_bytes = static_cast<uint32_t>(key.size());
  record_.assign(reinterpret_cast<const char*>(&key_bytes), sizeof key_bytes);
  record_.append(key);
  record_.append(other_codec_.Encode(row));
  const uint32_t slot = slots_.FindOrAdd(KeyOf(record_)).slot;
  if (slot >= row_of_slot_.size()) row_of_slot_.resize(slot * 2 + 16, kNone);
  uint32_t& stored = row_of_slot_[slot];
  if (stored != kNone) {
    if (!ages_.on() && rows_.At(stored) == record_) {
      stats_.rows_unchanged++;
      return;
    }
    Add(stored, -1, row);
    rows_.Remove(stored);
  }
  stats_.rows_taken++;
  if (ages_.on()) {
    ages_.Write(slot, now_us_);
    const int64_t written_us = ages_.written_us(slot);
    record_.append(reinterpret_cast<const char*>(&written_us), sizeof written_us);
  }
  stored = rows_.Add(record_);
  Add(stored, 1, row);
}

void ChangelogNormalize::Add(uint32_t stored, int32_t weight, uint32_t row) {
  if (weights_.size() == STANDARD_VECTOR_SIZE) Flush();
  const std::string_view record = rows_.At(stored);
  key_codec_.Decode(KeyOf(record), output_, keys_, weights_.size());
  other_codec_.Decode(OthersOf(record), output_, others_, weights_.size());
  if (!marks_.empty() && marks_[row]) {
    late_.push_back(*marks_[row]);
    late_.back().row = static_cast<uint32_t>(weights_.size());
  }
  weights_.push_back(weight);
}

void ChangelogNormalize::Flush() {
  if (weights_.empty()) return;
  output_.SetCardinality(weights_.size());
  Batch out;
  out.rows = &output_;
  out.weights = weights_.data();
  out.late = late_;
  out.origin = batch_->origin;
  emitter_.Emit(out);
  output_.Reset();
  weights_.clear();
  late_.clear();
}

void ChangelogNormalize::Snapshot(state::StateWriter& writer) {
  rows_.Snapshot(writer, id(), kRowPrefix);
}

OperatorDescription ChangelogNormalize::Describe() const {
  std::vector<std::string> keys;
  for (idx_t key : keys_) keys.push_back(names_[key]);
  OperatorDescription description;
  description.name = "ChangelogNormalize";
  description.detail = fmt::format("\"{}\" by {}", table_, Join(keys, ", "));
  description.changelog = "retract";
  description.state = "the row of each key";
  description.freed_by = "the removal of the key's row";
  if (ages_.on()) {
    description.freed_by += ", or \"table.exec.state.ttl\": keys that no record named for " +
                            FormatDurationMicros(ttl_us_);
  }
  return description;
}

}  // namespace millrace::stream
