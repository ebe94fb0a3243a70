#include "stream/aggregates/distinct.h"

#include <cstring>
#include <vector>

#include "env/large_memory.h"
#include "stream/aggregates/column_reader.h"
#include "stream/key_table.h"
#include "stream/row_codec.h"

#include "state/entry_bytes.h"

namespace millrace::stream {

namespace {

constexpr size_t kPageBytes = 64 << 10;

// State entries. Input that only appends: pages of values in the order they came, never rewritten,
// page number (4 bytes big endian) -> {size (4 bytes), slot ++ value} …: an entry for each value
// costs more than all the rest of the aggregate. Input that retracts, or groups that are forgotten:
// slot ++ value -> how often it is there.
class Distinct : public Aggregate {
 public:
  Distinct(std::unique_ptr<Aggregate> inner, int argument, const duckdb::LogicalType& type,
           bool retracts, bool forgets)
      : inner_(std::move(inner)),
        argument_(argument),
        codec_({type}),
        counts_values_(retracts || forgets),
        forgets_(forgets) {}

  void Resize(uint32_t slots) override { inner_->Resize(slots); }

  void Update(const AggregateInput& in) override {
    ColumnReader values(*in.chunk, argument_);
    codec_.Bind(*in.chunk, {static_cast<duckdb::idx_t>(argument_)});
    rows_.clear();
    slots_.clear();
    weights_.clear();
    keys_.Clear();
    for (uint32_t i = 0; i < in.count; i++) {
      if (values.IsValid(in.rows[i])) keys_.Add(KeyOf(in.slots[i], codec_.Encode(in.rows[i])));
    }
    table_.FindOrAdd(keys_, found_);
    size_t next = 0;
    for (uint32_t i = 0; i < in.count; i++) {
      if (!values.IsValid(in.rows[i])) continue;
      auto [entry, added] = found_[next++];
      int32_t change = added ? 1 : 0;
      if (counts_values_) {
        if (entry >= counts_.size()) counts_.resize(entry + 1);
        if (forgets_ && added) List(entry);
        int64_t before = added ? 0 : counts_[entry];
        counts_[entry] = before + (in.weights ? in.weights[i] : 1);
        change = (counts_[entry] > 0) - (before > 0);
        if (counts_[entry] == 0) emptied_.push_back(entry);
        MarkChanged(entry);
      }
      if (change == 0) continue;
      rows_.push_back(in.rows[i]);
      slots_.push_back(in.slots[i]);
      weights_.push_back(change);
    }
    if (!rows_.empty()) {
      inner_->Update({in.chunk, rows_.data(), slots_.data(), weights_.data(),
                      static_cast<uint32_t>(rows_.size())});
    }
    EraseEmptied();
  }

  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    inner_->Finish(slots, count, result);
  }

  void Reset(uint32_t slot) override {
    inner_->Reset(slot);
    // Without `forgets` every row of the group was taken away, so its values are gone already.
    if (!forgets_ || slot >= first_of_slot_.size()) return;
    while (first_of_slot_[slot] != kNone) Forget(first_of_slot_[slot]);
  }

  void Save(uint32_t slot, std::string& out) const override { inner_->Save(slot, out); }
  size_t Load(uint32_t slot, std::string_view bytes) override { return inner_->Load(slot, bytes); }

  void SnapshotEntries(state::StateWriter& writer, uint32_t operator_id,
                       std::string_view prefix) override {
    if (!counts_values_) {
      SnapshotPages(writer, operator_id, prefix);
      return;
    }
    std::string key;
    for (const std::string& gone : erased_) {
      key.assign(prefix).append(gone);
      writer.Delete(operator_id, key);
    }
    erased_.clear();
    for (uint32_t entry : changed_) {
      if (entry >= table_.slots() || !table_.Live(entry)) continue;
      key.assign(prefix).append(table_.Key(entry));
      writer.Put(operator_id, key,
                 {reinterpret_cast<const char*>(&counts_[entry]), sizeof(int64_t)});
    }
    for (uint32_t entry : changed_) is_changed_[entry] = 0;
    changed_.clear();
  }

  void RestoreEntries(const state::StateReader& reader, uint32_t operator_id,
                      std::string_view prefix) override {
    reader.Scan(operator_id, prefix, [&](std::string_view key, std::string_view value) {
      if (!counts_values_) {
        RestorePage(value);
        return;
      }
      uint32_t entry = table_.FindOrAdd(key.substr(prefix.size())).slot;
      if (entry >= counts_.size()) counts_.resize(entry + 1);
      if (forgets_) List(entry);
      std::memcpy(&counts_[entry], value.data(), sizeof(int64_t));
    });
  }

