// StopSignal: SIGINT and SIGTERM as a flag. The second one ends the process at once.
#pragma once

#include <atomic>

namespace millrace::cli {

// Installs the handlers (once per process) and ignores SIGPIPE; returns the flag.
const std::atomic<bool>& CatchStopSignals();

}  // namespace millrace::cli
