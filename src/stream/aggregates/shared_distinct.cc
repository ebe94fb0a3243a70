#include "stream/aggregates/shared_distinct.h"

#include <optional>

#include "env/large_memory.h"
#include "state/entry_bytes.h"
#include "stream/aggregates/column_reader.h"
#include "stream/key_table.h"
#include "stream/row_codec.h"

namespace millrace::stream {

namespace {

constexpr size_t kPageBytes = 64 << 10;

// The values of all groups, and which members have seen each.
//
// State entries: page number (4 bytes big endian) -> {size (4 bytes), slot ++ value, members that
// have seen it (1 byte)} …, for each value that a member saw for the first time since the snapshot
// before. Pages are never rewritten; of a value that is in several, the members add up.
class SharedValues {
 public:
  SharedValues(std::vector<DistinctMember> members, int argument, const duckdb::LogicalType& type)
      : members_(std::move(members)), argument_(argument), codec_({type}), news_(members_.size()) {}

  Aggregate& inner(size_t member) { return *members_[member].inner; }

  void Update(const AggregateInput& in) {
    FindValues(in);
    for (News& news : news_) {
      news.rows.clear();
      news.slots.clear();
    }
    for (size_t i = 0; i < found_.size(); i++) {
      const auto [entry, added] = found_[i];
      if (added) {
        if (entry >= seen_.size()) seen_.resize(entry + entry / 2 + 16);
        seen_[entry] = 0;
      }
      const auto fresh = static_cast<uint8_t>(wanted_[i] & ~seen_[entry]);
      if (fresh == 0) continue;
      seen_[entry] |= fresh;
      changed_.push_back(entry);
      for (size_t m = 0; m < news_.size(); m++) {
        if ((fresh >> m & 1) == 0) continue;
        news_[m].rows.push_back(in.rows[positions_[i]]);
        news_[m].slots.push_back(in.slots[positions_[i]]);
      }
    }
    for (size_t m = 0; m < news_.size(); m++) {
      const News& news = news_[m];
      if (news.rows.empty()) continue;
      inner(m).Update({in.chunk, news.rows.data(), news.slots.data(), nullptr,
                       static_cast<uint32_t>(news.rows.size())});
    }
  }

  void Snapshot(state::StateWriter& writer, uint32_t operator_id, std::string_view prefix) {
    std::string page;
    std::string key;
    for (size_t next = 0; next < changed_.size();) {
      page.clear();
      for (; next < changed_.size() && page.size() < kPageBytes; next++) {
        const std::string_view value = table_.Key(changed_[next]);
        state::PutText(page, value);
        page += static_cast<char>(seen_[changed_[next]]);
      }
      key.assign(prefix);
      state::PutBigEndian(key, pages_, 4);
      pages_++;
      writer.Put(operator_id, key, page);
    }
    changed_.clear();
  }

  void Restore(const state::StateReader& reader, uint32_t operator_id, std::string_view prefix) {
    reader.Scan(operator_id, prefix, [&](std::string_view, std::string_view page) {
      while (!page.empty()) {
        const uint32_t entry = table_.FindOrAdd(state::TakeText(page)).slot;
        if (entry >= seen_.size()) seen_.resize(entry + entry / 2 + 16);
        seen_[entry] |= state::TakeNumber<uint8_t>(page);
      }
      pages_++;
    });
  }

  size_t bytes() const {
    return table_.bytes() + seen_.capacity() + changed_.capacity() * sizeof(uint32_t);
  }

 private:
  struct News {  // rows whose value a member has not seen
    std::vector<uint32_t> rows;
    std::vector<uint32_t> slots;
  };

  // Of the rows that a member wants and whose value is not NULL: which they are, which members want
  // them, and where their value is.
  void FindValues(const AggregateInput& in) {
    ColumnReader values(*in.chunk, argument_);
    std::vector<std::optional<ColumnReader>> filters;
    for (const DistinctMember& member : members_) {
      filters.emplace_back();
      if (member.filter >= 0) filters.back().emplace(*in.chunk, member.filter);
    }
    codec_.Bind(*in.chunk, {static_cast<duckdb::idx_t>(argument_)});
    positions_.clear();
    wanted_.clear();
    keys_.Clear();
    for (uint32_t i = 0; i < in.count; i++) {
      const uint32_t row = in.rows[i];
      if (!values.IsValid(row)) continue;
      uint8_t wanted = 0;
      for (size_t m = 0; m < filters.size(); m++) {
        const bool wants = !filters[m] || (filters[m]->IsValid(row) && filters[m]->Get<bool>(row));
        wanted = static_cast<uint8_t>(wanted | (wants ? 1U << m : 0U));
      }
      if (wanted == 0) continue;
      positions_.push_back(i);
      wanted_.push_back(wanted);
      key_.assign(reinterpret_cast<const char*>(&in.slots[i]), sizeof in.slots[i]);
      key_.append(codec_.Encode(row));
      keys_.Add(key_);
    }
    table_.FindOrAdd(keys_, found_);
  }

  std::vector<DistinctMember> members_;
  const int argument_;
  RowCodec codec_;
  KeyTable table_;                  // (slot, value)
  env::LargeVector<uint8_t> seen_;  // members, by entry of table_
  std::vector<uint32_t> changed_;   // entries of which seen_ changed since the last snapshot
  uint32_t pages_ = 0;
  std::string key_;
  // Of the rows in hand.
  std::vector<uint32_t> positions_;
  std::vector<uint8_t> wanted_;
  EncodedKeys keys_;
  std::vector<KeyTable::Found> found_;
  std::vector<News> news_;  // by member
};

// What GroupStates sees of a member. The first one does what is done for all.
class Member : public Aggregate {
 public:
  Member(std::shared_ptr<SharedValues> values, size_t index)
      : values_(std::move(values)), inner_(values_->inner(index)), first_(index == 0) {}

  void Resize(uint32_t slots) override { inner_.Resize(slots); }
  void Update(const AggregateInput& in) override {
    if (first_) values_->Update(in);
  }
  void Finish(const uint32_t* slots, uint32_t count, duckdb::Vector& result) const override {
    inner_.Finish(slots, count, result);
  }
  void Reset(uint32_t slot) override { inner_.Reset(slot); }
  void Save(uint32_t slot, std::string& out) const override { inner_.Save(slot, out); }
  size_t Load(uint32_t slot, std::string_view bytes) override { return inner_.Load(slot, bytes); }
  void SnapshotEntries(state::StateWriter& writer, uint32_t operator_id,
                       std::string_view prefix) override {
    if (first_) values_->Snapshot(writer, operator_id, prefix);
  }
  void RestoreEntries(const state::StateReader& reader, uint32_t operator_id,
                      std::string_view prefix) override {
    if (first_) values_->Restore(reader, operator_id, prefix);
  }
  size_t bytes() const override { return inner_.bytes() + (first_ ? values_->bytes() : 0); }

 private:
  std::shared_ptr<SharedValues> values_;
  Aggregate& inner_;
  const bool first_;
};

}  // namespace

std::vector<std::unique_ptr<Aggregate>> NewSharedDistinct(std::vector<DistinctMember> members,
                                                          int argument,
                                                          const duckdb::LogicalType& type) {
  const size_t count = members.size();
  auto values = std::make_shared<SharedValues>(std::move(members), argument, type);
  std::vector<std::unique_ptr<Aggregate>> made;
  for (size_t m = 0; m < count; m++) made.push_back(std::make_unique<Member>(values, m));
  return made;
}

}  // namespace millrace::stream
