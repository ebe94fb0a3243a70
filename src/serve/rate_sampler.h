// RateSampler: counters that grow -> rates per second and a short history, sampled once a second.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::serve {

class RateSampler {
 public:
  // Records the counters' values at a time. Counters are free to appear and vanish.
  void Sample(int64_t now_ms, const std::map<std::string, int64_t>& counters);
  // Rate over the last few seconds; 0 while unknown.
  double Rate(const std::string& counter) const;

  struct History {
    std::vector<int64_t> time_ms;
    std::vector<double> rates;  // between a sample and the one before
  };
  // The last five minutes.
  History HistoryOf(const std::string& counter) const;

 private:
  struct Point {
    int64_t time_ms;
    std::map<std::string, int64_t> counters;
  };
  mutable std::mutex mutex_;
  std::deque<Point> points_;
};

}  // namespace millrace::serve
