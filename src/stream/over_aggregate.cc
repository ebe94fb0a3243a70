#include "stream/over_aggregate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <duckdb/common/types/timestamp.hpp>
#include <numeric>

#include "base/strings.h"
#include "base/units.h"
#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kRowPrefix = "r";
constexpr size_t kRowsAtOnce = 16 * 1024;

struct RecordHeader {
  int64_t time = 0;
  uint64_t arrival = 0;
  uint32_t slot = 0;
  uint32_t unused = 0;
};

RecordHeader HeaderOf(std::string_view record) {
  RecordHeader header;
  std::memcpy(&header, record.data(), sizeof header);
  return header;
}
std::string_view RowOf(std::string_view record) {
  return record.substr(sizeof(RecordHeader));
}

bool HasCall(const OverPlan& plan, OverPlan::Result result) {
  return std::any_of(plan.calls.begin(), plan.calls.end(),
                     [&](const OverPlan::Call& call) { return call.result == result; });
}

duckdb::vector<duckdb::LogicalType> ResultTypes(const OverPlan& plan) {
  duckdb::vector<duckdb::LogicalType> types;
  for (const OverPlan::Call& call : plan.calls) types.push_back(call.type);
  return types;
}

}  // namespace

OverAggregate::OverAggregate(uint32_t id, OverPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      keeps_frame_(plan_.frame != OverPlan::Frame::kUnbounded ||
                   HasCall(plan_, OverPlan::Result::kFirstValue)),
      keeps_first_only_(plan_.frame == OverPlan::Frame::kUnbounded),
      all_columns_(FirstColumns(plan_.types.size())),
      key_codec_(Pick(plan_.types, plan_.keys)),
      row_codec_(plan_.types),
      late_(plan_.frontier, "over"),
      groups_(plan_.aggregates, "") {}

duckdb::vector<duckdb::LogicalType> OverAggregate::OutputTypes() const {
  duckdb::vector<duckdb::LogicalType> types = plan_.types;
  for (const OverPlan::Call& call : plan_.calls) types.push_back(call.type);
  return types;
}

Status OverAggregate::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  evicted_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  first_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  late_.Restore(state, id());
  groups_.Restore(state, id());
  std::vector<Waiting> in_frames;
  rows_.Restore(state, id(), kRowPrefix, [&](uint32_t row, std::string_view record) {
    RecordHeader header = HeaderOf(record);
    next_arrival_ = std::max(next_arrival_, header.arrival + 1);
    Waiting found{header.time, header.arrival, header.slot, row};
    if (header.time < late_.closed_before()) {
      in_frames.push_back(found);
      return;
    }
    PartitionOf(header.slot).waiting++;
    waiting_.push_back(found);
  });
  std::make_heap(waiting_.begin(), waiting_.end(), std::greater<>());
  std::sort(in_frames.begin(), in_frames.end(),
            [](const Waiting& a, const Waiting& b) { return b > a; });
  for (const Waiting& row : in_frames) {
    PartitionOf(row.slot).frame.Push({row.time, row.row});
    if (plan_.frame == OverPlan::Frame::kRange) expiry_.emplace_back(row.time, row.slot);
  }
  UpdateStateSize();
  return Status::Ok();
}

OverAggregate::Partition& OverAggregate::PartitionOf(uint32_t slot) {
  if (slot >= partitions_.size()) partitions_.resize(slot + slot / 2 + 16);
  return partitions_[slot];
}

