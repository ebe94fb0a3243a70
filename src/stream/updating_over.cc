#include "stream/updating_over.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/strings.h"
#include "stream/columns.h"
#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::FlatVector;
using duckdb::idx_t;
using Edge = UpdatingOverPlan::Edge;
using Kind = UpdatingOverPlan::Kind;

namespace {

constexpr const char* kRowPrefix = "r";

// A stored row; see the header.
struct RecordHeader {
  uint32_t slot = 0;
  uint32_t sort_key_bytes = 0;
  uint32_t bounds_bytes = 0;
  uint32_t row_bytes = 0;
  uint64_t arrival = 0;
};

RecordHeader HeaderOf(std::string_view record) {
  RecordHeader header;
  std::memcpy(&header, record.data(), sizeof header);
  return header;
}
std::string_view SortKeyOf(std::string_view record) {
  return record.substr(sizeof(RecordHeader), HeaderOf(record).sort_key_bytes);
}
std::string_view RowOf(std::string_view record) {
  const RecordHeader header = HeaderOf(record);
  return record.substr(sizeof(RecordHeader) + header.sort_key_bytes + header.bounds_bytes,
                       header.row_bytes);
}
// Empty: the row is not shown yet.
std::string_view ResultsOf(std::string_view record) {
  const RecordHeader header = HeaderOf(record);
  return record.substr(sizeof(RecordHeader) + header.sort_key_bytes + header.bounds_bytes +
                       header.row_bytes);
}
std::string_view BoundOf(std::string_view record, size_t index) {
  record.remove_prefix(sizeof(RecordHeader) + HeaderOf(record).sort_key_bytes);
  for (;; index--) {
    uint32_t bytes = 0;
    std::memcpy(&bytes, record.data(), sizeof bytes);
    if (index == 0) return record.substr(sizeof bytes, bytes);
    record.remove_prefix(sizeof bytes + bytes);
  }
}

// The first eight bytes as a number that compares like them.
uint64_t PrefixOf(std::string_view sort_key) {
  uint64_t prefix = 0;
  std::memcpy(&prefix, sort_key.data(), std::min(sort_key.size(), sizeof prefix));
  return std::endian::native == std::endian::little ? __builtin_bswap64(prefix) : prefix;
}

duckdb::vector<duckdb::LogicalType> ResultTypes(const UpdatingOverPlan& plan) {
  duckdb::vector<duckdb::LogicalType> types;
  for (const UpdatingOverPlan::Call& call : plan.calls) types.push_back(call.type);
  return types;
}

// Room for at least so many rows, all of them free.
void Reserve(duckdb::DataChunk& chunk, const duckdb::vector<duckdb::LogicalType>& types,
             size_t rows, size_t& rows_max) {
  if (rows > rows_max) {
    rows_max = std::max<size_t>(rows + rows / 2, STANDARD_VECTOR_SIZE);
    chunk.Destroy();
    chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types, rows_max);
  }
  chunk.Reset();
}

size_t Shifted(size_t place, int64_t by, size_t size) {
  const auto shifted = static_cast<int64_t>(place) + by;
  return static_cast<size_t>(std::clamp<int64_t>(shifted, 0, static_cast<int64_t>(size)));
}

}  // namespace

UpdatingOver::UpdatingOver(uint32_t id, UpdatingOverPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      all_columns_(FirstColumns(plan_.types.size())),
      result_columns_(FirstColumns(plan_.calls.size())),
      key_codec_(Pick(plan_.types, plan_.keys)),
      row_codec_(plan_.types),
      result_codec_(ResultTypes(plan_)),
      groups_(AggregatePlan(), "") {
  for (idx_t c : result_columns_) output_results_.push_back(plan_.types.size() + c);
}

duckdb::vector<duckdb::LogicalType> UpdatingOver::OutputTypes() const {
  duckdb::vector<duckdb::LogicalType> types = plan_.types;
  for (const Call& call : plan_.calls) types.push_back(call.type);
  return types;
}

Status UpdatingOver::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), OutputTypes());
  if (!plan_.order_columns.empty()) {
    order_input_.InitializeEmpty(Pick(plan_.types, plan_.order_columns));
  }
  if (!plan_.bounds.empty()) {
    bound_input_.InitializeEmpty(Pick(plan_.types, {plan_.bounds[0]}));
  }
  groups_.Restore(state, id());
  partitions_.resize(groups_.keys().slots());
  rows_.Restore(state, id(), kRowPrefix, [&](uint32_t row, std::string_view record) {
    const RecordHeader header = HeaderOf(record);
    next_arrival_ = std::max(next_arrival_, header.arrival + 1);
    partitions_[header.slot].rows.push_back({PrefixOf(SortKeyOf(record)), row});
  });
  for (Partition& partition : partitions_) {
    std::sort(partition.rows.begin(), partition.rows.end(), [&](const Entry& a, const Entry& b) {
      const int order = Compare(a, b);
      if (order != 0) return order < 0;
      return HeaderOf(rows_.At(a.row)).arrival < HeaderOf(rows_.At(b.row)).arrival;
    });
  }
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  return Status::Ok();
}

