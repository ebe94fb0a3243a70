#include "cli/stop_signal.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

namespace millrace::cli {

namespace {
std::atomic<bool> stop_requested{false};
std::atomic<int64_t> first_second{0};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");
static_assert(std::atomic<int64_t>::is_always_lock_free, "set by a signal handler");

// One key press can arrive twice (to the process and to its group), so only a second request that
// comes a moment later means "now".
void OnSignal(int number) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!stop_requested.exchange(true)) {
    first_second = now.tv_sec;
  } else if (now.tv_sec > first_second + 1) {
    _exit(128 + number);
  }
}
}  // namespace

const std::atomic<bool>& CatchStopSignals() {
  struct sigaction action {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return stop_requested;
}

}  // namespace millrace::cli
