// Time: nobody outside env/ asks the system for it.
#pragma once

#include <cstdint>

namespace millrace::env {

class Clock {
 public:
  virtual ~Clock() = default;
  // Microseconds since 1970-01-01 UTC; may jump.
  virtual int64_t WallMicros() = 0;
  // Microseconds since some start; never goes back.
  virtual int64_t MonotonicMicros() = 0;

  // The machine's clock; lives for ever.
  static Clock* System();
};

}  // namespace millrace::env