void UpdatingOver::Process(int port, const Batch& batch) {
  (void)port;
  duckdb::DataChunk& in = *batch.rows;
  stats_.rows_in += static_cast<int64_t>(in.size());
  sort_keys_.clear();
  if (!plan_.order_columns.empty()) {
    for (size_t i = 0; i < plan_.order_columns.size(); i++) {
      order_input_.data[i].Reference(in.data[plan_.order_columns[i]]);
    }
    order_input_.SetCardinality(in.size());
    sort_keys_.emplace_back(duckdb::LogicalType::BLOB);
    duckdb::CreateSortKeyHelpers::CreateSortKey(order_input_, plan_.order, sort_keys_.back());
  }
  for (idx_t bound : plan_.bounds) {
    bound_input_.data[0].Reference(in.data[bound]);
    bound_input_.SetCardinality(in.size());
    sort_keys_.emplace_back(duckdb::LogicalType::BLOB);
    duckdb::CreateSortKeyHelpers::CreateSortKey(bound_input_, {plan_.order[0]}, sort_keys_.back());
  }
  for (duckdb::Vector& keys : sort_keys_) keys.Flatten(in.size());
  key_codec_.Bind(in, plan_.keys);
  row_codec_.Bind(in, all_columns_);
  for (uint32_t row = 0; row < in.size(); row++) {
    const uint32_t slot = groups_.FindOrAdd(key_codec_.Encode(row)).slot;
    if (slot >= partitions_.size()) partitions_.resize(slot + slot / 2 + 16);
    Partition& partition = partitions_[slot];
    if (partition.changes.empty()) touched_.push_back(slot);
    const int32_t weight = batch.weights ? batch.weights[row] : 1;
    for (int32_t i = 0; i < std::abs(weight); i++) {
      EncodeRecord(slot, row);
      next_arrival_++;
      partition.changes.push_back({{PrefixOf(SortKeyOf(record_)), rows_.Add(record_)}, weight > 0});
    }
    stats_.rows_taken++;
  }
}

// Writes row `row` of the running batch to record_.
void UpdatingOver::EncodeRecord(uint32_t slot, idx_t row) {
  RecordHeader header;
  header.slot = slot;
  header.arrival = next_arrival_;
  record_.assign(sizeof header, '\0');
  const size_t first_bound = plan_.order_columns.empty() ? 0 : 1;
  for (size_t i = 0; i < sort_keys_.size(); i++) {
    const auto& key = FlatVector::GetData<duckdb::string_t>(sort_keys_[i])[row];
    const auto bytes = static_cast<uint32_t>(key.GetSize());
    if (i < first_bound) {
      header.sort_key_bytes = bytes;
    } else {
      header.bounds_bytes += static_cast<uint32_t>(sizeof bytes) + bytes;
      record_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
    }
    record_.append(key.GetData(), bytes);
  }
  const std::string_view columns = row_codec_.Encode(row);
  header.row_bytes = static_cast<uint32_t>(columns.size());
  record_.append(columns);
  std::memcpy(record_.data(), &header, sizeof header);
}

int UpdatingOver::Compare(const Entry& a, const Entry& b) const {
  if (a.prefix != b.prefix) return a.prefix < b.prefix ? -1 : 1;
  const std::string_view left = rows_.At(a.row);
  const std::string_view right = rows_.At(b.row);
  if (int order = SortKeyOf(left).compare(SortKeyOf(right)); order != 0) return order;
  if (plan_.input_retracts) return RowOf(left).compare(RowOf(right));
  const uint64_t first = HeaderOf(left).arrival;
  const uint64_t second = HeaderOf(right).arrival;
  return first == second ? 0 : first < second ? -1 : 1;
}

bool UpdatingOver::Peers(const Entry& a, const Entry& b) const {
  return a.prefix == b.prefix && SortKeyOf(rows_.At(a.row)) == SortKeyOf(rows_.At(b.row));
}

