#include "stream/aggregates/extreme.h"

#include <algorithm>
#include <cstring>
#include <duckdb/common/serializer/binary_deserializer.hpp>
#include <duckdb/common/serializer/binary_serializer.hpp>
#include <duckdb/common/serializer/memory_stream.hpp>
#include <duckdb/common/types/value.hpp>
#include <map>
#include <string>
#include <vector>

#include "env/large_memory.h"
#include "stream/aggregates/column_reader.h"

namespace millrace::stream {

using duckdb::LogicalType;
using duckdb::PhysicalType;
using duckdb::Value;

namespace {

// One value a group, for fixed-size types, append-only input.
template <typename T>
class FixedExtreme : public Aggregate {
 public:
  FixedExtreme(Extreme which, int argument) : which_(which), argument_(argument) {}

  void Resize(uint32_t slots) override { states_.resize(slots); }
  void Update(const AggregateInput& in) override {
    ColumnReader values(*in.chunk, argument_);
    for (uint32_t i = 0; i < in.count; i++) {
      if (!values.IsValid(in.rows[i])) continue;
      const T& value = values.Get<T>(in.rows[i]);
      State& state = states_[in.slots[i]];
      bool better = which_ == Extreme::kMin ? duckdb::LessThan::Operation(value, state.value)
                                            : duckdb::GreaterThan::Operation(value, state.value);
      if (!state.set || better) state = {value, true};
    }
  }
  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    auto* out = duckdb::FlatVector::GetData<T>(result);
    for (uint32_t i = 0; i < count; i++) {
      const State& state = states_[slots[i]];
      if (state.set) {
        out[i] = state.value;
      } else {
        duckdb::FlatVector::SetNull(result, i, true);
      }
    }
  }
  void Reset(uint32_t slot) override { states_[slot] = State(); }
  void Save(uint32_t slot, std::string& out) const override {
    out.append(reinterpret_cast<const char*>(&states_[slot].value), sizeof(T));
    out += states_[slot].set ? '\1' : '\0';
  }
  size_t Load(uint32_t slot, std::string_view bytes) override {
    std::memcpy(static_cast<void*>(&states_[slot].value), bytes.data(), sizeof(T));
    states_[slot].set = bytes[sizeof(T)] != 0;
    return sizeof(T) + 1;
  }
  size_t bytes() const override { return states_.capacity() * sizeof(State); }

 private:
  struct State {
    T value{};
    bool set = false;
  };
  Extreme which_;
  int argument_;
  env::LargeVector<State> states_;
};

// One text (or blob) a group, append-only input.
class TextExtreme : public Aggregate {
 public:
  TextExtreme(Extreme which, int argument) : which_(which), argument_(argument) {}

  void Resize(uint32_t slots) override { states_.resize(slots); }
  void Update(const AggregateInput& in) override {
    ColumnReader values(*in.chunk, argument_);
    for (uint32_t i = 0; i < in.count; i++) {
      if (!values.IsValid(in.rows[i])) continue;
      const auto& value = values.Get<duckdb::string_t>(in.rows[i]);
      const std::string_view text(value.GetData(), value.GetSize());
      State& state = states_[in.slots[i]];
      // By bytes, as DuckDB compares them.
      const bool better = which_ == Extreme::kMin ? text < state.text : text > state.text;
      if (state.set && !better) continue;
      heap_bytes_ -= HeapBytes(state);
      state.text = text;
      state.set = true;
      heap_bytes_ += HeapBytes(state);
    }
  }
  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    auto* out = duckdb::FlatVector::GetData<duckdb::string_t>(result);
    for (uint32_t i = 0; i < count; i++) {
      const State& state = states_[slots[i]];
      if (state.set) {
        out[i] =
            duckdb::StringVector::AddStringOrBlob(result, state.text.data(), state.text.size());
      } else {
        duckdb::FlatVector::SetNull(result, i, true);
      }
    }
  }
  void Reset(uint32_t slot) override {
    heap_bytes_ -= HeapBytes(states_[slot]);
    states_[slot] = State();
  }
  void Save(uint32_t slot, std::string& out) const override {
    const State& state = states_[slot];
    const auto size = static_cast<uint32_t>(state.text.size());
    out += state.set ? '\1' : '\0';
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out.append(state.text);
  }
  size_t Load(uint32_t slot, std::string_view bytes) override {
    uint32_t size = 0;
    std::memcpy(&size, bytes.data() + 1, sizeof size);
    Reset(slot);
    states_[slot] = {std::string(bytes.substr(1 + sizeof size, size)), bytes[0] != 0};
    heap_bytes_ += HeapBytes(states_[slot]);
    return 1 + sizeof size + size;
  }
  size_t bytes() const override { return states_.capacity() * sizeof(State) + heap_bytes_; }

 private:
  struct State {
    std::string text;
    bool set = false;
  };
  static size_t HeapBytes(const State& state) {
    constexpr size_t kWithoutHeap = 15;
    return state.text.capacity() > kWithoutHeap ? state.text.capacity() : 0;
  }

  Extreme which_;
  int argument_;
  std::vector<State> states_;
  size_t heap_bytes_ = 0;
};

