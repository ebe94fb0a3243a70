#include "stream/temporal_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <duckdb/common/error_data.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <numeric>

#include "stream/columns.h"
#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kPrefix[2] = {"l", "v"};

// A stored row; `mark`: the arrival of a left row, 1 or 0 for a version.
std::string Record(model::EventTime time, uint64_t mark, std::string_view key,
                   std::string_view row) {
  const auto key_bytes = static_cast<uint32_t>(key.size());
  std::string record(reinterpret_cast<const char*>(&time), sizeof time);
  record.append(reinterpret_cast<const char*>(&mark), sizeof mark);
  record.append(reinterpret_cast<const char*>(&key_bytes), sizeof key_bytes);
  return record.append(key).append(row);
}

struct Parts {
  model::EventTime time = 0;
  uint64_t mark = 0;
  std::string_view key;
  std::string_view row;
};

Parts PartsOf(std::string_view record) {
  Parts parts;
  uint32_t key_bytes = 0;
  std::memcpy(&parts.time, record.data(), 8);
  std::memcpy(&parts.mark, record.data() + 8, 8);
  std::memcpy(&key_bytes, record.data() + 16, 4);
  parts.key = record.substr(20, key_bytes);
  parts.row = record.substr(20 + key_bytes);
  return parts;
}

bool HasNull(duckdb::DataChunk& rows, const std::vector<idx_t>& columns, uint32_t row) {
  for (idx_t c : columns) {
    duckdb::UnifiedVectorFormat format;
    rows.data[c].ToUnifiedFormat(rows.size(), format);
    if (!format.validity.RowIsValid(format.sel->get_index(row))) return true;
  }
  return false;
}

// The values of a time column.
class Times {
 public:
  Times(duckdb::DataChunk& rows, idx_t column) {
    rows.data[column].ToUnifiedFormat(rows.size(), format_);
  }
  bool IsNull(uint32_t row) const {
    return !format_.validity.RowIsValid(format_.sel->get_index(row));
  }
  model::EventTime operator[](uint32_t row) const {
    return reinterpret_cast<const int64_t*>(format_.data)[format_.sel->get_index(row)];
  }

 private:
  duckdb::UnifiedVectorFormat format_;
};

}  // namespace

TemporalJoin::Side::Side(const TemporalJoinPlan::Side& plan)
    : key_codec(Pick(plan.types, plan.keys)),
      row_codec(plan.types),
      late(plan.frontier, "join"),
      all(FirstColumns(plan.types.size())),
      columns(all) {}

TemporalJoin::TemporalJoin(uint32_t id, TemporalJoinPlan plan)
    : Operator(id), plan_(std::move(plan)) {
  for (int port : {0, 1}) sides_[port] = std::make_unique<Side>(plan_.sides[port]);
  for (idx_t& column : sides_[1]->columns) column += plan_.sides[0].types.size();
}
TemporalJoin::~TemporalJoin() = default;

Status TemporalJoin::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  duckdb::vector<duckdb::LogicalType> types = plan_.sides[0].types;
  types.insert(types.end(), plan_.sides[1].types.begin(), plan_.sides[1].types.end());
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  if (!plan_.residual.empty()) {
    residual_ = std::make_unique<duckdb::ExpressionExecutor>(*context.client);
    for (auto& e : plan_.residual) residual_->AddExpression(*e);
  }
  sides_[0]->rows.Restore(state, id(), kPrefix[0], [&](uint32_t row, std::string_view record) {
    const Parts parts = PartsOf(record);
    waiting_[{parts.time, parts.mark}] = row;
    next_arrival_ = std::max(next_arrival_, parts.mark + 1);
  });
  sides_[1]->rows.Restore(state, id(), kPrefix[1], [&](uint32_t row, std::string_view record) {
    const Parts parts = PartsOf(record);
    Place(keys_.FindOrAdd(parts.key).slot, {parts.time, row, parts.mark != 0});
  });
  UpdateStateSize();
  return Status::Ok();
}