void OverAggregate::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  duckdb::UnifiedVectorFormat format;
  batch.rows->data[plan_.time].ToUnifiedFormat(batch.size(), format);
  std::vector<int64_t> times;
  for (idx_t row = 0; row < batch.size(); row++) {
    idx_t at = format.sel->get_index(row);
    bool valid = format.validity.RowIsValid(at);
    times.push_back(valid ? reinterpret_cast<const int64_t*>(format.data)[at] : model::kTimeMin);
  }
  std::vector<uint8_t> is_late(batch.size(), 0);
  stats_.rows_late += late_.SetAside(
      batch, times.data(), context_,
      [&](int64_t time) {
        return fmt::format("late: \"{}\" {} is behind the watermark", plan_.names[plan_.time],
                           duckdb::Timestamp::ToString(duckdb::timestamp_t(time)));
      },
      is_late);
  key_codec_.Bind(*batch.rows, plan_.keys);
  row_codec_.Bind(*batch.rows, all_columns_);
  for (idx_t row = 0; row < batch.size(); row++) {
    if (is_late[row]) continue;
    uint32_t slot = groups_.FindOrAdd(key_codec_.Encode(row)).slot;
    PartitionOf(slot).waiting++;
    RecordHeader header{times[row], next_arrival_++, slot, 0};
    record_.assign(reinterpret_cast<const char*>(&header), sizeof header);
    record_.append(row_codec_.Encode(row));
    waiting_.push_back({header.time, header.arrival, slot, rows_.Add(record_)});
    std::push_heap(waiting_.begin(), waiting_.end(), std::greater<>());
    stats_.rows_taken++;
  }
}

void OverAggregate::OnWatermark(const Frontiers& frontiers) {
  late_.Advance(frontiers);
  std::vector<Waiting> rows;
  for (Pop(rows); !rows.empty(); Pop(rows)) {
    if (plan_.peers_together) {
      std::stable_sort(rows.begin(), rows.end(), [](const Waiting& a, const Waiting& b) {
        return a.time != b.time ? a.time < b.time : a.slot < b.slot;
      });
    }
    WorkOff(rows);
  }
  Expire();
  UpdateStateSize();
}

// The next rows that are final, by time; rows of equal time stay together.
void OverAggregate::Pop(std::vector<Waiting>& rows) {
  rows.clear();
  while (!waiting_.empty() && waiting_.front().time < late_.closed_before()) {
    if (rows.size() >= kRowsAtOnce && rows.back().time != waiting_.front().time) return;
    std::pop_heap(waiting_.begin(), waiting_.end(), std::greater<>());
    rows.push_back(waiting_.back());
    waiting_.pop_back();
  }
}

void OverAggregate::Reserve(size_t rows) {
  if (rows > capacity_) {
    capacity_ = std::max<size_t>(rows + rows / 2, STANDARD_VECTOR_SIZE);
    auto& allocator = duckdb::Allocator::DefaultAllocator();
    for (duckdb::DataChunk* chunk : {&fresh_, &results_, &round_results_}) chunk->Destroy();
    fresh_.Initialize(allocator, plan_.types, capacity_);
    results_.Initialize(allocator, ResultTypes(plan_), capacity_);
    round_results_.Initialize(allocator, ResultTypes(plan_), capacity_);
  }
  fresh_.Reset();
  results_.Reset();
}

void OverAggregate::WorkOff(const std::vector<Waiting>& rows) {
  Reserve(rows.size());
  std::vector<Unit> units;
  for (uint32_t i = 0; i < rows.size(); i++) {
    row_codec_.Decode(RowOf(rows_.At(rows[i].row)), fresh_, all_columns_, i);
    Partition& partition = partitions_[rows[i].slot];
    partition.waiting--;
    bool peer = plan_.peers_together && i > 0 && rows[i].slot == rows[i - 1].slot &&
                rows[i].time == rows[i - 1].time;
    if (!peer) units.push_back({rows[i].slot, partition.units++, i, 0});
    units.back().count++;
  }
  fresh_.SetCardinality(rows.size());
  std::stable_sort(units.begin(), units.end(),
                   [](const Unit& a, const Unit& b) { return a.round < b.round; });
  std::vector<uint32_t> result_of_row(rows.size());
  for (size_t begin = 0; begin < units.size();) {
    size_t end = begin;
    for (; end < units.size() && units[end].round == units[begin].round; end++) {
      for (uint32_t i = 0; i < units[end].count; i++) {
        result_of_row[units[end].first + i] = static_cast<uint32_t>(end);
      }
    }
    RunRound(rows, units, begin, end);
    begin = end;
  }
  EmitRows(rows.size(), result_of_row);
  for (const Unit& unit : units) {
    partitions_[unit.slot].units = 0;
    groups_.Touch(unit.slot);
  }
  if (keeps_frame_) return;
  for (const Waiting& row : rows) rows_.Remove(row.row);
}

