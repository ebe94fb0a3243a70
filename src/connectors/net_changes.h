// NetChanges: what an epoch's changes to a keyed table come to, one final change per key.
//
// A changelog may touch a key many times within an epoch, and the removal of an old row may come
// after the arrival of the new one. Weights of equal rows are added up per key; then a key whose
// remaining weights hold a positive one is upserted (the last such row to arrive wins), a key with
// only negative ones is deleted, and a key where everything cancels is left alone.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millrace::connectors {

class NetChanges {
 public:
  // `key` and `row`: any bytes that are equal exactly when key or row are equal. `row_id` comes
  // back from Final.
  void Add(std::string_view key, std::string_view row, int64_t row_id, int32_t weight);

  struct Change {
    std::string_view key;
    std::string_view row;  // the row to upsert, or one of the rows to delete
    int64_t row_id = 0;
    bool upsert = false;
  };
  // In the order in which the keys first came. Views live until the next Add or Clear.
  std::vector<Change> Final() const;

  void Clear();
  size_t key_count() const { return keys_.size(); }

 private:
  struct Row {
    std::string bytes;
    int64_t row_id;
    int64_t weight;
  };
  std::unordered_map<std::string, size_t> index_;  // key -> position in keys_
  std::vector<std::pair<const std::string*, std::vector<Row>>> keys_;
};

}  // namespace millrace::connectors