void TemporalJoin::Process(int port, const Batch& batch) {
  stats_.rows_in += static_cast<int64_t>(batch.size());
  Side& side = *sides_[port];
  side.key_codec.Bind(*batch.rows, plan_.sides[port].keys);
  side.row_codec.Bind(*batch.rows, side.all);
  if (port == 0) {
    ProcessLeft(batch);
  } else {
    ProcessRight(batch);
  }
}

void TemporalJoin::ProcessLeft(const Batch& batch) {
  const TemporalJoinPlan::Side& plan = plan_.sides[0];
  Side& side = *sides_[0];
  const Times times(*batch.rows, plan.time);
  LateCandidates candidates(batch);
  for (uint32_t row = 0; row < batch.size(); row++) {
    const LateCandidate* mark = candidates.Of(row);
    const bool no_time = times.IsNull(row);
    if (!no_time && mark && times[row] < side.late.ClosedFor(mark)) {
      stats_.rows_late++;
      side.late.Bury(batch, row, mark, context_,
                     fmt::format("late: \"{}\" is behind the watermark", plan.time_name));
      continue;
    }
    // Such a row finds no version; of a LEFT JOIN it comes out alone.
    const bool never_matches = no_time || HasNull(*batch.rows, plan.keys, row);
    if (never_matches && !plan_.keeps_left) {
      stats_.rows_filtered++;
      continue;
    }
    const model::EventTime time = no_time ? model::kTimeMin : times[row];
    const std::string key(never_matches ? std::string_view() : side.key_codec.Encode(row));
    record_ = Record(time, next_arrival_, key, side.row_codec.Encode(row));
    waiting_[{time, next_arrival_++}] = side.rows.Add(record_);
    stats_.rows_taken++;
  }
}

void TemporalJoin::ProcessRight(const Batch& batch) {
  const TemporalJoinPlan::Side& plan = plan_.sides[1];
  Side& side = *sides_[1];
  const Times times(*batch.rows, plan.time);
  LateCandidates candidates(batch);
  for (uint32_t row = 0; row < batch.size(); row++) {
    const LateCandidate* mark = candidates.Of(row);
    if (HasNull(*batch.rows, plan.keys, row)) {  // NULL equals nothing
      stats_.rows_filtered++;
      continue;
    }
    const bool there = !batch.weights || batch.weights[row] > 0;
    const std::string key(side.key_codec.Encode(row));
    const Version* newest = NewestOf(key);
    const bool is_there = newest && newest->there;
    const model::EventTime reached = side.late.ClosedFor(mark);
    model::EventTime time = 0;
    if (times.IsNull(row)) {
      if (!is_there) {  // nothing to take away
        stats_.rows_unchanged++;
        continue;
      }
      time = std::max(newest->time, reached);
    } else {
      time = times[row];
    }
    if (time < reached) {
      stats_.rows_late++;
      // A removal may be freed already: it counts as far as it cannot be.
      if (newest && newest->time > (is_there ? time : reached)) continue;
      stats_.rows_late_taken++;
      time = reached;
    }
    stats_.rows_taken++;
    AddVersion(key, time, there, side.row_codec.Encode(row));
  }
}

const TemporalJoin::Version* TemporalJoin::NewestOf(std::string_view key) {
  const int64_t slot = keys_.Find(key);
  if (slot < 0) return nullptr;
  const std::vector<Version>& versions = VersionsOf(static_cast<uint32_t>(slot));
  return versions.empty() ? nullptr : &versions.back();
}

void TemporalJoin::AddVersion(std::string_view key, model::EventTime time, bool there,
                              std::string_view row) {
  const uint32_t slot = keys_.FindOrAdd(key).slot;
  record_ = Record(time, there ? 1 : 0, key, there ? row : std::string_view());
  Place(slot, {time, sides_[1]->rows.Add(record_), there});
}

std::vector<TemporalJoin::Version>& TemporalJoin::VersionsOf(uint32_t slot) {
  if (slot >= versions_.size()) versions_.resize(slot + slot / 2 + 16);
  return versions_[slot];
}

