#include "stream/regular_join.h"

#include <fmt/format.h>

#include <algorithm>
#include <duckdb/common/error_data.hpp>
#include <duckdb/execution/expression_executor.hpp>
#include <numeric>

#include "base/strings.h"
#include "base/units.h"
#include "duck/functions.h"
#include "stream/columns.h"
#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::DataChunk;
using duckdb::idx_t;

namespace {

void InitializeIfAny(DataChunk& chunk, const duckdb::vector<duckdb::LogicalType>& types) {
  if (!types.empty()) chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
}

}  // namespace

const char* JoinKindName(JoinKind kind) {
  constexpr const char* kNames[] = {"inner", "left", "right", "full", "semi", "anti", "mark"};
  return kNames[static_cast<size_t>(kind)];
}

duckdb::vector<duckdb::LogicalType> RegularJoinPlan::Side::KeyTypes() const {
  return Pick(types, keys);
}
duckdb::vector<duckdb::LogicalType> RegularJoinPlan::Side::PayloadTypes() const {
  return Pick(types, payload);
}

duckdb::vector<duckdb::LogicalType> RegularJoinPlan::OutputTypes() const {
  duckdb::vector<duckdb::LogicalType> result = sides[0].PayloadTypes();
  if (kind == JoinKind::kMark) result.push_back(duckdb::LogicalType::BOOLEAN);
  if (kind == JoinKind::kSemi || kind == JoinKind::kAnti || kind == JoinKind::kMark) return result;
  duckdb::vector<duckdb::LogicalType> right = sides[1].PayloadTypes();
  result.insert(result.end(), right.begin(), right.end());
  return result;
}

bool RegularJoinPlan::Appends() const {
  bool monotonic = kind == JoinKind::kInner || kind == JoinKind::kSemi;
  return monotonic && !sides[0].retracts && !sides[1].retracts;
}

RegularJoin::Side::Side(const RegularJoinPlan::Side& plan, char prefix, JoinRows::Use use)
    : key_codec(plan.KeyTypes()), payload_codec(plan.PayloadTypes()), rows(prefix, use) {}

RegularJoin::RegularJoin(uint32_t id, RegularJoinPlan plan) : Operator(id), plan_(std::move(plan)) {
  JoinKind kind = plan_.kind;
  emits_pairs_ = kind == JoinKind::kInner || kind == JoinKind::kLeft || kind == JoinKind::kRight ||
                 kind == JoinKind::kFull;
  // Rows that grow too old leave their partners' counts alone, so these must be counted per row.
  counts_matches_ = kind != JoinKind::kInner && (!plan_.residual.empty() || plan_.ttl_us > 0);
  appends_ = plan_.Appends();
  idx_t first_column = 0;
  for (int port : {0, 1}) {
    const RegularJoinPlan::Side& input = plan_.sides[port];
    const bool shows_alone =
        kind == JoinKind::kFull || (port == 0 ? kind != JoinKind::kInner && kind != JoinKind::kRight
                                              : kind == JoinKind::kRight);
    // Without columns to keep, all rows of a key are one, with a weight.
    const bool added_only =
        !shows_alone && !input.retracts && plan_.ttl_us == 0 && !input.payload.empty();
    sides_[port] = std::make_unique<Side>(
        input, port == 0 ? 'l' : 'r', added_only ? JoinRows::Use::kAddedOnly : JoinRows::Use::kAny);
    Side& side = *sides_[port];
    side.shows_alone = shows_alone;
    side.looks_back = shows_alone || input.retracts;
    side.columns.resize(input.payload.size());
    std::iota(side.columns.begin(), side.columns.end(), first_column);
    first_column += side.columns.size();
    side.found_columns.resize(side.columns.size());
    std::iota(side.found_columns.begin(), side.found_columns.end(), 0);
  }
}
RegularJoin::~RegularJoin() = default;