void OverAggregate::RunRound(const std::vector<Waiting>& rows, const std::vector<Unit>& units,
                             size_t begin, size_t end) {
  slots_.clear();
  fresh_rows_.clear();
  for (size_t u = begin; u < end; u++) {
    for (uint32_t i = units[u].first; i < units[u].first + units[u].count; i++) {
      fresh_rows_.push_back(i);
      slots_.push_back(units[u].slot);
      if (keeps_frame_) AddToFrame(rows[i]);
    }
  }
  groups_.Update({&fresh_, fresh_rows_.data(), slots_.data(), nullptr,
                  static_cast<uint32_t>(fresh_rows_.size())});
  if (plan_.frame != OverPlan::Frame::kUnbounded) {
    for (size_t u = begin; u < end; u++) {
      Partition& partition = partitions_[units[u].slot];
      int64_t time = rows[units[u].first].time;
      auto left = [&] {
        return plan_.frame == OverPlan::Frame::kRows
                   ? static_cast<int64_t>(partition.frame.size()) > plan_.preceding + 1
                   : partition.frame.front().time < time - plan_.preceding;
      };
      while (left()) Evict(units[u].slot);
    }
    FlushEvicted();
  }
  FillResults(units, begin, end);
}

void OverAggregate::AddToFrame(const Waiting& row) {
  Frame& frame = partitions_[row.slot].frame;
  if (keeps_first_only_ && !frame.empty()) {
    rows_.Remove(row.row);
    return;
  }
  frame.Push({row.time, row.row});
  if (plan_.frame == OverPlan::Frame::kRange) expiry_.emplace_back(row.time, row.slot);
}

// Takes the first row out of a partition's frame.
void OverAggregate::Evict(uint32_t slot) {
  if (evicted_slots_.size() == STANDARD_VECTOR_SIZE) FlushEvicted();
  if (evicted_slots_.empty()) evicted_.Reset();
  uint32_t row = partitions_[slot].frame.front().row;
  partitions_[slot].frame.Pop();
  row_codec_.Decode(RowOf(rows_.At(row)), evicted_, all_columns_, evicted_slots_.size());
  rows_.Remove(row);
  evicted_slots_.push_back(slot);
}

void OverAggregate::FlushEvicted() {
  if (evicted_slots_.empty()) return;
  auto count = static_cast<uint32_t>(evicted_slots_.size());
  evicted_.SetCardinality(count);
  std::vector<uint32_t> rows(count);
  std::iota(rows.begin(), rows.end(), 0);
  std::vector<int32_t> weights(count, -1);
  groups_.Update({&evicted_, rows.data(), evicted_slots_.data(), weights.data(), count});
  evicted_slots_.clear();
}

void OverAggregate::FillResults(const std::vector<Unit>& units, size_t begin, size_t end) {
  auto count = static_cast<uint32_t>(end - begin);
  round_results_.Reset();
  slots_.clear();
  for (size_t u = begin; u < end; u++) slots_.push_back(units[u].slot);
  for (size_t c = 0; c < plan_.calls.size(); c++) {
    const OverPlan::Call& call = plan_.calls[c];
    duckdb::Vector& out = round_results_.data[c];
    if (call.result == OverPlan::Result::kAggregate) {
      groups_.FinishOne(call.aggregate, slots_.data(), count, out);
    } else {
      for (uint32_t i = 0; i < count; i++) {
        const Unit& unit = units[begin + i];
        const Partition& partition = partitions_[unit.slot];
        int64_t rows = groups_.rows(unit.slot);
        if (call.result == OverPlan::Result::kRowNumber) {
          duckdb::FlatVector::GetData<int64_t>(out)[i] = rows;
        } else if (call.result == OverPlan::Result::kRank) {
          auto peers = static_cast<int64_t>(unit.count);
          duckdb::FlatVector::GetData<int64_t>(out)[i] = rows - peers + 1;
        } else if (call.result == OverPlan::Result::kLastValue) {
          const uint32_t last = unit.first + unit.count - 1;
          duckdb::VectorOperations::Copy(fresh_.data[call.argument], out, last + 1, last, i);
        } else if (call.result == OverPlan::Result::kLag && rows <= call.distance) {
          if (call.fallback < 0) {
            duckdb::FlatVector::SetNull(out, i, true);
          } else {
            duckdb::VectorOperations::Copy(fresh_.data[static_cast<size_t>(call.fallback)], out,
                                           unit.first + 1, unit.first, i);
          }
        } else {
          first_.Reset();
          row_codec_.Decode(RowOf(rows_.At(partition.frame.front().row)), first_, all_columns_, 0);
          duckdb::VectorOperations::Copy(first_.data[call.argument], out, 1, 0, i);
        }
      }
    }
    duckdb::VectorOperations::Copy(out, results_.data[c], count, 0, begin);
  }
}

