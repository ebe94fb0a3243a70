#include "stream/time_sort.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <duckdb/common/types/timestamp.hpp>

#include "base/strings.h"
#include "stream/columns.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kRowPrefix = "r";

// A stored row; see the header.
struct RecordHeader {
  int64_t time = 0;
  uint64_t arrival = 0;
  uint32_t sort_key_bytes = 0;
  uint32_t unused = 0;
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
  return record.substr(sizeof(RecordHeader) + HeaderOf(record).sort_key_bytes);
}

}  // namespace

TimeSort::TimeSort(uint32_t id, TimeSortPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      all_columns_(FirstColumns(plan_.types.size())),
      codec_(plan_.types),
      late_(plan_.frontier, "sort") {}

Status TimeSort::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  order_input_.InitializeEmpty(Pick(plan_.types, plan_.order_columns));
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  late_.Restore(state, id());
  rows_.Restore(state, id(), kRowPrefix, [&](uint32_t row, std::string_view record) {
    const RecordHeader header = HeaderOf(record);
    next_arrival_ = std::max(next_arrival_, header.arrival + 1);
    waiting_.push_back({header.time, header.arrival, row});
  });
  std::make_heap(waiting_.begin(), waiting_.end(),
                 [&](const Waiting& a, const Waiting& b) { return Behind(a, b); });
  UpdateStateSize();
  return Status::Ok();
}

bool TimeSort::Behind(const Waiting& a, const Waiting& b) const {
  if (a.time != b.time) return a.time > b.time;
  const int order = SortKeyOf(rows_.At(a.row)).compare(SortKeyOf(rows_.At(b.row)));
  return order != 0 ? order > 0 : a.arrival > b.arrival;
}

void TimeSort::Process(int port, const Batch& batch) {
  (void)port;
  duckdb::DataChunk& in = *batch.rows;
  stats_.rows_in += static_cast<int64_t>(in.size());
  duckdb::UnifiedVectorFormat format;
  in.data[plan_.order_columns[0]].ToUnifiedFormat(in.size(), format);
  std::vector<int64_t> times;
  for (idx_t row = 0; row < in.size(); row++) {
    const idx_t at = format.sel->get_index(row);
    const bool valid = format.validity.RowIsValid(at);
    times.push_back(valid ? reinterpret_cast<const int64_t*>(format.data)[at] : model::kTimeMin);
  }
  std::vector<uint8_t> is_late(in.size(), 0);
  stats_.rows_late += late_.SetAside(
      batch, times.data(), context_,
      [&](int64_t time) {
        return fmt::format("late: \"{}\" {} is behind the watermark",
                           plan_.names[plan_.order_columns[0]],
                           duckdb::Timestamp::ToString(duckdb::timestamp_t(time)));
      },
      is_late);
  for (size_t i = 0; i < plan_.order_columns.size(); i++) {
    order_input_.data[i].Reference(in.data[plan_.order_columns[i]]);
  }
  order_input_.SetCardinality(in.size());
  duckdb::Vector sort_keys(duckdb::LogicalType::BLOB);
  duckdb::CreateSortKeyHelpers::CreateSortKey(order_input_, plan_.order, sort_keys);
  sort_keys.Flatten(in.size());
  codec_.Bind(in, all_columns_);
  std::string record;
  for (idx_t row = 0; row < in.size(); row++) {
    if (is_late[row]) continue;
    const auto& key = duckdb::FlatVector::GetData<duckdb::string_t>(sort_keys)[row];
    RecordHeader header{times[row], next_arrival_++, static_cast<uint32_t>(key.GetSize())};
    record.assign(reinterpret_cast<const char*>(&header), sizeof header);
    record.append(key.GetData(), key.GetSize());
    record.append(codec_.Encode(row));
    waiting_.push_back({header.time, header.arrival, rows_.Add(record)});
    std::push_heap(waiting_.begin(), waiting_.end(),
                   [&](const Waiting& a, const Waiting& b) { return Behind(a, b); });
    stats_.rows_taken++;
  }
}

void TimeSort::OnWatermark(const Frontiers& frontiers) {
  late_.Advance(frontiers);
  idx_t count = 0;
  auto flush = [&] {
    output_.SetCardinality(count);
    Batch out;
    out.rows = &output_;
    emitter_.Emit(out);
    output_.Reset();
    count = 0;
  };
  while (!waiting_.empty() && waiting_.front().time < late_.closed_before()) {
    std::pop_heap(waiting_.begin(), waiting_.end(),
                  [&](const Waiting& a, const Waiting& b) { return Behind(a, b); });
    const uint32_t row = waiting_.back().row;
    waiting_.pop_back();
    codec_.Decode(RowOf(rows_.At(row)), output_, all_columns_, count++);
    rows_.Remove(row);
    if (count == STANDARD_VECTOR_SIZE) flush();
  }
  if (count > 0) flush();
  UpdateStateSize();
}

void TimeSort::Snapshot(state::StateWriter& writer) {
  rows_.Snapshot(writer, id(), kRowPrefix);
  late_.Snapshot(writer, id());
}

void TimeSort::UpdateStateSize() {
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes = static_cast<int64_t>(rows_.bytes() + waiting_.capacity() * sizeof(Waiting));
}

OperatorDescription TimeSort::Describe() const {
  std::vector<std::string> order;
  for (size_t i = 0; i < plan_.order_columns.size(); i++) {
    const bool descending = plan_.order[i].order_type == duckdb::OrderType::DESCENDING;
    order.push_back(plan_.names[plan_.order_columns[i]] + (descending ? " desc" : ""));
  }
  OperatorDescription description;
  description.name = "TimeSort";
  description.detail = "in order of " + Join(order, ", ");
  description.changelog = "append";
  description.state = "rows the frontier has not passed";
  description.freed_by =
      fmt::format("the frontier passing \"{}\"", plan_.names[plan_.order_columns[0]]);
  return description;
}

}  // namespace millrace::stream
