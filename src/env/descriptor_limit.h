// How many files and sockets the process may have open at a time.
#pragma once

#include <cstdint>

namespace millrace::env {

// Raises the limit to `wanted`, as far as the system lets it; never lowers it. What it is then.
int64_t RaiseDescriptorLimit(int64_t wanted);

}  // namespace millrace::env
