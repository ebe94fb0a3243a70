#include "stream/aggregates/count.h"
#include "env/large_memory.h"

#include <cstring>
#include <vector>

#include "stream/aggregates/column_reader.h"

namespace millrace::stream {

namespace {

class Count : public Aggregate {
 public:
  explicit Count(int argument) : argument_(argument) {}

  void Resize(uint32_t slots) override { counts_.resize(slots); }

  void Update(const AggregateInput& in) override {
    if (argument_ < 0) {
      for (uint32_t i = 0; i < in.count; i++)
        counts_[in.slots[i]] += in.weights ? in.weights[i] : 1;
      return;
    }
    ColumnReader values(*in.chunk, argument_);
    for (uint32_t i = 0; i < in.count; i++) {
      if (values.IsValid(in.rows[i])) counts_[in.slots[i]] += in.weights ? in.weights[i] : 1;
    }
  }

  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    auto* out = duckdb::FlatVector::GetData<int64_t>(result);
    for (uint32_t i = 0; i < count; i++) out[i] = counts_[slots[i]];
  }

  void Reset(uint32_t slot) override { counts_[slot] = 0; }
  void Save(uint32_t slot, std::string& out) const override {
    out.append(reinterpret_cast<const char*>(&counts_[slot]), sizeof(int64_t));
  }
  size_t Load(uint32_t slot, std::string_view bytes) override {
    std::memcpy(&counts_[slot], bytes.data(), sizeof(int64_t));
    return sizeof(int64_t);
  }
  size_t bytes() const override { return counts_.capacity() * sizeof(int64_t); }

 private:
  int argument_;
  env::LargeVector<int64_t> counts_;
};

}  // namespace

std::unique_ptr<Aggregate> NewCount(int argument) {
  return std::make_unique<Count>(argument);
}

}  // namespace millrace::stream
