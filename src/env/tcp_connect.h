// ConnectTcp: a connection to a host, with a time limit that the system's own connect() has not.
//
// Contract: any thread; blocks until it is connected, refused, or the time is over.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace millrace::env {

// The connected socket, non-blocking; the caller closes it. Tries the host's addresses one after the
// other, all within `timeout_ms`. `port` is a number or a service's name.
// Errors: kUnavailable, with host, port and cause.
Result<int> ConnectTcp(const std::string& host, const std::string& port, int64_t timeout_ms);

}  // namespace millrace::env
