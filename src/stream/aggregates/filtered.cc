#include "stream/aggregates/filtered.h"

#include <vector>

#include "stream/aggregates/column_reader.h"

namespace millrace::stream {

namespace {

class Filtered : public Aggregate {
 public:
  Filtered(std::unique_ptr<Aggregate> inner, int filter)
      : inner_(std::move(inner)), filter_(filter) {}

  void Resize(uint32_t slots) override { inner_->Resize(slots); }
  void Update(const AggregateInput& in) override {
    ColumnReader condition(*in.chunk, filter_);
    rows_.clear();
    slots_.clear();
    weights_.clear();
    for (uint32_t i = 0; i < in.count; i++) {
      if (!condition.IsValid(in.rows[i]) || !condition.Get<bool>(in.rows[i])) continue;
      rows_.push_back(in.rows[i]);
      slots_.push_back(in.slots[i]);
      if (in.weights) weights_.push_back(in.weights[i]);
    }
    if (rows_.empty()) return;
    inner_->Update({in.chunk, rows_.data(), slots_.data(), in.weights ? weights_.data() : nullptr,
                    static_cast<uint32_t>(rows_.size())});
  }
  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    inner_->Finish(slots, count, result);
  }
  void Reset(uint32_t slot) override { inner_->Reset(slot); }
  void Save(uint32_t slot, std::string& out) const override { inner_->Save(slot, out); }
  size_t Load(uint32_t slot, std::string_view bytes) override { return inner_->Load(slot, bytes); }
  void SnapshotEntries(state::StateWriter& writer, uint32_t operator_id,
                       std::string_view prefix) override {
    inner_->SnapshotEntries(writer, operator_id, prefix);
  }
  void RestoreEntries(const state::StateReader& reader, uint32_t operator_id,
                      std::string_view prefix) override {
    inner_->RestoreEntries(reader, operator_id, prefix);
  }
  size_t bytes() const override { return inner_->bytes(); }

 private:
  std::unique_ptr<Aggregate> inner_;
  int filter_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> slots_;
  std::vector<int32_t> weights_;
};

}  // namespace

std::unique_ptr<Aggregate> NewFiltered(std::unique_ptr<Aggregate> inner, int filter) {
  return std::make_unique<Filtered>(std::move(inner), filter);
}

}  // namespace millrace::stream
