#include "stream/interval_join.h"

#include <fmt/format.h>

#include <cstring>
#include <duckdb/execution/expression_executor.hpp>
#include <numeric>

#include "base/strings.h"
#include "base/units.h"

#include "state/entry_bytes.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

std::string BucketPrefix(int port, int64_t bucket) {
  uint64_t ordered = static_cast<uint64_t>(bucket) ^ (1ULL << 63);
  std::string key(1, port == 0 ? 'l' : 'r');
  for (size_t i = 0; i < 8; i++) key += static_cast<char>(ordered >> (56 - 8 * i));
  return key;
}

duckdb::vector<duckdb::LogicalType> KeyTypes(const IntervalJoinPlan::Side& side) {
  duckdb::vector<duckdb::LogicalType> types;
  for (idx_t c : side.keys) types.push_back(side.types[c]);
  return types;
}

std::vector<idx_t> Range(size_t first, size_t count) {
  std::vector<idx_t> columns(count);
  std::iota(columns.begin(), columns.end(), first);
  return columns;
}

bool HasNull(duckdb::DataChunk& rows, const std::vector<idx_t>& columns, uint32_t row) {
  for (idx_t c : columns) {
    duckdb::UnifiedVectorFormat format;
    rows.data[c].ToUnifiedFormat(rows.size(), format);
    if (!format.validity.RowIsValid(format.sel->get_index(row))) return true;
  }
  return false;
}

}  // namespace

IntervalJoin::Side::Side(const IntervalJoinPlan::Side& plan)
    : key_codec(KeyTypes(plan)), row_codec(plan.types), late(plan.frontier, "join") {}

IntervalJoin::IntervalJoin(uint32_t id, IntervalJoinPlan plan)
    : Operator(id), plan_(std::move(plan)) {
  bucket_us_ = std::max<int64_t>(1'000'000, (plan_.upper_us - plan_.lower_us) / 32);
  for (int port : {0, 1}) sides_[port] = std::make_unique<Side>(plan_.sides[port]);
  columns_[0] = Range(0, plan_.sides[0].types.size());
  columns_[1] = Range(plan_.sides[0].types.size(), plan_.sides[1].types.size());
}
IntervalJoin::~IntervalJoin() = default;

Status IntervalJoin::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  duckdb::vector<duckdb::LogicalType> types = plan_.sides[0].types;
  types.insert(types.end(), plan_.sides[1].types.begin(), plan_.sides[1].types.end());
  pairs_.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  if (plan_.emits != IntervalJoinPlan::Emits::kPairs) types.resize(plan_.sides[0].types.size());
  for (auto& side : sides_) side->alone.Initialize(duckdb::Allocator::DefaultAllocator(), types);
  if (!plan_.residual.empty()) {
    residual_ = std::make_unique<JoinConditions>(plan_.residual, context, "join");
  }
  Restore(state);
  return Status::Ok();
}

int64_t IntervalJoin::BucketOf(int64_t time) const {
  int64_t quotient = time / bucket_us_;
  return time % bucket_us_ < 0 ? quotient - 1 : quotient;
}

void IntervalJoin::Process(int port, const Batch& batch) {
  stats_.rows_in += static_cast<int64_t>(batch.size());
  const IntervalJoinPlan::Side& plan = plan_.sides[port];
  Side& side = *sides_[port];
  duckdb::UnifiedVectorFormat times;
  batch.rows->data[plan.time].ToUnifiedFormat(batch.size(), times);
  side.key_codec.Bind(*batch.rows, plan.keys);
  std::vector<idx_t> all = Range(0, plan.types.size());
  side.row_codec.Bind(*batch.rows, all);
  LateCandidates candidates(batch);
  for (uint32_t row = 0; row < batch.size(); row++) {
    idx_t at = times.sel->get_index(row);
    bool no_time = !times.validity.RowIsValid(at);
    int64_t time = no_time ? 0 : reinterpret_cast<const int64_t*>(times.data)[at];
    // Only a row's own side makes it late: its partners wait for this side's frontier, not theirs.
    const LateCandidate* late = no_time ? nullptr : candidates.Of(row);
    if (late && time < side.late.ClosedFor(late)) {
      stats_.rows_late++;
      side.late.Bury(batch, row, late, context_,
                     fmt::format("late: \"{}\" is behind the watermark", plan.time_name));
      continue;
    }
    // NULL equals nothing: such a row can only come out alone, and at once.
    bool never_matches = no_time || HasNull(*batch.rows, plan.keys, row);
    if (never_matches && !plan.keeps_unmatched) {
      stats_.rows_filtered++;
      continue;
    }
    std::string key(side.key_codec.Encode(row));
    uint32_t slot = side.keys.FindOrAdd(key).slot;
    RowId self = Store(port, side.row_codec.Encode(row), time, slot);
    stats_.rows_taken++;
    if (!never_matches) Probe(port, time, key, self);
  }
  FlushPairs();
}

