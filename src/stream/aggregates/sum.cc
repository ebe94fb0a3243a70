#include "stream/aggregates/sum.h"

#include <cmath>
#include <cstring>
#include <duckdb/common/types/hugeint.hpp>
#include <vector>

#include "env/large_memory.h"
#include "stream/aggregates/column_reader.h"

namespace millrace::stream {

using duckdb::hugeint_t;
using duckdb::LogicalType;
using duckdb::PhysicalType;

namespace {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Unsigned128;

Int128 ToInt128(hugeint_t value) {
  return static_cast<Int128>((static_cast<Unsigned128>(value.upper) << 64) | value.lower);
}
hugeint_t FromInt128(Int128 value) {
  hugeint_t out;
  out.lower = static_cast<uint64_t>(value);
  out.upper = static_cast<int64_t>(value >> 64);
  return out;
}

// Exact sums of integers: TINYINT to BIGINT, HUGEINT and what decimals are stored in.
struct ExactTotal {
  Int128 sum = 0;
  void Add(Int128 value, int32_t weight) { sum += value * weight; }
  double AsDouble() const { return static_cast<double>(sum); }
};

struct CompensatedTotal {
  double sum = 0;
  double lost = 0;
  void Add(double value, int32_t weight) {
    value *= weight;
    double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  double AsDouble() const { return std::isfinite(lost) ? sum + lost : sum; }
};

template <typename T>
Int128 Widen(T value) {
  return value;
}
template <>
Int128 Widen(hugeint_t value) {
  return ToInt128(value);
}

template <typename Total, typename T>
class Sum : public Aggregate {
 public:
  Sum(SumKind kind, int argument, const LogicalType& type, const LogicalType& result)
      : kind_(kind), argument_(argument), result_(result.InternalType()) {
    bool decimal = type.id() == duckdb::LogicalTypeId::DECIMAL;
    scale_ = decimal ? std::pow(10.0, duckdb::DecimalType::GetScale(type)) : 1.0;
    cut_ = !decimal && !std::is_same_v<Total, CompensatedTotal>;
  }

  void Resize(uint32_t slots) override { states_.resize(slots); }

  void Update(const AggregateInput& in) override {
    ColumnReader values(*in.chunk, argument_);
    for (uint32_t i = 0; i < in.count; i++) {
      if (!values.IsValid(in.rows[i])) continue;
      State& state = states_[in.slots[i]];
      int32_t weight = in.weights ? in.weights[i] : 1;
      if constexpr (std::is_same_v<Total, ExactTotal>) {
        state.total.Add(Widen(values.Get<T>(in.rows[i])), weight);
      } else {
        state.total.Add(static_cast<double>(values.Get<T>(in.rows[i])), weight);
      }
      state.count += weight;
    }
  }

  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    for (uint32_t i = 0; i < count; i++) {
      const State& state = states_[slots[i]];
      if (state.count == 0) {
        duckdb::FlatVector::SetNull(result, i, true);
        continue;
      }
      if (kind_ == SumKind::kAverage) {
        double mean = state.total.AsDouble() / scale_ / static_cast<double>(state.count);
        duckdb::FlatVector::GetData<double>(result)[i] = cut_ ? std::trunc(mean) : mean;
      } else if (result_ == PhysicalType::DOUBLE) {
        duckdb::FlatVector::GetData<double>(result)[i] = state.total.AsDouble();
      } else if constexpr (std::is_same_v<Total, ExactTotal>) {
        if (result_ == PhysicalType::INT64) {
          duckdb::FlatVector::GetData<int64_t>(result)[i] = static_cast<int64_t>(state.total.sum);
        } else {
          duckdb::FlatVector::GetData<hugeint_t>(result)[i] = FromInt128(state.total.sum);
        }
      }
    }
  }

  void Reset(uint32_t slot) override { states_[slot] = State(); }
  void Save(uint32_t slot, std::string& out) const override {
    out.append(reinterpret_cast<const char*>(&states_[slot]), sizeof(State));
  }
  size_t Load(uint32_t slot, std::string_view bytes) override {
    std::memcpy(&states_[slot], bytes.data(), sizeof(State));
    return sizeof(State);
  }
  size_t bytes() const override { return states_.capacity() * sizeof(State); }

 private:
  struct State {
    Total total;
    int64_t count = 0;
  };
  SumKind kind_;
  int argument_;
  PhysicalType result_;
  double scale_;
  bool cut_;
  env::LargeVector<State> states_;
};

template <typename Total, typename T>
std::unique_ptr<Aggregate> Make(SumKind kind, int argument, const LogicalType& type,
                                const LogicalType& result) {
  return std::make_unique<Sum<Total, T>>(kind, argument, type, result);
}

}  // namespace

std::unique_ptr<Aggregate> NewSum(SumKind kind, int argument, const LogicalType& type,
                                  const LogicalType& result) {
  switch (type.InternalType()) {
    case PhysicalType::BOOL:
      return Make<ExactTotal, bool>(kind, argument, type, result);
    case PhysicalType::INT8:
      return Make<ExactTotal, int8_t>(kind, argument, type, result);
    case PhysicalType::INT16:
      return Make<ExactTotal, int16_t>(kind, argument, type, result);
    case PhysicalType::INT32:
      return Make<ExactTotal, int32_t>(kind, argument, type, result);
    case PhysicalType::INT64:
      return Make<ExactTotal, int64_t>(kind, argument, type, result);
    case PhysicalType::INT128:
      return Make<ExactTotal, hugeint_t>(kind, argument, type, result);
    case PhysicalType::FLOAT:
      return Make<CompensatedTotal, float>(kind, argument, type, result);
    case PhysicalType::DOUBLE:
      return Make<CompensatedTotal, double>(kind, argument, type, result);
    default:
      return nullptr;
  }
}

}  // namespace millrace::stream
