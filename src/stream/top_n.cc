#include "stream/top_n.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <duckdb/common/types/timestamp.hpp>

#include "base/strings.h"
#include "base/units.h"
#include "duck/functions.h"
#include "stream/columns.h"
#include "stream/row_text.h"

namespace millrace::stream {

using duckdb::idx_t;

namespace {

constexpr const char* kRowPrefix = "r";

// A stored row; see the header.
struct RecordHeader {
  uint32_t slot = 0;
  uint32_t sort_key_bytes = 0;
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
  return record.substr(sizeof(RecordHeader) + HeaderOf(record).sort_key_bytes);
}

// The first eight bytes as a number that compares like them.
uint64_t PrefixOf(std::string_view sort_key) {
  uint64_t prefix = 0;
  std::memcpy(&prefix, sort_key.data(), std::min(sort_key.size(), sizeof prefix));
  return std::endian::native == std::endian::little ? __builtin_bswap64(prefix) : prefix;
}

// Partitions have no aggregates.
AggregatePlan GroupsOf(const TopNPlan& plan) {
  AggregatePlan groups;
  groups.ttl_us = plan.ttl_us;
  return groups;
}

std::vector<idx_t> ColumnsBut(size_t count, const std::vector<idx_t>& left_out) {
  std::vector<idx_t> columns;
  for (idx_t c = 0; c < count; c++) {
    if (std::find(left_out.begin(), left_out.end(), c) == left_out.end()) columns.push_back(c);
  }
  return columns;
}

}  // namespace

TopN::TopN(uint32_t id, TopNPlan plan)
    : Operator(id),
      plan_(std::move(plan)),
      windowed_(plan_.pane >= 0),
      shows_once_(windowed_ && !plan_.early),
      row_columns_(ColumnsBut(plan_.types.size(), plan_.keys)),
      key_codec_(Pick(plan_.types, plan_.keys)),
      row_codec_(Pick(plan_.types, row_columns_)),
      late_(plan_.frontier, "window"),
      groups_(GroupsOf(plan_), "") {}

duckdb::vector<duckdb::LogicalType> TopN::OutputTypes() const {
  duckdb::vector<duckdb::LogicalType> types = plan_.types;
  if (plan_.shows_rank) types.push_back(duckdb::LogicalType::BIGINT);
  return types;
}

Status TopN::Open(const OperatorContext& context, const state::StateReader& state) {
  MR_RETURN_IF_ERROR(Operator::Open(context, state));
  output_.Initialize(duckdb::Allocator::DefaultAllocator(), OutputTypes());
  if (!plan_.order_columns.empty()) {
    order_input_.InitializeEmpty(Pick(plan_.types, plan_.order_columns));
  }
  late_.Restore(state, id());
  groups_.Restore(state, id());
  rows_.Restore(state, id(), kRowPrefix, [&](uint32_t row, std::string_view record) {
    RecordHeader header = HeaderOf(record);
    next_arrival_ = std::max(next_arrival_, header.arrival + 1);
    PartitionOf(header.slot)
        .Insert({PrefixOf(SortKeyOf(record)), row},
                [&](const Entry& a, const Entry& b) { return Compare(a, b) < 0; });
  });
  if (windowed_) {
    auto pane_key = static_cast<size_t>(
        std::find(plan_.keys.begin(), plan_.keys.end(), static_cast<idx_t>(plan_.pane)) -
        plan_.keys.begin());
    for (uint32_t slot = 0; slot < groups_.keys().slots(); slot++) {
      if (!groups_.keys().Live(slot)) continue;
      output_.Reset();
      key_codec_.Decode(groups_.keys().Key(slot), output_, plan_.keys, 0);
      const duckdb::Vector& pane = output_.data[plan_.keys[pane_key]];
      panes_[duckdb::FlatVector::GetData<int64_t>(pane)[0]].push_back(slot);
    }
  }
  UpdateStateSize();
  return Status::Ok();
}

TopN::Partition& TopN::PartitionOf(uint32_t slot) {
  if (slot >= partitions_.size()) partitions_.resize(slot + slot / 2 + 16);
  return partitions_[slot];
}

void TopN::Process(int port, const Batch& batch) {
  (void)port;
  stats_.rows_in += static_cast<int64_t>(batch.size());
  ForgetOldPartitions();
  duckdb::DataChunk& in = *batch.rows;
  is_late_.assign(batch.size(), 0);
  std::vector<int64_t> panes;
  if (windowed_) {
    duckdb::UnifiedVectorFormat format;
    in.data[static_cast<size_t>(plan_.pane)].ToUnifiedFormat(in.size(), format);
    for (idx_t row = 0; row < in.size(); row++) {
      idx_t at = format.sel->get_index(row);
      panes.push_back(format.validity.RowIsValid(at)
                          ? reinterpret_cast<const int64_t*>(format.data)[at]
                          : model::kTimeMin);
    }
    stats_.rows_late += late_.SetAside(
        batch, panes.data(), context_,
        [&](int64_t pane) {
          return fmt::format("late: its window {} {} was closed already",
                             plan_.names[static_cast<size_t>(plan_.pane)],
                             duckdb::Timestamp::ToString(duckdb::timestamp_t(pane)));
        },
        is_late_);
  }
  sort_keys_ = std::make_unique<duckdb::Vector>(duckdb::LogicalType::BLOB);
  if (!plan_.order_columns.empty()) {
    for (size_t i = 0; i < plan_.order_columns.size(); i++) {
      order_input_.data[i].Reference(in.data[plan_.order_columns[i]]);
    }
    order_input_.SetCardinality(in.size());
    duckdb::CreateSortKeyHelpers::CreateSortKey(order_input_, plan_.order, *sort_keys_);
    sort_keys_->Flatten(in.size());
  }
  key_codec_.Bind(in, plan_.keys);
  row_codec_.Bind(in, row_columns_);
  rows_in_hand_.clear();
  for (uint32_t row = 0; row < batch.size(); row++) {
    if (!is_late_[row]) rows_in_hand_.push_back(row);
  }
  key_codec_.EncodeRows(rows_in_hand_.data(), rows_in_hand_.size(), keys_);
  groups_.FindOrAdd(keys_, found_);
  for (size_t i = 0; i < rows_in_hand_.size(); i++) {
    const uint32_t row = rows_in_hand_[i];
    const auto [slot, added] = found_[i];
    PartitionOf(slot);
    int32_t weight = batch.weights ? batch.weights[row] : 1;
    if (!plan_.input_retracts) {
      if (added && windowed_) panes_[panes[row]].push_back(slot);
      if (IsHopeless(partitions_[slot], row)) {
        stats_.rows_unchanged++;
        continue;
      }
      Insert(slot, row);
      stats_.rows_taken++;
      continue;
    }
    if (weight > 0) {
      stats_.rows_taken++;
      for (; weight > 0; weight--) Insert(slot, row);
      continue;
    }
    Touch(slot);
    EncodeRow(slot, row);
    if (plan_.ttl_us > 0) {
      bool taken = false;
      for (; weight < 0; weight++) taken |= TakeAway(record_);
      (taken ? stats_.rows_taken : stats_.rows_filtered)++;
      continue;
    }
    // Taken away at the end of the epoch: its arrival may come after its removal.
    stats_.rows_taken++;
    auto bytes = static_cast<uint32_t>(record_.size());
    for (; weight < 0; weight++) {
      retracted_.append(reinterpret_cast<const char*>(&bytes), sizeof bytes).append(record_);
    }
  }
}

// Writes row `row` of the running batch to record_.
void TopN::EncodeRow(uint32_t slot, idx_t row) {
  RecordHeader header{slot, 0, plan_.input_retracts ? 0 : next_arrival_};
  std::string_view sort_key;
  if (!plan_.order_columns.empty()) {
    const auto& key = duckdb::FlatVector::GetData<duckdb::string_t>(*sort_keys_)[row];
    sort_key = {key.GetData(), key.GetSize()};
  }
  header.sort_key_bytes = static_cast<uint32_t>(sort_key.size());
  record_.assign(reinterpret_cast<const char*>(&header), sizeof header);
  record_.append(sort_key);
  record_.append(row_codec_.Encode(row));
}

// True when a row of append input cannot be among the best N, now or later.
bool TopN::IsHopeless(const Partition& partition, idx_t row) const {
  if (plan_.last < plan_.first) return true;
  if (plan_.rank != TopNPlan::Rank::kRowNumber) return false;
  if (partition.size() < static_cast<size_t>(plan_.last)) return false;
  if (plan_.order_columns.empty()) return true;
  const auto& key = duckdb::FlatVector::GetData<duckdb::string_t>(*sort_keys_)[row];
  std::string_view sort_key(key.GetData(), key.GetSize());
  uint64_t prefix = PrefixOf(sort_key);
  const Entry& worst = partition.back();
  if (prefix != worst.prefix) return prefix > worst.prefix;
  int order = sort_key.compare(SortKeyOf(rows_.At(worst.row)));
  return order > 0 || (order == 0 && !plan_.last_wins);
}

void TopN::Insert(uint32_t slot, idx_t row) {
  Touch(slot);
  EncodeRow(slot, row);
  next_arrival_++;
  if (plan_.ttl_us > 0) groups_.Write(slot, duck::EpochClockMicros(*context_.client));
  Entry entry{PrefixOf(SortKeyOf(record_)), rows_.Add(record_)};
  partitions_[slot].Insert(entry,
                           [&](const Entry& a, const Entry& b) { return Compare(a, b) < 0; });
  if (!plan_.input_retracts) Trim(slot);
}

// Drops what append input can never bring back among the best.
void TopN::Trim(uint32_t slot) {
  Partition& partition = partitions_[slot];
  auto last = static_cast<size_t>(plan_.last);
  if (partition.size() <= last) return;
  size_t kept = last;
  if (plan_.rank != TopNPlan::Rank::kRowNumber) {
    after_.clear();
    AppendRanked(partition, 1, after_);
    kept = after_.size();
  }
  while (partition.size() > kept) removed_rows_.push_back(partition.PopBack().row);
  // Nothing shows them any more; but what the epoch showed before is still to be compared.
  if (!shows_once_) return;
  for (uint32_t row : removed_rows_) rows_.Remove(row);
  removed_rows_.clear();
}

void TopN::Touch(uint32_t slot) {
  if (shows_once_) return;
  if (slot >= is_touched_.size()) is_touched_.resize(slot * 2 + 16);
  if (is_touched_[slot]) return;
  is_touched_[slot] = 1;
  touched_.push_back(slot);
  before_begin_.push_back(before_.size());
  AppendRanked(partitions_[slot], plan_.first, before_);
}

int TopN::Compare(const Entry& a, const Entry& b) const {
  if (a.prefix != b.prefix) return a.prefix < b.prefix ? -1 : 1;
  std::string_view left = rows_.At(a.row);
  std::string_view right = rows_.At(b.row);
  if (int order = SortKeyOf(left).compare(SortKeyOf(right)); order != 0) return order;
  if (plan_.input_retracts) return RowOf(left).compare(RowOf(right));
  uint64_t first = HeaderOf(left).arrival;
  uint64_t second = HeaderOf(right).arrival;
  if (first == second) return 0;
  return (first < second) == plan_.last_wins ? 1 : -1;
}

bool TopN::SameSortKey(uint32_t a, uint32_t b) const {
  return SortKeyOf(rows_.At(a)) == SortKeyOf(rows_.At(b));
}

void TopN::AppendRanked(const Partition& partition, int64_t first, std::vector<Ranked>& out) const {
  int64_t place = 0;
  Ranked previous;
  partition.ForEach([&](const Entry& entry) {
    Ranked ranked{entry, ++place};
    if (plan_.rank != TopNPlan::Rank::kRowNumber && place > 1) {
      bool tie =
          entry.prefix == previous.entry.prefix && SameSortKey(entry.row, previous.entry.row);
      if (tie) {
        ranked.rank = previous.rank;
      } else if (plan_.rank == TopNPlan::Rank::kDenseRank) {
        ranked.rank = previous.rank + 1;
      }
    }
    previous = ranked;
    if (ranked.rank > plan_.last) return false;
    if (ranked.rank >= first) out.push_back(ranked);
    return true;
  });
}

void TopN::ForgetOldPartitions() {
  if (plan_.ttl_us == 0 || forgot_) return;
  forgot_ = true;
  const int64_t now_us = duck::EpochClockMicros(*context_.client);
  for (uint32_t slot = 0; groups_.FindOld(now_us, slot);) Forget(slot);
}

bool TopN::TakeAway(std::string_view record) {
  // Compare looks rows up by id, so the row to look for is one for a moment.
  Entry probe{PrefixOf(SortKeyOf(record)), rows_.Add(record)};
  Entry taken;
  const uint32_t slot = HeaderOf(record).slot;
  const bool found = partitions_[slot].Take(
      probe, [&](const Entry& a, const Entry& b) { return Compare(a, b) < 0; }, taken);
  removed_rows_.push_back(probe.row);
  if (!found) return false;
  removed_rows_.push_back(taken.row);
  if (plan_.ttl_us > 0) groups_.Write(slot, duck::EpochClockMicros(*context_.client));
  return true;
}

void TopN::TakeAwayRetracted() {
  for (size_t at = 0; at < retracted_.size();) {
    uint32_t bytes = 0;
    std::memcpy(&bytes, retracted_.data() + at, sizeof bytes);
    std::string_view record(retracted_.data() + at + sizeof bytes, bytes);
    at += sizeof bytes + bytes;
    if (!TakeAway(record)) BuryUnknown(record);
  }
  retracted_.clear();
}

void TopN::OnEpochEnd() {
  if (shows_once_) return;
  ForgetOldPartitions();
  forgot_ = false;
  TakeAwayRetracted();
  for (size_t i = 0; i < touched_.size(); i++) {
    size_t end = i + 1 < touched_.size() ? before_begin_[i + 1] : before_.size();
    after_.clear();
    AppendRanked(partitions_[touched_[i]], plan_.first, after_);
    EmitChanges(before_.data() + before_begin_[i], before_.data() + end);
  }
  Flush();
  for (uint32_t slot : touched_) {
    is_touched_[slot] = 0;
    if (partitions_[slot].empty() && !windowed_) groups_.Erase(slot);
  }
  for (uint32_t row : removed_rows_) rows_.Remove(row);
  removed_rows_.clear();
  touched_.clear();
  before_.clear();
  before_begin_.clear();
  UpdateStateSize();
}

// Both lists are in the order of Compare: one walk finds what left, what came and what moved.
void TopN::EmitChanges(const Ranked* before, const Ranked* before_end) {
  const Ranked* after = after_.data();
  const Ranked* after_end = after + after_.size();
  while (before != before_end || after != after_end) {
    int order = before == before_end ? 1
                : after == after_end ? -1
                                     : Compare(before->entry, after->entry);
    bool same = order == 0 && (!plan_.shows_rank || before->rank == after->rank);
    if (order <= 0) {
      if (!same) Add(*before, -1);
      before++;
    }
    if (order >= 0) {
      if (!same) Add(*after, +1);
      after++;
    }
  }
}

void TopN::Add(const Ranked& ranked, int32_t weight) {
  if (weights_.size() == STANDARD_VECTOR_SIZE) Flush();
  idx_t at = weights_.size();
  std::string_view record = rows_.At(ranked.entry.row);
  key_codec_.Decode(groups_.keys().Key(HeaderOf(record).slot), output_, plan_.keys, at);
  row_codec_.Decode(RowOf(record), output_, row_columns_, at);
  if (plan_.shows_rank) {
    duckdb::FlatVector::GetData<int64_t>(output_.data.back())[at] = ranked.rank;
  }
  weights_.push_back(weight);
}

// A changelog without a key may take away what it never told of.
void TopN::BuryUnknown(std::string_view record) {
  duckdb::DataChunk row;
  row.Initialize(duckdb::Allocator::DefaultAllocator(), plan_.types);
  key_codec_.Decode(groups_.keys().Key(HeaderOf(record).slot), row, plan_.keys, 0);
  row_codec_.Decode(RowOf(record), row, row_columns_, 0);
  row.SetCardinality(1);
  stats_.rows_failed++;
  stats_.rows_failed_taken++;
  context_.dead_letters->Add(UnknownRow("top-n", context_.job, row));
}

void TopN::Flush() {
  if (weights_.empty()) return;
  output_.SetCardinality(weights_.size());
  Batch out;
  out.rows = &output_;
  if (!shows_once_) out.weights = weights_.data();
  emitter_.Emit(out);
  weights_.clear();
  output_.Reset();
}

void TopN::OnWatermark(const Frontiers& frontiers) {
  if (!windowed_) return;
  OnEpochEnd();  // what early windows are still to show
  late_.Advance(frontiers);
  while (!panes_.empty() && panes_.begin()->first < late_.closed_before()) {
    for (uint32_t slot : panes_.begin()->second) {
      if (!shows_once_) break;
      after_.clear();
      AppendRanked(partitions_[slot], plan_.first, after_);
      for (const Ranked& ranked : after_) Add(ranked, 1);
    }
    Flush();
    for (uint32_t slot : panes_.begin()->second) Forget(slot);
    panes_.erase(panes_.begin());
  }
  UpdateStateSize();
}

void TopN::Forget(uint32_t slot) {
  partitions_[slot].ForEach([&](const Entry& entry) {
    rows_.Remove(entry.row);
    return true;
  });
  partitions_[slot] = Partition();
  groups_.Erase(slot);
}

void TopN::Snapshot(state::StateWriter& writer) {
  groups_.Snapshot(writer, id());
  rows_.Snapshot(writer, id(), kRowPrefix);
  if (windowed_) late_.Snapshot(writer, id());
}

void TopN::UpdateStateSize() {
  stats_.state_rows = static_cast<int64_t>(rows_.size());
  stats_.state_bytes = static_cast<int64_t>(groups_.bytes() + rows_.bytes() +
                                            partitions_.capacity() * sizeof(Partition) +
                                            rows_.size() * sizeof(Entry));
}

OperatorDescription TopN::Describe() const {
  auto list = [&](const std::vector<idx_t>& columns) {
    std::vector<std::string> texts;
    for (idx_t c : columns) texts.push_back(plan_.names[c]);
    return Join(texts, ", ");
  };
  const char* rank = plan_.rank == TopNPlan::Rank::kRank        ? "rank"
                     : plan_.rank == TopNPlan::Rank::kDenseRank ? "dense_rank"
                                                                : "row_number";
  OperatorDescription description;
  description.name = "TopN";
  if (!plan_.keys.empty()) description.detail = "by " + list(plan_.keys) + ": ";
  description.detail += plan_.first == 1
                            ? fmt::format("{} <= {}", rank, plan_.last)
                            : fmt::format("{} {} to {}", rank, plan_.first, plan_.last);
  std::vector<std::string> order;
  for (size_t i = 0; i < plan_.order_columns.size(); i++) {
    bool descending = plan_.order[i].order_type == duckdb::OrderType::DESCENDING;
    order.push_back(plan_.names[plan_.order_columns[i]] + (descending ? " desc" : ""));
  }
  description.detail +=
      order.empty() ? " in order of arrival" : " in order of " + Join(order, ", ");
  if (plan_.last_wins) description.detail += ", the last of equal ones first";
  if (plan_.early) description.detail += "; open windows shown every epoch";
  description.changelog = shows_once_ ? "append" : "retract";
  if (windowed_) {
    description.state = "the best rows per open window and key";
    description.freed_by =
        fmt::format("the frontier passing \"{}\"", plan_.names[static_cast<size_t>(plan_.pane)]);
  } else if (plan_.input_retracts) {
    description.state = "all rows, ordered per key (the input may take the best ones away)";
    description.freed_by = "nothing but retractions, unless SET 'table.exec.state.ttl' = '…' does";
  } else {
    description.state = plan_.last == 1 ? "one row per key" : "the best rows per key";
    description.freed_by =
        "nothing: a key stays, unless SET 'table.exec.state.ttl' = '…' bounds it";
  }
  if (plan_.ttl_us > 0) {
    description.freed_by = fmt::format(
        "\"table.exec.state.ttl\": keys whose rows did not change for {}; retractions of forgotten "
        "rows are left out (filtered)",
        FormatDurationMicros(plan_.ttl_us));
  }
  return description;
}

}  // namespace millrace::stream
