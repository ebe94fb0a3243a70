#include "stream/aggregates/collected.h"

#include <algorithm>
#include <cstring>
#include <duckdb/function/create_sort_key.hpp>
#include <numeric>
#include <vector>

#include "base/strings.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"

namespace millrace::stream {

using duckdb::BoundAggregateExpression;
using duckdb::idx_t;

namespace {

// A stored value: slot of its group (4 bytes), arrival number (8 bytes), the columns.
constexpr size_t kArrivalAt = sizeof(uint32_t);
constexpr size_t kHeaderBytes = sizeof(uint32_t) + sizeof(uint64_t);

enum class Kept { kAll, kFirst, kFirstValid, kLast };

Kept WhatToKeep(const BoundAggregateExpression& bound, bool retracts) {
  bool ordered = bound.order_bys && !bound.order_bys->orders.empty();
  if (retracts || ordered || bound.children.size() != 1) return Kept::kAll;
  const std::string& name = bound.function.name;
  if (name == "first" || name == "arbitrary") return Kept::kFirst;
  if (name == "any_value") return Kept::kFirstValid;
  return name == "last" ? Kept::kLast : Kept::kAll;
}

class Collected : public Aggregate {
 public:
  Collected(const BoundAggregateExpression& bound, const AggregateColumns& columns, bool retracts)
      : bound_(duckdb::unique_ptr_cast<duckdb::Expression, BoundAggregateExpression>(bound.Copy())),
        kept_(WhatToKeep(bound, retracts)),
        codec_(Types(bound)) {
    if (columns.argument >= 0) columns_.push_back(static_cast<idx_t>(columns.argument));
    for (int column : columns.more) columns_.push_back(static_cast<idx_t>(column));
    targets_.resize(columns_.size());
    std::iota(targets_.begin(), targets_.end(), 0);
    chunk_.Initialize(duckdb::Allocator::DefaultAllocator(), Types(bound));
  }

  void Resize(uint32_t slots) override { lists_.resize(slots); }

  void Update(const AggregateInput& in) override {
    codec_.Bind(*in.chunk, columns_);
    for (uint32_t i = 0; i < in.count; i++) {
      std::vector<uint32_t>& list = lists_[in.slots[i]];
      int32_t weight = in.weights ? in.weights[i] : 1;
      std::string_view value = codec_.Encode(in.rows[i]);
      for (; weight < 0; weight++) TakeAway(list, value);
      if (kept_ == Kept::kFirstValid && !(value[0] & 1)) continue;
      if ((kept_ == Kept::kFirst || kept_ == Kept::kFirstValid) && !list.empty()) continue;
      if (kept_ == Kept::kLast && weight > 0 && !list.empty()) RemoveAll(list);
      for (; weight > 0; weight--) Append(in.slots[i], value);
    }
  }

  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    const duckdb::AggregateFunction& function = bound_->function;
    duckdb::ArenaAllocator allocator(duckdb::Allocator::DefaultAllocator());
    duckdb::AggregateInputData input(bound_->bind_info.get(), allocator);
    auto bytes = function.GetStateSizeCallback()(function);
    std::unique_ptr<duckdb::data_t[]> state(new duckdb::data_t[bytes]);
    duckdb::Vector states(duckdb::LogicalType::POINTER);
    for (idx_t i = 0; i < STANDARD_VECTOR_SIZE; i++) {
      duckdb::FlatVector::GetData<duckdb::data_ptr_t>(states)[i] = state.get();
    }
    duckdb::Vector made(result.GetType());
    for (uint32_t i = 0; i < count; i++) {
      function.GetStateInitCallback()(function, state.get());
      std::vector<uint32_t> order = InOrder(lists_[slots[i]]);
      for (size_t first = 0; first < order.size(); first += STANDARD_VECTOR_SIZE) {
        size_t size = std::min<size_t>(STANDARD_VECTOR_SIZE, order.size() - first);
        Load(order.data() + first, size);
        function.GetStateUpdateCallback()(chunk_.data.data(), input, bound_->children.size(),
                                          states, size);
      }
      // Strings of a result may lie in the arena: copied before that is gone.
      function.GetStateFinalizeCallback()(states, input, made, 1, 0);
      duckdb::VectorOperations::Copy(made, result, 1, 0, i);
      duckdb::FlatVector::SetNull(made, 0, false);
      if (function.HasStateDestructorCallback()) {
        function.GetStateDestructorCallback()(states, input, 1);
      }
    }
  }

  void Reset(uint32_t slot) override { RemoveAll(lists_[slot]); }

  void Save(uint32_t, std::string&) const override {}
  size_t Load(uint32_t, std::string_view) override { return 0; }
  void SnapshotEntries(state::StateWriter& writer, uint32_t operator_id,
                       std::string_view prefix) override {
    rows_.Snapshot(writer, operator_id, prefix);
  }
  void RestoreEntries(const state::StateReader& reader, uint32_t operator_id,
                      std::string_view prefix) override {
    rows_.Restore(reader, operator_id, prefix, [&](uint32_t row, std::string_view) {
      lists_[SlotOf(row)].push_back(row);
      next_arrival_ = std::max(next_arrival_, ArrivalOf(row) + 1);
    });
    for (std::vector<uint32_t>& list : lists_) {
      std::sort(list.begin(), list.end(),
                [&](uint32_t a, uint32_t b) { return ArrivalOf(a) < ArrivalOf(b); });
    }
  }

