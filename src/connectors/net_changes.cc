#include "connectors/net_changes.h"

#include <algorithm>

namespace millrace::connectors {

void NetChanges::Add(std::string_view key, std::string_view row, int64_t row_id, int32_t weight) {
  auto [found, added] = index_.try_emplace(std::string(key), keys_.size());
  if (added) keys_.emplace_back(&found->first, std::vector<Row>());
  std::vector<Row>& rows = keys_[found->second].second;
  auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.bytes == row; });
  if (same == rows.end()) {
    rows.push_back({std::string(row), row_id, weight});
    return;
  }
  Row merged = std::move(*same);
  merged.weight += weight;
  rows.erase(same);
  // What cancels is forgotten, so a key that changes a million times keeps a short list. A last
  // arrival moves to the end: it wins.
  if (merged.weight != 0) rows.push_back(std::move(merged));
}

std::vector<NetChanges::Change> NetChanges::Final() const {
  std::vector<Change> changes;
  for (const auto& [key, rows] : keys_) {
    if (rows.empty()) continue;
    auto last = std::find_if(rows.rbegin(), rows.rend(), [](const Row& r) { return r.weight > 0; });
    const bool upsert = last != rows.rend();
    const Row& row = upsert ? *last : rows.back();
    changes.push_back({*key, row.bytes, row.row_id, upsert});
  }
  return changes;
}

void NetChanges::Clear() {
  keys_.clear();
  index_.clear();
}

}  // namespace millrace::connectors