IntervalJoin::RowId IntervalJoin::Store(int port, std::string_view bytes, int64_t time,
                                        uint32_t slot) {
  Side& side = *sides_[port];
  RowId id{BucketOf(time), 0};
  Bucket& bucket = side.buckets[id.bucket];
  id.index = static_cast<uint32_t>(bucket.rows.size());
  const auto* copy =
      bucket.arena.Copy(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  bucket.rows.push_back({{reinterpret_cast<const char*>(copy), bytes.size()}, time, false, true});
  bucket.slots.push_back(slot);
  bucket.changed = true;
  if (slot >= side.rows_of_key.size()) side.rows_of_key.resize(slot + 1);
  side.rows_of_key[slot].push_back(id);
  return id;
}

void IntervalJoin::Probe(int port, int64_t time, std::string_view key, RowId self) {
  Side& other = *sides_[1 - port];
  int64_t slot = other.keys.Find(key);
  if (slot < 0 || static_cast<size_t>(slot) >= other.rows_of_key.size()) return;
  std::string_view own_bytes = sides_[port]->buckets[self.bucket].rows[self.index].bytes;
  for (const RowId& id : other.rows_of_key[static_cast<size_t>(slot)]) {
    const StoredRow& partner = other.buckets.find(id.bucket)->second.rows[id.index];
    int64_t distance = port == 0 ? partner.time - time : time - partner.time;
    if (distance < plan_.lower_us || distance > plan_.upper_us) continue;
    AddPair(port, own_bytes, self, id);
  }
}

void IntervalJoin::AddPair(int port, std::string_view own_bytes, RowId own, RowId other) {
  const StoredRow& partner = sides_[1 - port]->buckets.find(other.bucket)->second.rows[other.index];
  idx_t row = pair_rows_.size();
  sides_[port]->row_codec.Decode(own_bytes, pairs_, columns_[port], row);
  sides_[1 - port]->row_codec.Decode(partner.bytes, pairs_, columns_[1 - port], row);
  pair_rows_.push_back(port == 0 ? PairRows{own, other} : PairRows{other, own});
  if (pair_rows_.size() == STANDARD_VECTOR_SIZE) FlushPairs();
}

void IntervalJoin::FlushPairs() {
  if (pair_rows_.empty()) return;
  pairs_.SetCardinality(pair_rows_.size());
  duckdb::SelectionVector kept(STANDARD_VECTOR_SIZE);
  idx_t count = pair_rows_.size();
  for (idx_t i = 0; i < count; i++) kept.set_index(i, i);
  if (residual_) {
    using Outcome = JoinConditions::Outcome;
    const int64_t failed_before = stats_.rows_failed;
    const std::vector<Outcome>& outcomes = residual_->Check(pairs_, stats_.rows_failed);
    stats_.rows_failed_taken += stats_.rows_failed - failed_before;
    count = 0;
    for (idx_t i = 0; i < outcomes.size(); i++) {
      if (outcomes[i] == Outcome::kTrue) kept.set_index(count++, i);
      // In the dead letters with its pair, a row is not shown alone as well.
      if (outcomes[i] == Outcome::kFailed) MarkMatched(pair_rows_[i], false);
    }
  }
  for (idx_t i = 0; i < count; i++) MarkMatched(pair_rows_[kept.get_index(i)], true);
  FlushAlone(0);
  if (count > 0 && plan_.emits == IntervalJoinPlan::Emits::kPairs) {
    duckdb::DataChunk out;
    out.InitializeEmpty(pairs_.GetTypes());
    out.Slice(pairs_, kept, count);
    out.SetCardinality(count);
    Batch batch;
    batch.rows = &out;
    emitter_.Emit(batch);
  }
  pair_rows_.clear();
  pairs_.Reset();
}

void IntervalJoin::MarkMatched(const PairRows& pair, bool holds) {
  for (int port : {0, 1}) {
    const bool semi = holds && port == 0 && plan_.emits == IntervalJoinPlan::Emits::kLeftMatched;
    if (!plan_.sides[port].keeps_unmatched && !semi) continue;
    const RowId& id = port == 0 ? pair.left : pair.right;
    Bucket& bucket = sides_[port]->buckets[id.bucket];
    StoredRow& stored = bucket.rows[id.index];
    if (stored.matched) continue;
    stored.matched = stored.changed = bucket.changed = true;
    if (semi) AddAlone(port, stored.bytes);
  }
}

void IntervalJoin::OnWatermark(const Frontiers& frontiers) {
  FlushPairs();
  model::EventTime left = plan_.sides[0].frontier.At(frontiers);
  model::EventTime right = plan_.sides[1].frontier.At(frontiers);
  auto minus = [](model::EventTime frontier, int64_t us) {
    return frontier <= model::kTimeMin || frontier >= model::kTimeMax ? frontier : frontier - us;
  };
  // A left row at t can still find partners in [t + lower, t + upper]: it waits while the right
  // frontier is not past t + upper. A right row waits for left rows in [t - upper, t - lower].
  model::EventTime before[2] = {minus(right, plan_.upper_us), minus(left, -plan_.lower_us)};
  for (int port : {0, 1}) {
    if (before[port] <= model::kTimeMin) continue;
    if (plan_.sides[port].keeps_unmatched) EmitExpired(port, before[port]);
    FreeBuckets(port, before[port]);
  }
  UpdateStateSize();
}

void IntervalJoin::AddAlone(int port, std::string_view bytes) {
  Side& side = *sides_[port];
  side.row_codec.Decode(bytes, side.alone, columns_[port], side.alone_rows++);
  if (side.alone_rows == STANDARD_VECTOR_SIZE) FlushAlone(port);
}

void IntervalJoin::FlushAlone(int port) {
  Side& side = *sides_[port];
  if (side.alone_rows == 0) return;
  if (plan_.emits == IntervalJoinPlan::Emits::kPairs) {
    for (idx_t c : columns_[1 - port]) {
      side.alone.data[c].SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
      duckdb::ConstantVector::SetNull(side.alone.data[c], true);
    }
  }
  side.alone.SetCardinality(side.alone_rows);
  Batch out;
  out.rows = &side.alone;
  emitter_.Emit(out);
  side.alone.Reset();
  side.alone_rows = 0;
}

void IntervalJoin::EmitExpired(int port, model::EventTime before) {
  for (auto& [number, bucket] : sides_[port]->buckets) {
    if (before < model::kTimeMax && number > BucketOf(before)) break;
    for (StoredRow& row : bucket.rows) {
      if (row.matched || row.time >= before) continue;
      AddAlone(port, row.bytes);
      row.matched = row.changed = bucket.changed = true;  // done with
    }
  }
  FlushAlone(port);
}

void IntervalJoin::FreeBuckets(int port, model::EventTime before) {
  Side& side = *sides_[port];
  while (!side.buckets.empty()) {
    auto first = side.buckets.begin();
    bool over = before >= model::kTimeMax || first->first < BucketOf(before);
    if (!over) break;
    for (uint32_t slot : first->second.slots) {
      std::vector<RowId>& rows = side.rows_of_key[slot];
      std::erase_if(rows, [&](const RowId& id) { return id.bucket == first->first; });
      if (rows.empty() && side.keys.Live(slot)) side.keys.Erase(slot);
    }
    if (first->second.stored) side.freed.push_back(first->first);
    side.buckets.erase(first);
  }
}

void IntervalJoin::Snapshot(state::StateWriter& writer) {
  std::string key;
  std::string value;
  for (int port : {0, 1}) {
    Side& side = *sides_[port];
    for (int64_t number : side.freed) writer.DeletePrefix(id(), BucketPrefix(port, number));
    side.freed.clear();
    for (auto& [number, bucket] : side.buckets) {
      if (!bucket.changed) continue;
      std::string prefix = BucketPrefix(port, number);
      for (uint32_t i = 0; i < bucket.rows.size(); i++) {
        StoredRow& row = bucket.rows[i];
        if (!row.changed) continue;
        row.changed = false;
        key = prefix;
        state::PutBigEndian(key, i, 4);
        std::string_view group = side.keys.Key(bucket.slots[i]);
        auto group_bytes = static_cast<uint32_t>(group.size());
        value.assign(1, row.matched ? '\1' : '\0');
        value.append(reinterpret_cast<const char*>(&row.time), sizeof row.time);
        value.append(reinterpret_cast<const char*>(&group_bytes), sizeof group_bytes);
        value.append(group);
        value.append(row.bytes);
        writer.Put(id(), key, value);
      }
      bucket.changed = false;
      bucket.stored = true;
    }
  }
}

void IntervalJoin::Restore(const state::StateReader& state) {
  for (int port : {0, 1}) {
    Side& side = *sides_[port];
    state.Scan(id(), port == 0 ? "l" : "r", [&](std::string_view, std::string_view value) {
      bool matched = value[0] != 0;
      int64_t time = 0;
      uint32_t group_bytes = 0;
      std::memcpy(&time, value.data() + 1, sizeof time);
      std::memcpy(&group_bytes, value.data() + 9, sizeof group_bytes);
      uint32_t slot = side.keys.FindOrAdd(value.substr(13, group_bytes)).slot;
      RowId row = Store(port, value.substr(13 + group_bytes), time, slot);
      Bucket& bucket = side.buckets[row.bucket];
      bucket.rows[row.index].matched = matched;
      bucket.rows[row.index].changed = bucket.changed = false;
      bucket.stored = true;
    });
  }
  UpdateStateSize();
}

void IntervalJoin::UpdateStateSize() {
  stats_.state_rows = 0;
  stats_.state_bytes = 0;
  for (const auto& side : sides_) {
    stats_.state_bytes += static_cast<int64_t>(side->keys.bytes());
    for (const auto& [number, bucket] : side->buckets) {
      stats_.state_rows += static_cast<int64_t>(bucket.rows.size());
      stats_.state_bytes +=
          static_cast<int64_t>(bucket.arena.bytes() + bucket.rows.capacity() * sizeof(StoredRow));
    }
  }
}

OperatorDescription IntervalJoin::Describe() const {
  OperatorDescription description;
  const auto& left = plan_.sides[0];
  const auto& right = plan_.sides[1];
  const char* kind = plan_.emits == IntervalJoinPlan::Emits::kLeftMatched     ? "semi"
                     : plan_.emits == IntervalJoinPlan::Emits::kLeftUnmatched ? "anti"
                     : left.keeps_unmatched ? (right.keeps_unmatched ? "full" : "left")
                                            : (right.keeps_unmatched ? "right" : "inner");
  description.name = "IntervalJoin";
  description.detail = fmt::format(
      "{}, {} key column{}, {} between {} - {} and {} + {}", kind, left.keys.size(),
      left.keys.size() == 1 ? "" : "s", right.time_name, left.time_name,
      FormatDurationMicros(-plan_.lower_us), left.time_name, FormatDurationMicros(plan_.upper_us));
  description.changelog = "append";
  description.state = "rows of both sides that can still find a partner";
  description.freed_by =
      fmt::format("the frontiers of \"{}\" and \"{}\"", left.time_name, right.time_name);
  return description;
}

}  // namespace millrace::stream