size_t UpdatingOver::PlaceOf(const std::vector<Entry>& rows, std::string_view sort_key,
                             bool behind) const {
  const uint64_t prefix = PrefixOf(sort_key);
  auto before = [&](const Entry& entry) {
    if (entry.prefix != prefix) return entry.prefix < prefix;
    const int order = SortKeyOf(rows_.At(entry.row)).compare(sort_key);
    return behind ? order <= 0 : order < 0;
  };
  return static_cast<size_t>(std::partition_point(rows.begin(), rows.end(), before) - rows.begin());
}

void UpdatingOver::OnEpochEnd() {
  if (touched_.empty()) return;
  aggregates_ = plan_.aggregates.MakeAggregates();
  for (auto& aggregate : aggregates_) aggregate->Resize(static_cast<uint32_t>(touched_.size()));
  for (size_t i = 0; i < touched_.size(); i++) {
    const uint32_t slot = touched_[i];
    Partition& partition = partitions_[slot];
    aggregate_slot_ = static_cast<uint32_t>(i);
    Changed changed;
    if (Merge(partition, changed) && !partition.rows.empty()) {
      Range reach{partition.rows.size(), 0};
      for (const Call& call : plan_.calls) {
        const Range own = Reach(call, partition.rows, changed);
        reach.begin = std::min(reach.begin, own.begin);
        reach.end = std::max(reach.end, own.end);
      }
      if (reach.begin < reach.end) Recompute(partition, reach);
    }
    partition.changes = {};
    if (partition.rows.empty()) groups_.Erase(slot);
  }
  Flush();
  touched_.clear();
  aggregates_.clear();
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes = static_cast<int64_t>(groups_.bytes() + rows_.bytes() +
                                            partitions_.capacity() * sizeof(Partition) +
                                            rows_.size() * sizeof(Entry));
}

// Sorts the changes, and leaves out rows that came and went within the epoch.
void UpdatingOver::CancelOut(std::vector<Change>& changes) {
  std::stable_sort(changes.begin(), changes.end(),
                   [&](const Change& a, const Change& b) { return Less(a.entry, b.entry); });
  if (!plan_.input_retracts) return;
  std::vector<Change> left;
  for (size_t begin = 0; begin < changes.size();) {
    size_t end = begin;
    int64_t net = 0;
    for (; end < changes.size() && Compare(changes[begin].entry, changes[end].entry) == 0; end++) {
      net += changes[end].added ? 1 : -1;
    }
    // Equal rows are alike: any of them may stand for what is left.
    for (size_t i = begin; i < end; i++) {
      if (net != 0 && changes[i].added == (net > 0)) {
        left.push_back(changes[i]);
        net += net > 0 ? -1 : 1;
      } else {
        rows_.Remove(changes[i].entry.row);
      }
    }
    begin = end;
  }
  changes = std::move(left);
}

bool UpdatingOver::Merge(Partition& partition, Changed& changed) {
  CancelOut(partition.changes);
  if (partition.changes.empty()) return false;
  std::vector<Entry>& rows = partition.rows;
  auto less = [&](const Entry& a, const Entry& b) { return Less(a, b); };
  changed.low = SortKeyOf(rows_.At(partition.changes.front().entry.row));
  changed.high = SortKeyOf(rows_.At(partition.changes.back().entry.row));
  const auto from =
      std::lower_bound(rows.begin(), rows.end(), partition.changes.front().entry, less);
  changed.first = static_cast<size_t>(from - rows.begin());
  const std::vector<Entry> tail(from, rows.end());
  rows.erase(from, rows.end());
  size_t next = 0;
  for (const Change& change : partition.changes) {
    // Behind rows that are equal to it, and of those the first to go: also after a restart.
    while (next < tail.size() &&
           (change.added ? !Less(change.entry, tail[next]) : Less(tail[next], change.entry))) {
      rows.push_back(tail[next++]);
    }
    changed.last = rows.size();
    if (change.added) {
      rows.push_back(change.entry);
      continue;
    }
    if (next == tail.size() || Compare(tail[next], change.entry) != 0) {
      BuryUnknown(rows_.At(change.entry.row));
      rows_.Remove(change.entry.row);
      continue;
    }
    const std::string_view record = rows_.At(tail[next].row);
    Add(record, ResultsOf(record), -1);
    rows_.Remove(tail[next++].row);
    rows_.Remove(change.entry.row);
  }
  rows.insert(rows.end(), tail.begin() + static_cast<std::ptrdiff_t>(next), tail.end());
  return true;
}