  size_t bytes() const override {
    return inner_->bytes() + table_.bytes() + counts_.capacity() * sizeof(int64_t) +
           first_of_slot_.capacity() * sizeof(uint32_t) + links_.capacity() * sizeof(Links);
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Links {
    uint32_t before = kNone;
    uint32_t next = kNone;
  };

  std::string_view KeyOf(uint32_t slot, std::string_view value) {
    key_.assign(reinterpret_cast<const char*>(&slot), sizeof slot);
    key_.append(value);
    return key_;
  }

  // The values that were added since the last snapshot: nothing is erased, so they are the last.
  void SnapshotPages(state::StateWriter& writer, uint32_t operator_id, std::string_view prefix) {
    std::string page;
    std::string key;
    while (saved_ < table_.slots()) {
      page.clear();
      while (saved_ < table_.slots() && page.size() < kPageBytes) {
        const std::string_view value = table_.Key(saved_++);
        const auto size = static_cast<uint32_t>(value.size());
        page.append(reinterpret_cast<const char*>(&size), sizeof size);
        page.append(value);
      }
      key.assign(prefix);
      state::PutBigEndian(key, pages_, 4);
      pages_++;
      writer.Put(operator_id, key, page);
    }
  }

  void RestorePage(std::string_view page) {
    while (!page.empty()) {
      uint32_t size = 0;
      std::memcpy(&size, page.data(), sizeof size);
      table_.FindOrAdd(page.substr(sizeof size, size));
      page.remove_prefix(sizeof size + size);
    }
    saved_ = table_.slots();
    pages_++;
  }

  void MarkChanged(uint32_t entry) {
    if (entry >= is_changed_.size()) is_changed_.resize(entry + 1);
    if (is_changed_[entry]) return;
    is_changed_[entry] = 1;
    changed_.push_back(entry);
  }

  void EraseEmptied() {
    for (uint32_t entry : emptied_) {
      if (table_.Live(entry) && counts_[entry] == 0) Forget(entry);
    }
    emptied_.clear();
  }

  void Forget(uint32_t entry) {
    if (forgets_) Unlist(entry);
    erased_.emplace_back(table_.Key(entry));
    table_.Erase(entry);
  }

  uint32_t SlotOf(uint32_t entry) const {
    uint32_t slot = 0;
    std::memcpy(&slot, table_.Key(entry).data(), sizeof slot);
    return slot;
  }

  void List(uint32_t entry) {
    const uint32_t slot = SlotOf(entry);
    if (entry >= links_.size()) links_.resize(entry + entry / 2 + size_t{16});
    if (slot >= first_of_slot_.size()) first_of_slot_.resize(slot + slot / 2 + size_t{16}, kNone);
    const uint32_t next = first_of_slot_[slot];
    links_[entry] = {kNone, next};
    if (next != kNone) links_[next].before = entry;
    first_of_slot_[slot] = entry;
  }

  void Unlist(uint32_t entry) {
    const Links links = links_[entry];
    if (links.next != kNone) links_[links.next].before = links.before;
    if (links.before != kNone) {
      links_[links.before].next = links.next;
    } else {
      first_of_slot_[SlotOf(entry)] = links.next;
    }
  }

  std::unique_ptr<Aggregate> inner_;
  int argument_;
  RowCodec codec_;
  const bool counts_values_;
  const bool forgets_;
  KeyTable table_;      // (slot, value)
  uint32_t saved_ = 0;  // entries of table_ that are in pages; only without counts_values_
  uint32_t pages_ = 0;
  // By entry of table_; only with counts_values_.
  env::LargeVector<int64_t> counts_;
  std::vector<uint32_t> changed_;
  std::vector<uint8_t> is_changed_;
  std::vector<uint32_t> emptied_;  // count fell to 0 in this update
  std::vector<std::string> erased_;
  // The values of a slot, as a list; only with forgets_.
  env::LargeVector<uint32_t> first_of_slot_;
  env::LargeVector<Links> links_;  // by entry of table_
  std::string key_;
  EncodedKeys keys_;  // of the rows in hand, and where they were found
  std::vector<KeyTable::Found> found_;
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> slots_;
  std::vector<int32_t> weights_;
};

}  // namespace

std::unique_ptr<Aggregate> NewDistinct(std::unique_ptr<Aggregate> inner, int argument,
                                       const duckdb::LogicalType& type, bool retracts,
                                       bool forgets) {
  return std::make_unique<Distinct>(std::move(inner), argument, type, retracts, forgets);
}

}  // namespace millrace::stream
