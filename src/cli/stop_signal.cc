#include "cli/stop_signal.h"

#include <unistd.h>
#include <csignal>

namespace millrace::cli {

namespace {
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

void OnSignal(int number) {
  if (stop_requested.exchange(true)) _exit(128 + number);
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