// The rows whose result of `call` may differ from what it was before the changes.
UpdatingOver::Range UpdatingOver::Reach(const Call& call, const std::vector<Entry>& rows,
                                        const Changed& changed) const {
  const size_t size = rows.size();
  Range reach{changed.first, Shifted(changed.last, 1, size)};
  switch (call.kind) {
    case Kind::kRowNumber:
    case Kind::kRank:
    case Kind::kDenseRank:
      reach.end = size;
      return reach;
    case Kind::kPercentRank:
    case Kind::kCumeDist:
    case Kind::kNtile:
      return {0, size};
    case Kind::kLag:
      reach.end = Shifted(reach.end, call.number, size);
      return reach;
    case Kind::kLead:
      reach.begin = Shifted(reach.begin, -call.number, size);
      return reach;
    default:
      break;
  }
  if (call.end.edge == Edge::kUnbounded) {
    reach.begin = 0;
  } else if (call.end.edge == Edge::kRows) {
    reach.begin = Shifted(reach.begin, -std::max<int64_t>(call.end.offset, 0), size);
  } else if (call.end.edge == Edge::kPeers) {
    reach.begin = std::min(reach.begin, PlaceOf(rows, changed.low, false));
  } else {
    while (reach.begin > 0 &&
           BoundOf(rows_.At(rows[reach.begin - 1].row), call.end.value) >= changed.low) {
      reach.begin--;
    }
  }
  if (call.start.edge == Edge::kUnbounded) {
    reach.end = size;
  } else if (call.start.edge == Edge::kRows) {
    reach.end = Shifted(reach.end, std::max<int64_t>(-call.start.offset, 0), size);
  } else if (call.start.edge == Edge::kPeers) {
    reach.end = std::max(reach.end, PlaceOf(rows, changed.high, true));
  } else {
    while (reach.end < size &&
           BoundOf(rows_.At(rows[reach.end].row), call.start.value) <= changed.high) {
      reach.end++;
    }
  }
  return reach;
}

UpdatingOver::Range UpdatingOver::FrameOf(const Call& call, const std::vector<Entry>& rows,
                                          size_t place) const {
  const std::string_view record = rows_.At(rows[place].row);
  auto edge = [&](const Bound& bound, bool end) -> size_t {
    switch (bound.edge) {
      case Edge::kUnbounded:
        return end ? rows.size() : 0;
      case Edge::kRows:
        return Shifted(place, bound.offset + (end ? 1 : 0), rows.size());
      case Edge::kPeers:
        return PlaceOf(rows, SortKeyOf(record), end);
      case Edge::kValue:
        return PlaceOf(rows, BoundOf(record, bound.value), end);
    }
    return 0;
  };
  Range frame{edge(call.start, false), edge(call.end, true)};
  frame.end = std::max(frame.begin, frame.end);
  return frame;
}

void UpdatingOver::Recompute(Partition& partition, Range range) {
  const std::vector<Entry>& rows = partition.rows;
  std::vector<std::vector<Range>> frames(plan_.calls.size());  // by call, of the rows in range
  Range needed = range;
  for (size_t c = 0; c < plan_.calls.size(); c++) {
    const Call& call = plan_.calls[c];
    if (call.kind == Kind::kLag)
      needed.begin = std::min(needed.begin, Shifted(range.begin, -call.number, rows.size()));
    if (call.kind == Kind::kLead)
      needed.end = std::max(needed.end, Shifted(range.end, call.number, rows.size()));
    const bool framed = call.kind == Kind::kAggregate || call.kind == Kind::kFirstValue ||
                        call.kind == Kind::kLastValue || call.kind == Kind::kNthValue;
    if (!framed) continue;
    for (size_t place = range.begin; place < range.end; place++) {
      const Range frame = FrameOf(call, rows, place);
      frames[c].push_back(frame);
      if (frame.begin == frame.end) continue;
      needed.begin = std::min(needed.begin, frame.begin);
      needed.end = std::max(needed.end, frame.end);
    }
  }
  LoadRows(rows, needed);
  Reserve(results_, ResultTypes(plan_), range.end - range.begin, results_max_);
  for (size_t c = 0; c < plan_.calls.size(); c++) {
    const Call& call = plan_.calls[c];
    duckdb::Vector& out = results_.data[c];
    switch (call.kind) {
      case Kind::kAggregate:
        FillAggregate(call, frames[c], out);
        break;
      case Kind::kLag:
      case Kind::kLead:
      case Kind::kFirstValue:
      case Kind::kLastValue:
      case Kind::kNthValue:
        FillValue(call, frames[c], range, rows.size(), out);
        break;
      default:
        FillRank(call, rows, range, out);
    }
  }
  results_.SetCardinality(range.end - range.begin);
  ShowChanges(partition, range);
}

