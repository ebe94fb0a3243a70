// OffsetSet: a set of offsets as ranges that do not touch.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "log/log.h"

namespace millrace::project {

class OffsetSet {
 public:
  void Add(log::OffsetRange range) {
    if (range.from >= range.to) return;
    auto next = end_of_.upper_bound(range.from);
    if (next != end_of_.begin() && std::prev(next)->second >= range.from) {
      next = std::prev(next);
      range.from = next->first;
    }
    while (next != end_of_.end() && next->first <= range.to) {
      range.to = std::max(range.to, next->second);
      next = end_of_.erase(next);
    }
    end_of_[range.from] = range.to;
  }

  // What of `range` is not in the set, in order.
  std::vector<log::OffsetRange> Missing(log::OffsetRange range) const {
    std::vector<log::OffsetRange> missing;
    auto next = end_of_.upper_bound(range.from);
    if (next != end_of_.begin()) range.from = std::max(range.from, std::prev(next)->second);
    for (; next != end_of_.end() && next->first < range.to; ++next) {
      missing.push_back({range.from, next->first});
      range.from = next->second;
    }
    if (range.from < range.to) missing.push_back(range);
    return missing;
  }

  bool Holds(log::OffsetRange range) const { return Missing(range).empty(); }

 private:
  std::map<int64_t, int64_t> end_of_;  // by where each range begins
};

}  // namespace millrace::project