void TemporalJoin::Place(uint32_t slot, const Version& version) {
  std::vector<Version>& versions = VersionsOf(slot);
  auto at = std::lower_bound(versions.begin(), versions.end(), version.time,
                             [](const Version& v, model::EventTime time) { return v.time < time; });
  if (at != versions.end() && at->time == version.time) {  // the last to come counts
    sides_[1]->rows.Remove(at->row);
    *at = version;
  } else {
    at = versions.insert(at, version);
  }
  // It ends the one before it; and the next one, which may have been the first, ends it.
  if (at != versions.begin() || !version.there) ends_[version.time].push_back(slot);
  if (at == versions.begin() && at + 1 != versions.end()) ends_[(at + 1)->time].push_back(slot);
}

const TemporalJoin::Version* TemporalJoin::ValidAt(std::string_view key,
                                                   model::EventTime time) const {
  if (key.empty()) return nullptr;
  const int64_t slot = keys_.Find(key);
  if (slot < 0) return nullptr;
  const std::vector<Version>& versions = versions_[static_cast<size_t>(slot)];
  auto after = std::upper_bound(versions.begin(), versions.end(), time,
                                [](model::EventTime t, const Version& v) { return t < v.time; });
  if (after == versions.begin() || !(after - 1)->there) return nullptr;
  return &*(after - 1);
}

void TemporalJoin::OnWatermark(const Frontiers& frontiers) {
  const model::EventTime both =
      std::min(plan_.sides[0].frontier.At(frontiers), plan_.sides[1].frontier.At(frontiers));
  EmitBefore(both);
  FreeVersions(both);
  UpdateStateSize();
}

void TemporalJoin::EmitBefore(model::EventTime time) {
  Side& left = *sides_[0];
  Side& right = *sides_[1];
  while (!waiting_.empty() && waiting_.begin()->first.first < time) {
    const uint32_t row = waiting_.begin()->second;
    const Parts parts = PartsOf(left.rows.At(row));
    const Version* version = ValidAt(parts.key, parts.time);
    if (version || plan_.keeps_left) {
      const idx_t at = matched_.size();
      left.row_codec.Decode(parts.row, output_, left.columns, at);
      if (version) {
        right.row_codec.Decode(PartsOf(right.rows.At(version->row)).row, output_, right.columns,
                               at);
      } else {
        for (idx_t c : right.columns) duckdb::FlatVector::SetNull(output_.data[c], at, true);
      }
      matched_.push_back(version ? 1 : 0);
    }
    left.rows.Remove(row);
    waiting_.erase(waiting_.begin());
    if (matched_.size() == STANDARD_VECTOR_SIZE) Flush();
  }
  Flush();
}

// Takes the match from rows for which a condition does not hold.
void TemporalJoin::CheckResidual(duckdb::DataChunk& rows, std::vector<uint8_t>& matched) {
  for (idx_t e = 0; e < plan_.residual.size(); e++) {
    duckdb::Vector condition(duckdb::LogicalType::BOOLEAN);
    residual_->SetChunk(&rows);
    residual_->ExecuteExpression(e, condition);
    condition.Flatten(rows.size());
    for (idx_t row = 0; row < rows.size(); row++) {
      const bool holds = !duckdb::FlatVector::IsNull(condition, row) &&
                         duckdb::FlatVector::GetData<bool>(condition)[row];
      if (!holds) matched[row] = 0;
    }
  }
}

// A row on which a condition fails (a cast, an overflow) goes to the dead letters; returns which.
std::vector<uint8_t> TemporalJoin::CheckResidualOneByOne() {
  std::vector<uint8_t> failed(matched_.size());
  duckdb::SelectionVector one(1);
  for (uint32_t row = 0; row < matched_.size(); row++) {
    if (!matched_[row]) continue;
    one.set_index(0, row);
    duckdb::DataChunk single;
    single.InitializeEmpty(output_.GetTypes());
    single.Slice(output_, one, 1);
    single.SetCardinality(1);
    single.Flatten();
    std::vector<uint8_t> matched = {1};
    try {
      CheckResidual(single, matched);
      matched_[row] = matched[0];
    } catch (const std::exception& e) {
      stats_.rows_failed++;
      stats_.rows_failed_taken++;
      failed[row] = 1;
      model::DeadLetter letter;
      letter.stage = "join";
      letter.job = context_.job;
      letter.kind = model::RowErrorKind::kType;
      letter.reason = duckdb::ErrorData(e).RawMessage();
      letter.payload = RowText(single, 0);
      context_.dead_letters->Add(std::move(letter));
    }
  }
  return failed;
}

