// The lookup cache against a list that does the same slowly, with checkpoints and restarts on the
// way; each restart must leave it with the same content and the same order of leaving.
#include "stream/lookup_cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <random>

namespace millrace::stream {
namespace {

// Entries by operator and key, as a checkpoint has them.
class Entries : public state::StateReader, public state::StateWriter {
 public:
  void Scan(uint32_t operator_id, std::string_view prefix,
            const std::function<void(std::string_view, std::string_view)>& visit) const override {
    for (const auto& [key, value] : entries_) {
      if (key.first == operator_id && key.second.rfind(prefix, 0) == 0) visit(key.second, value);
    }
  }
  void Put(uint32_t operator_id, std::string_view key, std::string_view value) override {
    entries_[{operator_id, std::string(key)}] = value;
  }
  void Delete(uint32_t operator_id, std::string_view key) override {
    entries_.erase({operator_id, std::string(key)});
  }
  void DeletePrefix(uint32_t, std::string_view) override {}
  size_t size() const { return entries_.size(); }

 private:
  std::map<std::pair<uint32_t, std::string>, std::string> entries_;
};

class Slow {
 public:
  explicit Slow(LookupCachePolicy policy) : policy_(policy) {}
  const std::string* Find(const std::string& key, int64_t now_us) const {
    for (const Entry& e : entries_) {
      if (e.key == key && (policy_.ttl_us == 0 || now_us < e.written_us + policy_.ttl_us)) {
        return &e.answer;
      }
    }
    return nullptr;
  }
  void Put(const std::string& key, const std::string& answer, int64_t now_us) {
    entries_.remove_if([&](const Entry& e) { return e.key == key; });
    entries_.push_back({key, answer, now_us});
  }
  void Trim(int64_t now_us) {
    entries_.remove_if([&](const Entry& e) {
      return policy_.ttl_us > 0 && now_us >= e.written_us + policy_.ttl_us;
    });
    while (policy_.rows_max > 0 && entries_.size() > static_cast<size_t>(policy_.rows_max)) {
      entries_.pop_front();
    }
  }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string key;
    std::string answer;
    int64_t written_us;
  };
  LookupCachePolicy policy_;
  std::list<Entry> entries_;
};

TEST(LookupCache, DoesWhatAListDoes) {
  for (uint32_t seed = 0; seed < 60; seed++) {
    std::mt19937 random(seed);
    LookupCachePolicy policy;
    policy.on = true;
    policy.rows_max = seed % 3 == 0 ? 0 : 1 + random() % 20;
    policy.ttl_us = seed % 2 == 0 ? 0 : 1 + random() % 50;
    auto cache = std::make_unique<LookupCache>(policy);
    Slow slow(policy);
    Entries stored;
    int64_t now_us = 0;
    auto key = [&] { return fmt::format("{:0{}}", random() % 30, 1 + random() % 2 * 40); };
    for (int epoch = 0; epoch < 200; epoch++) {
      now_us += random() % 10;
      for (int i = 0; i < 5; i++) {
        const std::string wanted = key();
        const std::string* found = cache->Find(wanted, now_us);
        const std::string* expected = slow.Find(wanted, now_us);
        ASSERT_EQ(found == nullptr, expected == nullptr) << "seed " << seed << " epoch " << epoch;
        if (found) {
          ASSERT_EQ(*found, *expected);
          continue;
        }
        const std::string answer(random() % 3 * 10, static_cast<char>('a' + random() % 26));
        cache->Put(wanted, answer, now_us);
        slow.Put(wanted, answer, now_us);
      }
      cache->Trim(now_us);
      slow.Trim(now_us);
      ASSERT_EQ(cache->size(), slow.size());
      if (random() % 4 != 0) continue;
      cache->Snapshot(stored, 3);
      ASSERT_EQ(stored.size(), slow.size()) << "seed " << seed << " epoch " << epoch;
      if (random() % 2 != 0) continue;
      cache = std::make_unique<LookupCache>(policy);
      cache->Restore(stored, 3);
    }
  }
}

}  // namespace
}  // namespace millrace::stream
