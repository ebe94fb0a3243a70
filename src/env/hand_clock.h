// HandClock: a clock that stands still until somebody moves it.
//
// Contract: any thread may read and move it.
#pragma once

#include <atomic>
#include <cstdint>

#include "env/clock.h"

namespace millrace::env {

class HandClock : public Clock {
 public:
  explicit HandClock(int64_t wall_us) : wall_us_(wall_us) {}
  int64_t WallMicros() override { return wall_us_; }
  // From 1 on: 0 is what some take for "never".
  int64_t MonotonicMicros() override { return monotonic_us_; }
  void Advance(int64_t micros) {
    wall_us_ += micros;
    monotonic_us_ += micros;
  }

 private:
  std::atomic<int64_t> wall_us_;
  std::atomic<int64_t> monotonic_us_{1};
};

}  // namespace millrace::env
