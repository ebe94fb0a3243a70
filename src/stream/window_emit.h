// WindowEmit: when a window aggregation shows results that it may have to correct.
#pragma once

#include <cstdint>

namespace millrace::stream {

// Delays are by the epochs' clock, from the first change that is not shown yet; 0: at the end of
// the epoch. What a window holds when the frontier passes it is always shown then.
struct WindowEmit {
  bool early = false;          // also while the window is open
  int64_t early_delay_us = 0;  // of open windows
  int64_t late_delay_us = 0;   // of closed ones, corrected by late rows
};

}  // namespace millrace::stream