void OverAggregate::EmitRows(size_t count, const std::vector<uint32_t>& result_of_row) {
  duckdb::SelectionVector rows(STANDARD_VECTOR_SIZE);
  duckdb::SelectionVector results(STANDARD_VECTOR_SIZE);
  for (size_t first = 0; first < count; first += STANDARD_VECTOR_SIZE) {
    size_t size = std::min<size_t>(STANDARD_VECTOR_SIZE, count - first);
    for (size_t i = 0; i < size; i++) {
      rows.set_index(i, first + i);
      results.set_index(i, result_of_row[first + i]);
    }
    duckdb::DataChunk chunk;
    chunk.InitializeEmpty(OutputTypes());
    for (idx_t c = 0; c < plan_.types.size(); c++) chunk.data[c].Slice(fresh_.data[c], rows, size);
    for (idx_t c = 0; c < plan_.calls.size(); c++) {
      chunk.data[plan_.types.size() + c].Slice(results_.data[c], results, size);
    }
    chunk.SetCardinality(size);
    Batch out;
    out.rows = &chunk;
    emitter_.Emit(out);
  }
}

// Takes rows out of RANGE frames that no row to come can reach back to, and partitions with them.
void OverAggregate::Expire() {
  model::EventTime closed = late_.closed_before();
  while (!expiry_.empty() && expiry_.front().first < closed - plan_.preceding) {
    auto [time, slot] = expiry_.front();
    expiry_.pop_front();
    Partition& partition = partitions_[slot];
    // Nothing to do when a newer row of the partition has pushed it out already.
    if (partition.frame.empty() || partition.frame.front().time > time) continue;
    Evict(slot);
    if (!partition.frame.empty() || partition.waiting > 0) {
      groups_.Touch(slot);
      continue;
    }
    FlushEvicted();
    groups_.Erase(slot);
  }
  FlushEvicted();
}

void OverAggregate::Snapshot(state::StateWriter& writer) {
  groups_.Snapshot(writer, id());
  rows_.Snapshot(writer, id(), kRowPrefix);
  late_.Snapshot(writer, id());
}

void OverAggregate::UpdateStateSize() {
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes =
      static_cast<int64_t>(groups_.bytes() + rows_.bytes() + waiting_.capacity() * sizeof(Waiting) +
                           partitions_.capacity() * sizeof(Partition));
}

OperatorDescription OverAggregate::Describe() const {
  std::vector<std::string> keys;
  for (idx_t c : plan_.keys) keys.push_back(plan_.names[c]);
  std::vector<std::string> calls;
  for (const OverPlan::Call& call : plan_.calls) calls.push_back(call.text);
  OperatorDescription description;
  description.name = "OverAggregate";
  if (!keys.empty()) description.detail = "by " + Join(keys, ", ") + " ";
  description.detail += "in order of " + plan_.names[plan_.time] + ": " + Join(calls, ", ");
  description.changelog = "append";
  std::string waiting = "rows the frontier has not passed";
  switch (plan_.frame) {
    case OverPlan::Frame::kUnbounded:
      description.state = waiting + ", and the aggregates of every key";
      description.freed_by =
          fmt::format("the frontier passing \"{}\"; keys stay", plan_.names[plan_.time]);
      break;
    case OverPlan::Frame::kRows:
      description.state =
          fmt::format("{}, and the last {} of every key", waiting, plan_.preceding + 1);
      description.freed_by = "newer rows of the same key";
      break;
    case OverPlan::Frame::kRange:
      description.state = fmt::format("{}, and those of the last {}", waiting,
                                      FormatDurationMicros(plan_.preceding));
      description.freed_by = fmt::format("the frontier passing \"{}\"", plan_.names[plan_.time]);
      break;
  }
  return description;
}

}  // namespace millrace::stream