void UpdatingOver::LoadRows(const std::vector<Entry>& rows, Range range) {
  Reserve(loaded_, plan_.types, range.end - range.begin, loaded_max_);
  for (size_t place = range.begin; place < range.end; place++) {
    row_codec_.Decode(RowOf(rows_.At(rows[place].row)), loaded_, all_columns_, place - range.begin);
  }
  loaded_.SetCardinality(range.end - range.begin);
  loaded_from_ = range.begin;
}

// Slides one state over the frames: neither their begins nor their ends ever go back.
void UpdatingOver::FillAggregate(const Call& call, const std::vector<Range>& frames,
                                 duckdb::Vector& out) {
  Aggregate& aggregate = *aggregates_[call.aggregate];
  Range held{frames[0].begin, frames[0].begin};
  std::vector<uint32_t> rows, slots;
  std::vector<int32_t> weights;
  auto update = [&](size_t begin, size_t end, int32_t weight) {
    if (begin >= end) return;
    rows.clear();
    for (size_t place = begin; place < end; place++) {
      rows.push_back(static_cast<uint32_t>(place - loaded_from_));
    }
    slots.assign(rows.size(), aggregate_slot_);
    weights.assign(rows.size(), weight);
    aggregate.Update({&loaded_, rows.data(), slots.data(), weight < 0 ? weights.data() : nullptr,
                      static_cast<uint32_t>(rows.size())});
  };
  for (size_t i = 0; i < frames.size(); i++) {
    const Range frame = frames[i];
    const bool same = i > 0 && frame.begin == held.begin && frame.end == held.end;
    if (!same) {
      if (frame.begin >= held.end) {  // nothing in common
        update(held.begin, held.end, -1);
        update(frame.begin, frame.end, 1);
      } else {
        update(held.end, frame.end, 1);
        update(held.begin, frame.begin, -1);
      }
      held = frame;
      duckdb::Vector one(call.type, 1);
      aggregate.Finish(&aggregate_slot_, 1, one);
      duckdb::VectorOperations::Copy(one, out, 1, 0, i);
      continue;
    }
    duckdb::VectorOperations::Copy(out, out, i, i - 1, i);
  }
}

void UpdatingOver::FillRank(const Call& call, const std::vector<Entry>& rows, Range range,
                            duckdb::Vector& out) const {
  const auto size = static_cast<int64_t>(rows.size());
  int64_t dense = 0;
  if (call.kind == Kind::kDenseRank) {
    for (size_t place = 0; place <= range.begin; place++) {
      dense += place == 0 || !Peers(rows[place - 1], rows[place]);
    }
  }
  size_t first_peer = PlaceOf(rows, SortKeyOf(rows_.At(rows[range.begin].row)), false);
  for (size_t place = range.begin; place < range.end; place++) {
    if (place > range.begin && !Peers(rows[place - 1], rows[place])) {
      first_peer = place;
      dense++;
    }
    const size_t i = place - range.begin;
    const auto rank = static_cast<int64_t>(first_peer) + 1;
    const auto number = static_cast<int64_t>(place);  // from 0
    if (call.kind == Kind::kPercentRank) {
      FlatVector::GetData<double>(out)[i] =
          size > 1 ? static_cast<double>(rank - 1) / static_cast<double>(size - 1) : 0;
    } else if (call.kind == Kind::kCumeDist) {
      const size_t end = PlaceOf(rows, SortKeyOf(rows_.At(rows[place].row)), true);
      FlatVector::GetData<double>(out)[i] = static_cast<double>(end) / static_cast<double>(size);
    } else {
      int64_t value = number + 1;
      if (call.kind == Kind::kRank) value = rank;
      if (call.kind == Kind::kDenseRank) value = dense;
      if (call.kind == Kind::kNtile) {
        // The first `larger` parts have one row more than the others.
        const int64_t part = size / call.number;
        const int64_t larger = size % call.number;
        const int64_t in_larger = larger * (part + 1);
        value = number < in_larger ? number / (part + 1) + 1
                                   : larger + (number - in_larger) / std::max<int64_t>(part, 1) + 1;
      }
      FlatVector::GetData<int64_t>(out)[i] = value;
    }
  }
}

