// A StateStore in memory: for tests and for one-shot runs over bounded input.
#include <map>

#include "state/state_store.h"

namespace millrace::state {

namespace {

class MemoryStateStore : public StateStore, public StateWriter {
 public:
  void Scan(uint32_t operator_id, std::string_view prefix,
            const std::function<void(std::string_view, std::string_view)>& visit) const override {
    auto part = entries_.find(operator_id);
    if (part == entries_.end()) return;
    for (auto it = part->second.lower_bound(std::string(prefix));
         it != part->second.end() && it->first.compare(0, prefix.size(), prefix) == 0; ++it) {
      visit(it->first, it->second);
    }
  }
  model::Epoch epoch() const override { return epoch_; }
  void Begin(model::Epoch epoch, const std::function<void(StateWriter&)>& write) override {
    write(*this);
    epoch_ = epoch;
  }
  bool UnderWay() const override { return false; }
  bool Settled() const override { return true; }
  Status Finish() override { return Status::Ok(); }
  void Put(uint32_t operator_id, std::string_view key, std::string_view value) override {
    entries_[operator_id][std::string(key)] = value;
  }
  void Delete(uint32_t operator_id, std::string_view key) override {
    entries_[operator_id].erase(std::string(key));
  }
  void DeletePrefix(uint32_t operator_id, std::string_view prefix) override {
    auto& part = entries_[operator_id];
    for (auto it = part.lower_bound(std::string(prefix));
         it != part.end() && it->first.compare(0, prefix.size(), prefix) == 0;) {
      it = part.erase(it);
    }
  }

 private:
  std::map<uint32_t, std::map<std::string, std::string>> entries_;
  model::Epoch epoch_ = 0;
};

}  // namespace

std::unique_ptr<StateStore> StateStore::InMemory() {
  return std::make_unique<MemoryStateStore>();
}

}  // namespace millrace::state