Status RegularJoin::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  for (int port : {0, 1}) {
    duckdb::vector<duckdb::LogicalType> types = plan_.sides[port].PayloadTypes();
    pair_types_.insert(pair_types_.end(), types.begin(), types.end());
    InitializeIfAny(sides_[port]->found, types);
    InitializeIfAny(sides_[port]->alone, plan_.OutputTypes());
  }
  if (!plan_.residual.empty()) {
    residual_ = std::make_unique<duckdb::ExpressionExecutor>(*context.client);
    for (auto& e : plan_.residual) residual_->AddExpression(*e);
  }
  for (auto& side : sides_) {
    side->rows.Restore(
        state, id(), [&](std::string_view key) { return keys_.FindOrAdd(key).slot; },
        [&](JoinRowId row) {
          if (plan_.ttl_us > 0) side->by_age.emplace_back(side->rows[row].written_us, row);
        });
    std::stable_sort(side->by_age.begin(), side->by_age.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  for (int port : {0, 1}) {
    sides_[port]->key_matched.resize(keys_.slots());
    for (uint32_t key = 0; key < keys_.slots(); key++) {
      sides_[port]->key_matched[key] = sides_[1 - port]->rows.Weight(key) > 0;
    }
  }
  key_touched_.resize(keys_.slots());
  UpdateStateSize();
  return Status::Ok();
}

void RegularJoin::FindNullKeys(int port, DataChunk& rows) {
  Side& side = *sides_[port];
  side.null_key.assign(rows.size(), 0);
  for (size_t k = 0; k < plan_.nulls_match.size(); k++) {
    if (plan_.nulls_match[k]) continue;
    duckdb::UnifiedVectorFormat format;
    rows.data[plan_.sides[port].keys[k]].ToUnifiedFormat(rows.size(), format);
    if (format.validity.AllValid()) continue;
    for (idx_t row = 0; row < rows.size(); row++) {
      if (!format.validity.RowIsValid(format.sel->get_index(row))) side.null_key[row] = 1;
    }
  }
}

void RegularJoin::Process(int port, const Batch& batch) {
  stats_.rows_in += static_cast<int64_t>(batch.size());
  Side& side = *sides_[port];
  FindNullKeys(port, *batch.rows);
  side.key_codec.Bind(*batch.rows, plan_.sides[port].keys);
  side.payload_codec.Bind(*batch.rows, plan_.sides[port].payload);
  const bool probes = emits_pairs_ || counts_matches_;
  const int64_t now_us = plan_.ttl_us > 0 ? duck::EpochClockMicros(*context_.client) : 0;
  for (uint32_t row = 0; row < batch.size(); row++) {
    const int32_t weight = batch.weights ? batch.weights[row] : 1;
    std::string_view bytes = side.payload_codec.Encode(row);
    if (side.null_key[row]) {  // it has no partner, ever: nothing to remember
      if (!side.shows_alone || plan_.kind == JoinKind::kSemi) {
        stats_.rows_filtered++;
      } else {
        AddAlone(port, bytes, false, weight);
        stats_.rows_taken++;
      }
      continue;
    }
    const uint32_t key = keys_.FindOrAdd(side.key_codec.Encode(row)).slot;
    auto [own, added] = side.rows.FindOrAdd(key, bytes);
    side.rows.AddWeight(own, weight);
    stats_.rows_taken++;
    // With a time to live a row may be taken away that was forgotten: what it gave goes, it stays
    // away.
    if (plan_.ttl_us > 0 && side.rows[own].weight < 0) {
      side.rows.AddWeight(own, -side.rows[own].weight);
    }
    if (side.looks_back) Touch(port, own);
    if (plan_.ttl_us > 0 && side.rows[own].written_us != now_us) {
      side.rows[own].written_us = now_us;
      side.by_age.emplace_back(now_us, own);
    }
    if (sides_[1 - port]->shows_alone && !counts_matches_) {
      if (key >= key_touched_.size()) key_touched_.resize(key * size_t{2} + 16);
      if (!key_touched_[key]) touched_keys_.push_back(key);
      key_touched_[key] = 1;
    }
    if (probes) Probe(port, batch, row, key, added ? own : kNoJoinRow, weight);
  }
  FlushPairs(port, batch);
}

void RegularJoin::Probe(int port, const Batch& batch, uint32_t row, uint32_t key, JoinRowId added,
                        int32_t weight) {
  Side& other = *sides_[1 - port];
  for (JoinRowId id = other.rows.First(key); id != kNoJoinRow; id = other.rows.Next(id)) {
    if (other.rows.WeightOf(id) == 0 && !counts_matches_) continue;
    if (other.rows.added_only()) {  // they stay where they are
      other.payload_codec.DecodeInPlace(other.rows.Bytes(id), other.found, other.found_columns,
                                        pairs_.size());
    } else {
      other.payload_codec.Decode(other.rows.Bytes(id), other.found, other.found_columns,
                                 pairs_.size());
    }
    pairs_.push_back({row, added, id, weight});
    if (pairs_.size() == STANDARD_VECTOR_SIZE) FlushPairs(port, batch);
  }
}

void RegularJoin::FlushPairs(int port, const Batch& batch) {
  if (pairs_.empty()) return;
  duckdb::SelectionVector own_rows(pairs_.size());
  for (size_t i = 0; i < pairs_.size(); i++) own_rows.set_index(i, pairs_[i].batch_row);
  DataChunk pairs;
  pairs.InitializeEmpty(pair_types_);
  const std::vector<idx_t>& payload = plan_.sides[port].payload;
  for (size_t c = 0; c < payload.size(); c++) {
    pairs.data[sides_[port]->columns[c]].Slice(batch.rows->data[payload[c]], own_rows,
                                               pairs_.size());
  }
  Side& other = *sides_[1 - port];
  for (size_t c = 0; c < other.columns.size(); c++) {
    pairs.data[other.columns[c]].Reference(other.found.data[c]);
  }
  pairs.SetCardinality(pairs_.size());
  kept_.resize(pairs_.size());
  std::iota(kept_.begin(), kept_.end(), 0);
  if (residual_) CheckResidual(pairs);
  if (counts_matches_) CountMatches(port);
  if (emits_pairs_) EmitPairs(port, pairs);
  pairs_.clear();
  other.found.Reset();
}

void RegularJoin::CheckResidual(DataChunk& pairs) {
  try {
    for (idx_t e = 0; e < plan_.residual.size() && !kept_.empty(); e++) {
      duckdb::Vector condition(duckdb::LogicalType::BOOLEAN);
      residual_->SetChunk(&pairs);
      residual_->ExecuteExpression(e, condition);
      duckdb::UnifiedVectorFormat format;
      condition.ToUnifiedFormat(pairs.size(), format);
      const bool* values = reinterpret_cast<const bool*>(format.data);
      std::erase_if(kept_, [&](uint32_t pair) {
        idx_t at = format.sel->get_index(pair);
        return !format.validity.RowIsValid(at) || !values[at];
      });
    }
  } catch (const std::exception&) {
    CheckResidualOneByOne(pairs);
  }
}

// A pair on which a condition fails (a cast, an overflow) goes to the dead letters.
void RegularJoin::CheckResidualOneByOne(DataChunk& pairs) {
  kept_.clear();
  duckdb::SelectionVector one(1);
  for (uint32_t pair = 0; pair < pairs.size(); pair++) {
    one.set_index(0, pair);
    DataChunk single;
    single.InitializeEmpty(pair_types_);
    single.Slice(pairs, one, 1);
    single.SetCardinality(1);
    single.Flatten();
    try {
      bool all = true;
      for (idx_t e = 0; e < plan_.residual.size() && all; e++) {
        duckdb::Vector condition(duckdb::LogicalType::BOOLEAN);
        residual_->SetChunk(&single);
        residual_->ExecuteExpression(e, condition);
        duckdb::Value value = condition.GetValue(0);
        all = !value.IsNull() && value.GetValue<bool>();
      }
      if (all) kept_.push_back(pair);
    } catch (const std::exception& e) {
      stats_.rows_failed++;
      stats_.rows_failed_taken++;
      model::DeadLetter letter;
      letter.stage = "join";
      letter.job = context_.job;
      letter.kind = model::RowErrorKind::kType;
      letter.reason = duckdb::ErrorData(e).RawMessage();
      letter.payload = RowText(single, 0);
      context_.dead_letters->Add(std::move(letter));
    }
  }
}

void RegularJoin::CountMatches(int port) {
  Side& own = *sides_[port];
  Side& other = *sides_[1 - port];
  for (uint32_t kept : kept_) {
    const Pair& pair = pairs_[kept];
    // A row that was here before has counted its partners already.
    if (own.shows_alone && pair.added != kNoJoinRow) {
      own.rows[pair.added].matches += other.rows.WeightOf(pair.found);
    }
    if (!other.shows_alone) continue;
    other.rows[pair.found].matches += pair.weight;
    other.rows.MarkChanged(pair.found);
    Touch(1 - port, pair.found);
  }
}

void RegularJoin::EmitPairs(int port, DataChunk& pairs) {
  JoinRows& other = sides_[1 - port]->rows;
  duckdb::SelectionVector rows(STANDARD_VECTOR_SIZE);
  idx_t count = 0;
  weights_.clear();
  auto flush = [&]() {
    if (count == 0) return;
    DataChunk out;
    out.InitializeEmpty(pair_types_);
    out.Slice(pairs, rows, count);
    out.SetCardinality(count);
    Batch batch;
    batch.rows = &out;
    batch.weights = appends_ ? nullptr : weights_.data();
    emitter_.Emit(batch);
    count = 0;
    weights_.clear();
  };
  for (uint32_t kept : kept_) {
    const Pair& pair = pairs_[kept];
    int64_t weight = int64_t{pair.weight} * other.WeightOf(pair.found);
    for (int64_t copy = 0; copy < std::abs(weight); copy++) {
      rows.set_index(count++, kept);
      weights_.push_back(weight > 0 ? 1 : -1);
      if (count == STANDARD_VECTOR_SIZE) flush();
    }
  }
  flush();
}

void RegularJoin::Touch(int port, JoinRowId row) {
  JoinRows::Row& touched = sides_[port]->rows[row];
  if (touched.touched) return;
  touched.touched = true;
  sides_[port]->touched.push_back(row);
}

// Without a residual all rows of a key gain their first partner, or lose the last, together.
void RegularJoin::TouchKeysThatTurned() {
  for (uint32_t key : touched_keys_) {
    key_touched_[key] = 0;
    for (int port : {0, 1}) {
      Side& side = *sides_[port];
      if (!side.shows_alone) continue;
      const bool matched = sides_[1 - port]->rows.Weight(key) > 0;
      if (key >= side.key_matched.size()) side.key_matched.resize(key * size_t{2} + 16);
      if (side.key_matched[key] == matched) continue;
      side.key_matched[key] = matched;
      for (JoinRowId id = side.rows.First(key); id != kNoJoinRow; id = side.rows.Next(id)) {
        Touch(port, id);
      }
    }
  }
  touched_keys_.clear();
}

void RegularJoin::OnEpochEnd() {
  TouchKeysThatTurned();
  for (int port : {0, 1}) {
    Side& side = *sides_[port];
    if (side.shows_alone) {
      for (JoinRowId row : side.touched) ShowAlone(port, row);
    }
    FlushAlone(port);
  }
  for (int port : {0, 1}) {
    Side& side = *sides_[port];
    for (JoinRowId row : side.touched) {
      side.rows[row].touched = false;
      if (side.rows[row].weight == 0) FreeRow(port, row);
    }
    side.touched.clear();
  }
  if (plan_.ttl_us > 0) FreeOldRows();
  UpdateStateSize();
}

void RegularJoin::ShowAlone(int port, JoinRowId id) {
  Side& side = *sides_[port];
  JoinRows::Row& row = side.rows[id];
  const bool matched =
      counts_matches_ ? row.matches > 0 : sides_[1 - port]->rows.Weight(side.rows.KeyOf(id)) > 0;
  const bool marks = plan_.kind == JoinKind::kMark;
  const bool shows = marks || matched == (plan_.kind == JoinKind::kSemi);
  const int32_t wanted = shows ? row.weight : 0;
  const bool mark = marks && matched;
  if (mark != row.shown_mark) {
    AddAlone(port, side.rows.Bytes(id), row.shown_mark, -int64_t{row.shown});
    row.shown = 0;
    row.shown_mark = mark;
    side.rows.MarkChanged(id);
  }
  if (wanted == row.shown) return;
  AddAlone(port, side.rows.Bytes(id), mark, int64_t{wanted} - row.shown);
  row.shown = wanted;
  side.rows.MarkChanged(id);
}

void RegularJoin::AddAlone(int port, std::string_view bytes, bool mark, int64_t count) {
  Side& side = *sides_[port];
  for (int64_t copy = 0; copy < std::abs(count); copy++) {
    const size_t row = side.alone_weights.size();
    side.payload_codec.Decode(bytes, side.alone, side.columns, row);
    if (plan_.kind == JoinKind::kMark) {
      duckdb::FlatVector::GetData<bool>(side.alone.data.back())[row] = mark;
    }
    side.alone_weights.push_back(count > 0 ? 1 : -1);
    if (side.alone_weights.size() == STANDARD_VECTOR_SIZE) FlushAlone(port);
  }
}

void RegularJoin::FlushAlone(int port) {
  Side& side = *sides_[port];
  if (side.alone_weights.empty()) return;
  if (emits_pairs_) {
    for (idx_t c : sides_[1 - port]->columns) {
      side.alone.data[c].SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
      duckdb::ConstantVector::SetNull(side.alone.data[c], true);
    }
  }
  side.alone.SetCardinality(side.alone_weights.size());
  Batch out;
  out.rows = &side.alone;
  out.weights = appends_ ? nullptr : side.alone_weights.data();
  emitter_.Emit(out);
  side.alone.Reset();
  side.alone_weights.clear();
}

void RegularJoin::FreeRow(int port, JoinRowId row) {
  const uint32_t key = sides_[port]->rows.KeyOf(row);
  sides_[port]->rows.Erase(row);
  for (auto& side : sides_) {
    if (side->rows.First(key) != kNoJoinRow) return;
  }
  keys_.Erase(key);
  for (auto& side : sides_) {
    if (key < side->key_matched.size()) side->key_matched[key] = 0;
  }
}

void RegularJoin::FreeOldRows() {
  const int64_t now_us = duck::EpochClockMicros(*context_.client);
  for (int port : {0, 1}) {
    Side& side = *sides_[port];
    while (!side.by_age.empty() && side.by_age.front().first <= now_us - plan_.ttl_us) {
      auto [written_us, row] = side.by_age.front();
      side.by_age.pop_front();
      // A row that came again since has a younger entry; a freed one has another time.
      if (side.rows[row].written_us == written_us) FreeRow(port, row);
    }
  }
}

void RegularJoin::Snapshot(state::StateWriter& writer) {
  for (auto& side : sides_) side->rows.Snapshot(writer, id(), keys_);
}

void RegularJoin::UpdateStateSize() {
  stats_.state_rows = 0;
  stats_.state_bytes = static_cast<int64_t>(keys_.bytes());
  for (const auto& side : sides_) {
    stats_.state_rows += static_cast<int64_t>(side->rows.size());
    stats_.state_bytes += static_cast<int64_t>(side->rows.bytes());
  }
}

OperatorDescription RegularJoin::Describe() const {
  OperatorDescription description;
  description.name = "RegularJoin";
  description.detail = fmt::format("{} on {}", JoinKindName(plan_.kind),
                                   plan_.on.empty() ? "nothing: every pair of rows" : plan_.on);
  for (int port : {0, 1}) {
    description.detail +=
        fmt::format("; {} keeps {} of {} columns", port == 0 ? "left" : "right",
                    plan_.sides[port].payload.size(), plan_.sides[port].types.size());
  }
  description.changelog = appends_ ? "append" : "retract";
  description.state = "every row of both sides";
  description.freed_by =
      plan_.ttl_us > 0 ? fmt::format("\"table.exec.state.ttl\": rows not written for {}",
                                     FormatDurationMicros(plan_.ttl_us))
                       : "nothing but retraction: it grows with the input, unless SET "
                         "'table.exec.state.ttl' = '…' bounds it, or a condition on time does";
  return description;
}

}  // namespace millrace::stream