  size_t bytes() const override {
    return rows_.bytes() + rows_.size() * sizeof(uint32_t) +
           lists_.capacity() * sizeof(std::vector<uint32_t>);
  }

 private:
  // Of the arguments, then of what they are ordered by.
  static duckdb::vector<duckdb::LogicalType> Types(const BoundAggregateExpression& bound) {
    duckdb::vector<duckdb::LogicalType> types;
    for (const auto& child : bound.children) types.push_back(child->return_type);
    if (!bound.order_bys) return types;
    for (const auto& order : bound.order_bys->orders) {
      types.push_back(order.expression->return_type);
    }
    return types;
  }

  uint32_t SlotOf(uint32_t row) const {
    uint32_t slot = 0;
    std::memcpy(&slot, rows_.At(row).data(), sizeof slot);
    return slot;
  }
  uint64_t ArrivalOf(uint32_t row) const {
    uint64_t arrival = 0;
    std::memcpy(&arrival, rows_.At(row).data() + kArrivalAt, sizeof arrival);
    return arrival;
  }

  void Append(uint32_t slot, std::string_view value) {
    record_.assign(reinterpret_cast<const char*>(&slot), sizeof slot);
    record_.append(reinterpret_cast<const char*>(&next_arrival_), sizeof next_arrival_);
    record_.append(value);
    next_arrival_++;
    lists_[slot].push_back(rows_.Add(record_));
  }

  void TakeAway(std::vector<uint32_t>& list, std::string_view value) {
    auto at = std::find_if(list.begin(), list.end(), [&](uint32_t row) {
      return rows_.At(row).substr(kHeaderBytes) == value;
    });
    if (at == list.end()) return;  // of a changelog that takes away what it never told of
    rows_.Remove(*at);
    list.erase(at);
  }

  void RemoveAll(std::vector<uint32_t>& list) {
    for (uint32_t row : list) rows_.Remove(row);
    list.clear();
  }

  // Writes rows to chunk_.
  void Load(const uint32_t* rows, size_t count) const {
    chunk_.Reset();
    for (size_t i = 0; i < count; i++) {
      codec_.Decode(rows_.At(rows[i]).substr(kHeaderBytes), chunk_, targets_, i);
    }
    chunk_.SetCardinality(count);
  }

  // The rows in the order that ORDER BY asks for; equal ones, and without it all, as they came.
  std::vector<uint32_t> InOrder(const std::vector<uint32_t>& list) const {
    if (!bound_->order_bys || bound_->order_bys->orders.empty()) return list;
    const auto& orders = bound_->order_bys->orders;
    duckdb::vector<duckdb::OrderModifiers> modifiers;
    duckdb::vector<duckdb::LogicalType> types;
    for (const auto& order : orders) {
      modifiers.emplace_back(order.type, order.null_order);
      types.push_back(order.expression->return_type);
    }
    std::vector<std::pair<std::string, uint32_t>> sorted;
    for (size_t first = 0; first < list.size(); first += STANDARD_VECTOR_SIZE) {
      size_t size = std::min<size_t>(STANDARD_VECTOR_SIZE, list.size() - first);
      Load(list.data() + first, size);
      duckdb::DataChunk columns;
      columns.InitializeEmpty(types);
      for (idx_t c = 0; c < types.size(); c++) {
        columns.data[c].Reference(chunk_.data[bound_->children.size() + c]);
      }
      columns.SetCardinality(size);
      duckdb::Vector keys(duckdb::LogicalType::BLOB);
      duckdb::CreateSortKeyHelpers::CreateSortKey(columns, modifiers, keys);
      keys.Flatten(size);
      for (size_t i = 0; i < size; i++) {
        sorted.emplace_back(duckdb::FlatVector::GetData<duckdb::string_t>(keys)[i].GetString(),
                            list[first + i]);
      }
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<uint32_t> rows;
    for (const auto& [key, row] : sorted) rows.push_back(row);
    return rows;
  }

  duckdb::unique_ptr<BoundAggregateExpression> bound_;
  Kept kept_;
  RowCodec codec_;
  std::vector<idx_t> columns_;  // of the input chunk
  std::vector<idx_t> targets_;  // of chunk_
  RowStore rows_;
  std::vector<std::vector<uint32_t>> lists_;  // by slot, in order of arrival
  uint64_t next_arrival_ = 0;
  std::string record_;
  mutable duckdb::DataChunk chunk_;
};

}  // namespace

Result<std::unique_ptr<Aggregate>> NewCollected(const BoundAggregateExpression& bound,
                                                const AggregateColumns& columns, bool retracts) {
  const duckdb::AggregateFunction& function = bound.function;
  bool of_values = function.GetStability() == duckdb::FunctionStability::CONSISTENT &&
                   function.name.find("reservoir") == std::string::npos;
  if (!of_values || !function.HasStateUpdateCallback() || !function.HasStateFinalizeCallback()) {
    return Status(Code::kUnsupported,
                  "aggregate \"" + ToUpper(function.name) + "\" cannot run as a stream")
        .WithHint("use one whose result depends on the values alone");
  }
  return std::unique_ptr<Aggregate>(std::make_unique<Collected>(bound, columns, retracts));
}

}  // namespace millrace::stream