void UpdatingOver::FillValue(const Call& call, const std::vector<Range>& frames, Range range,
                             size_t size, duckdb::Vector& out) {
  const bool shifts = call.kind == Kind::kLag || call.kind == Kind::kLead;
  const int64_t by = call.kind == Kind::kLag ? -call.number : call.number;
  for (size_t place = range.begin; place < range.end; place++) {
    const size_t i = place - range.begin;
    size_t from = place;
    idx_t column = call.argument;
    bool found = true;
    if (shifts) {
      const auto shifted = static_cast<int64_t>(place) + by;
      found = shifted >= 0 && shifted < static_cast<int64_t>(size);
      if (found) from = static_cast<size_t>(shifted);
      if (!found && call.fallback >= 0) {
        column = static_cast<idx_t>(call.fallback);
        found = true;
      }
    } else {
      const Range frame = frames[i];
      const auto rows = static_cast<int64_t>(frame.end - frame.begin);
      int64_t nth = call.kind == Kind::kFirstValue ? 1 : rows;
      if (call.kind == Kind::kNthValue) nth = call.number;
      found = nth >= 1 && nth <= rows;
      if (found) from = frame.begin + static_cast<size_t>(nth - 1);
    }
    if (!found) {
      FlatVector::SetNull(out, i, true);
      continue;
    }
    const idx_t at = from - loaded_from_;
    duckdb::VectorOperations::Copy(loaded_.data[column], out, at + 1, at, i);
  }
}

void UpdatingOver::ShowChanges(Partition& partition, Range range) {
  result_codec_.Bind(results_, result_columns_);
  for (size_t place = range.begin; place < range.end; place++) {
    Entry& entry = partition.rows[place];
    const std::string_view results = result_codec_.Encode(place - range.begin);
    record_ = rows_.At(entry.row);
    const std::string_view shown = ResultsOf(record_);
    if (shown == results) continue;
    if (!shown.empty()) Add(record_, shown, -1);
    record_.resize(record_.size() - shown.size());
    record_.append(results);
    Add(record_, results, +1);
    rows_.Remove(entry.row);
    entry.row = rows_.Add(record_);
  }
}

void UpdatingOver::Add(std::string_view record, std::string_view results, int32_t weight) {
  if (weights_.size() == STANDARD_VECTOR_SIZE) Flush();
  row_codec_.Decode(RowOf(record), output_, all_columns_, weights_.size());
  result_codec_.Decode(results, output_, output_results_, weights_.size());
  weights_.push_back(weight);
}

// A changelog without a key may take away what it never told of.
void UpdatingOver::BuryUnknown(std::string_view record) {
  duckdb::DataChunk row;
  row.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  row_codec_.Decode(RowOf(record), row, all_columns_, 0);
  row.SetCardinality(1);
  stats_.rows_failed++;
  stats_.rows_failed_taken++;
  context_.dead_letters->Add(UnknownRow("over", context_.job, row));
}

void UpdatingOver::Flush() {
  if (weights_.empty()) return;
  output_.SetCardinality(weights_.size());
  Batch out;
  out.rows = &output_;
  out.weights = weights_.data();
  emitter_.Emit(out);
  weights_.clear();
  output_.Reset();
}

void UpdatingOver::Snapshot(state::StateWriter& writer) {
  groups_.Snapshot(writer, id());
  rows_.Snapshot(writer, id(), kRowPrefix);
}

OperatorDescription UpdatingOver::Describe() const {
  std::vector<std::string> keys, order, calls;
  for (idx_t c : plan_.keys) keys.push_back(plan_.names[c]);
  for (size_t i = 0; i < plan_.order_columns.size(); i++) {
    bool descending = plan_.order[i].order_type == duckdb::OrderType::DESCENDING;
    order.push_back(plan_.names[plan_.order_columns[i]] + (descending ? " desc" : ""));
  }
  for (const Call& call : plan_.calls) calls.push_back(call.text);
  OperatorDescription description;
  description.name = "UpdatingOver";
  if (!keys.empty()) description.detail = "by " + Join(keys, ", ") + " ";
  description.detail +=
      (order.empty() ? "in order of arrival" : "in order of " + Join(order, ", ")) + ": " +
      Join(calls, ", ");
  description.changelog = "retract";
  description.state = "all rows of every key, each with its results";
  description.freed_by = plan_.input_retracts ? "nothing but retractions" : "nothing: rows stay";
  return description;
}

}  // namespace millrace::stream
