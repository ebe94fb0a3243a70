#include "serve/rate_sampler.h"

#include <algorithm>

namespace millrace::serve {

namespace {
constexpr size_t kPointsMax = 301;
constexpr size_t kRatePoints = 4;

double RateBetween(int64_t from_ms, int64_t from, int64_t to_ms, int64_t to) {
  double seconds = static_cast<double>(to_ms - from_ms) / 1000.0;
  return seconds <= 0 ? 0 : static_cast<double>(std::max<int64_t>(0, to - from)) / seconds;
}
}  // namespace

void RateSampler::Sample(int64_t now_ms, const std::map<std::string, int64_t>& counters) {
  std::lock_guard<std::mutex> lock(mutex_);
  points_.push_back({now_ms, counters});
  if (points_.size() > kPointsMax) points_.pop_front();
}

double RateSampler::Rate(const std::string& counter) const {
  std::lock_guard<std::mutex> lock(mutex_);
  if (points_.size() < 2) return 0;
  const Point& last = points_.back();
  const Point& first = points_[points_.size() - std::min(points_.size(), kRatePoints)];
  auto to = last.counters.find(counter);
  auto from = first.counters.find(counter);
  if (to == last.counters.end() || from == first.counters.end()) return 0;
  return RateBetween(first.time_ms, from->second, last.time_ms, to->second);
}

RateSampler::History RateSampler::HistoryOf(const std::string& counter) const {
  std::lock_guard<std::mutex> lock(mutex_);
  History history;
  for (size_t i = 1; i < points_.size(); i++) {
    auto from = points_[i - 1].counters.find(counter);
    auto to = points_[i].counters.find(counter);
    if (from == points_[i - 1].counters.end() || to == points_[i].counters.end()) continue;
    history.time_ms.push_back(points_[i].time_ms);
    history.rates.push_back(
        RateBetween(points_[i - 1].time_ms, from->second, points_[i].time_ms, to->second));
  }
  return history;
}

}  // namespace millrace::serve