// All values of a group with how often each is there; any type; takes values away.
class CountedExtreme : public Aggregate {
 public:
  CountedExtreme(Extreme which, int argument, bool keep_all)
      : which_(which), argument_(argument), keep_all_(keep_all) {}

  void Resize(uint32_t slots) override { sets_.resize(slots); }
  void Update(const AggregateInput& in) override {
    duckdb::Vector& column = in.chunk->data[static_cast<size_t>(argument_)];
    for (uint32_t i = 0; i < in.count; i++) {
      Value value = column.GetValue(in.rows[i]);
      if (value.IsNull()) continue;
      Set& set = sets_[in.slots[i]];
      if (!keep_all_) {
        bool better = set.empty() || (which_ == Extreme::kMin ? value < set.begin()->first
                                                              : value > set.begin()->first);
        if (better) {
          entries_ -= set.size();
          set.clear();
          set[value] = 1;
          entries_++;
        }
        continue;
      }
      auto [entry, added] = set.try_emplace(value, 0);
      if (added) entries_++;
      entry->second += in.weights ? in.weights[i] : 1;
      if (entry->second != 0) continue;
      set.erase(entry);
      entries_--;
    }
  }
  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    for (uint32_t i = 0; i < count; i++) {
      const Set& set = sets_[slots[i]];
      // A value may be taken away before it came, or that was forgotten: it is there no more.
      const auto there = [](const auto& entry) { return entry.second > 0; };
      const Value* best = nullptr;
      if (which_ == Extreme::kMin) {
        const auto found = std::find_if(set.begin(), set.end(), there);
        if (found != set.end()) best = &found->first;
      } else {
        const auto found = std::find_if(set.rbegin(), set.rend(), there);
        if (found != set.rend()) best = &found->first;
      }
      if (best) {
        result.SetValue(i, *best);
      } else {
        duckdb::FlatVector::SetNull(result, i, true);
      }
    }
  }
  void Reset(uint32_t slot) override {
    entries_ -= sets_[slot].size();
    sets_[slot].clear();
  }
  void Save(uint32_t slot, std::string& out) const override {
    duckdb::MemoryStream stream;
    for (const auto& [value, count] : sets_[slot]) {
      stream.Write<int64_t>(count);
      duckdb::BinarySerializer serializer(stream);
      serializer.Begin();
      value.Serialize(serializer);
      serializer.End();
    }
    uint64_t entries = sets_[slot].size();
    uint64_t size = stream.GetPosition();
    out.append(reinterpret_cast<const char*>(&entries), sizeof entries);
    out.append(reinterpret_cast<const char*>(&size), sizeof size);
    out.append(reinterpret_cast<const char*>(stream.GetData()), size);
  }
  size_t Load(uint32_t slot, std::string_view bytes) override {
    uint64_t entries = 0;
    uint64_t size = 0;
    std::memcpy(&entries, bytes.data(), sizeof entries);
    std::memcpy(&size, bytes.data() + sizeof entries, sizeof size);
    const char* body = bytes.data() + sizeof entries + sizeof size;
    Reset(slot);
    duckdb::MemoryStream stream(reinterpret_cast<duckdb::data_ptr_t>(const_cast<char*>(body)),
                                size);
    for (uint64_t i = 0; i < entries; i++) {
      int64_t count = stream.Read<int64_t>();
      duckdb::BinaryDeserializer deserializer(stream);
      deserializer.Begin();
      sets_[slot][Value::Deserialize(deserializer)] = count;
      deserializer.End();
    }
    entries_ += sets_[slot].size();
    return sizeof entries + sizeof size + size;
  }
  size_t bytes() const override {
    constexpr size_t kOfAnEntry = sizeof(Value) + 64;
    return sets_.capacity() * sizeof(Set) + entries_ * kOfAnEntry;
  }

 private:
  using Set = std::map<Value, int64_t>;
  Extreme which_;
  int argument_;
  bool keep_all_;
  std::vector<Set> sets_;
  size_t entries_ = 0;  // of all sets
};

template <typename T>
std::unique_ptr<Aggregate> Fixed(Extreme which, int argument) {
  return std::make_unique<FixedExtreme<T>>(which, argument);
}

}  // namespace

std::unique_ptr<Aggregate> NewExtreme(Extreme which, int argument, const LogicalType& type,
                                      bool retracts) {
  if (!retracts) {
    switch (type.InternalType()) {
      case PhysicalType::BOOL:
        return Fixed<bool>(which, argument);
      case PhysicalType::INT8:
        return Fixed<int8_t>(which, argument);
      case PhysicalType::INT16:
        return Fixed<int16_t>(which, argument);
      case PhysicalType::INT32:
        return Fixed<int32_t>(which, argument);
      case PhysicalType::INT64:
        return Fixed<int64_t>(which, argument);
      case PhysicalType::INT128:
        return Fixed<duckdb::hugeint_t>(which, argument);
      case PhysicalType::FLOAT:
        return Fixed<float>(which, argument);
      case PhysicalType::DOUBLE:
        return Fixed<double>(which, argument);
      case PhysicalType::VARCHAR:
        return std::make_unique<TextExtreme>(which, argument);
      default:
        break;
    }
  }
  return std::make_unique<CountedExtreme>(which, argument, retracts);
}

}  // namespace millrace::stream