void TemporalJoin::Flush() {
  if (matched_.empty()) return;
  const idx_t count = matched_.size();
  output_.SetCardinality(count);
  std::vector<uint8_t> failed;
  try {
    CheckResidual(output_, matched_);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception&) {
    failed = CheckResidualOneByOne();
  }
  if (witness_) TellWitness();
  duckdb::SelectionVector kept(STANDARD_VECTOR_SIZE);
  idx_t kept_count = 0;
  for (idx_t row = 0; row < count; row++) {
    if (!matched_[row] && plan_.keeps_left) {
      for (idx_t c : sides_[1]->columns) duckdb::FlatVector::SetNull(output_.data[c], row, true);
    }
    const bool comes_out = matched_[row] || plan_.keeps_left;
    if (comes_out && (failed.empty() || !failed[row])) kept.set_index(kept_count++, row);
  }
  if (kept_count < count) output_.Slice(kept, kept_count);
  Batch out;
  out.rows = &output_;
  emitter_.Emit(out);
  output_.Reset();
  matched_.clear();
}

void TemporalJoin::TellWitness() const {
  for (idx_t row = 0; row < matched_.size(); row++) {
    if (!matched_[row]) continue;
    std::vector<duckdb::Value> version;
    for (idx_t c : sides_[1]->columns) version.push_back(output_.GetValue(c, row));
    witness_(plan_.sides[1].names, version);
  }
}

void TemporalJoin::FreeVersions(model::EventTime before) {
  while (!ends_.empty() && ends_.begin()->first <= before) {
    for (uint32_t slot : ends_.begin()->second) {
      std::vector<Version>& versions = versions_[slot];
      auto after =
          std::upper_bound(versions.begin(), versions.end(), before,
                           [](model::EventTime t, const Version& v) { return t < v.time; });
      if (after == versions.begin()) continue;
      auto first_kept = after - 1;  // valid from now on
      if (!first_kept->there) first_kept++;
      for (auto v = versions.begin(); v != first_kept; ++v) sides_[1]->rows.Remove(v->row);
      versions.erase(versions.begin(), first_kept);
      if (versions.empty() && keys_.Live(slot)) keys_.Erase(slot);
    }
    ends_.erase(ends_.begin());
  }
}

void TemporalJoin::Snapshot(state::StateWriter& writer) {
  for (int port : {0, 1}) sides_[port]->rows.Snapshot(writer, id(), kPrefix[port]);
}

void TemporalJoin::UpdateStateSize() {
  stats_.state_rows = static_cast<int64_t>(sides_[0]->rows.size() + sides_[1]->rows.size());
  stats_.state_bytes =
      static_cast<int64_t>(sides_[0]->rows.bytes() + sides_[1]->rows.bytes() + keys_.bytes());
}

OperatorDescription TemporalJoin::Describe() const {
  OperatorDescription description;
  description.name = "TemporalJoin";
  description.detail = fmt::format("{}, by {}, the version valid at \"{}\" by \"{}\"",
                                   plan_.keeps_left ? "left" : "inner", plan_.key_names,
                                   plan_.sides[0].time_name, plan_.sides[1].time_name);
  description.changelog = "append";
  description.state = "left rows that wait, and the versions that one of them may still need";
  description.freed_by = fmt::format("the frontiers of \"{}\" and \"{}\"", plan_.sides[0].time_name,
                                     plan_.sides[1].time_name);
  return description;
}

}  // namespace millrace::stream
