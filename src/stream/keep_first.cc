#include "stream/keep_first.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/strings.h"
#include "base/units.h"
#include "duck/functions.h"
#include "state/entry_bytes.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kOldestKey = "f";
constexpr size_t kEntryBytes = 64 << 10;

duckdb::vector<duckdb::LogicalType> TypesOf(const KeepFirstPlan& plan) {
  duckdb::vector<duckdb::LogicalType> types;
  for (idx_t key : plan.keys) types.push_back(plan.types[key]);
  return types;
}

}  // namespace

KeepFirst::KeepFirst(uint32_t id, KeepFirstPlan plan)
    : Operator(id), plan_(std::move(plan)), codec_(TypesOf(plan_)) {
  all_rows_.resize(STANDARD_VECTOR_SIZE);
  std::iota(all_rows_.begin(), all_rows_.end(), 0);
}

std::string KeepFirst::EntryKey(uint64_t number) const {
  std::string key = "k";
  state::PutBigEndian(key, number, 8);
  return key;
}

Status KeepFirst::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  state.Scan(id(), kOldestKey, [&](std::string_view, std::string_view value) {
    oldest_ = saved_ = state::TakeNumber<uint64_t>(value);
  });
  state.Scan(id(), "k", [&](std::string_view key, std::string_view value) {
    RestoreEntry(state::FromBigEndian(key.substr(1)), oldest_, value);
  });
  UpdateStateSize();
  return Status::Ok();
}

void KeepFirst::RestoreEntry(uint64_t number, uint64_t oldest, std::string_view value) {
  Entry entry{number, number};
  for (; !value.empty(); entry.end++) {
    const auto written_us = state::TakeNumber<int64_t>(value);
    const auto size = state::TakeNumber<uint32_t>(value);
    if (entry.end >= oldest)
      seen_.push_back({written_us, keys_.FindOrAdd(value.substr(0, size)).slot});
    value.remove_prefix(size);
  }
  entries_.push_back(entry);
  saved_ = std::max(saved_, entry.end);
}

void KeepFirst::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  const int64_t now_us = duck::EpochClockMicros(*context_.client);
  codec_.Bind(*batch.rows, plan_.keys);
  codec_.EncodeRows(all_rows_.data(), batch.size(), in_hand_);
  keys_.FindOrAdd(in_hand_, found_);
  duckdb::SelectionVector kept(STANDARD_VECTOR_SIZE);
  idx_t count = 0;
  for (uint32_t row = 0; row < batch.size(); row++) {
    if (!found_[row].added) {
      stats_.rows_unchanged++;
      continue;
    }
    seen_.push_back({now_us, found_[row].slot});
    kept.set_index(count++, row);
  }
  if (count > 0) EmitRows(batch, kept, count);
}

void KeepFirst::EmitRows(const Batch& batch, const duckdb::SelectionVector& kept, idx_t count) {
  duckdb::vector<duckdb::LogicalType> types = batch.rows->GetTypes();
  if (plan_.shows_rank) types.push_back(duckdb::LogicalType::BIGINT);
  duckdb::DataChunk rows;
  rows.InitializeEmpty(types);
  for (idx_t c = 0; c < batch.rows->ColumnCount(); c++) {
    if (count == batch.size()) {
      rows.data[c].Reference(batch.rows->data[c]);
    } else {
      rows.data[c].Slice(batch.rows->data[c], kept, count);
    }
  }
  if (plan_.shows_rank) rows.data.back().Reference(duckdb::Value::BIGINT(1));
  rows.SetCardinality(count);
  Batch out;
  out.rows = &rows;
  if (count == batch.size()) {
    out.late = batch.late;
    out.origin = batch.origin;
  } else {
    idx_t at = 0;
    for (const LateCandidate& late : batch.late) {
      while (at < count && kept.get_index(at) < late.row) at++;
      if (at == count || kept.get_index(at) != late.row) continue;
      out.late.push_back({static_cast<uint32_t>(at), late.origin_row, late.source, late.frontier});
    }
  }
  emitter_.Emit(out);
}

void KeepFirst::OnEpochEnd() {
  if (plan_.ttl_us > 0 && !seen_.empty()) {
    const int64_t now_us = duck::EpochClockMicros(*context_.client);
    while (!seen_.empty() && seen_.front().written_us <= now_us - plan_.ttl_us) {
      keys_.Erase(seen_.front().slot);
      seen_.pop_front();
      oldest_++;
    }
  }
  UpdateStateSize();
}

void KeepFirst::Snapshot(state::StateWriter& writer) {
  while (!entries_.empty() && entries_.front().end <= oldest_) {
    writer.Delete(id(), EntryKey(entries_.front().first));
    entries_.pop_front();
  }
  std::string value;
  for (saved_ = std::max(saved_, oldest_); saved_ < EndNumber();) {
    const uint64_t first = saved_;
    value.clear();
    for (; saved_ < EndNumber() && value.size() < kEntryBytes; saved_++) {
      const Seen& seen = seen_[static_cast<size_t>(saved_ - oldest_)];
      const std::string_view key = keys_.Key(seen.slot);
      state::PutNumber(value, seen.written_us);
      state::PutNumber(value, static_cast<uint32_t>(key.size()));
      value.append(key);
    }
    writer.Put(id(), EntryKey(first), value);
    entries_.push_back({first, saved_});
  }
  value.clear();
  state::PutNumber(value, oldest_);
  writer.Put(id(), kOldestKey, value);
}

void KeepFirst::UpdateStateSize() {
  stats_.state_rows = static_cast<int64_t>(keys_.size());
  stats_.state_bytes = static_cast<int64_t>(keys_.bytes() + seen_.size() * sizeof(Seen));
}

OperatorDescription KeepFirst::Describe() const {
  std::vector<std::string> names;
  for (idx_t key : plan_.keys) names.push_back(plan_.names[key]);
  OperatorDescription description;
  description.name = "KeepFirst";
  description.detail = names.empty() ? "the first row" : "the first row by " + Join(names, ", ");
  description.changelog = "append";
  description.state = "one key per key";
  description.freed_by =
      plan_.ttl_us > 0
          ? "\"table.exec.state.ttl\": " + FormatDurationMicros(plan_.ttl_us) + " after it came"
          : "nothing: set 'table.exec.state.ttl' to forget keys after a time";
  return description;
}

}  // namespace millrace::stream
