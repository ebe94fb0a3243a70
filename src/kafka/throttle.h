// What quotas ask of the connection that a call came by.
#pragma once

#include "kafka/call.h"
#include "kafka/services.h"

namespace millrace::kafka {

// Counts the bytes of a call against its client's quota. The milliseconds for the answer's
// throttle_time_ms; for as long nothing more is read from the connection (KIP-219).
int32_t Throttle(Services& services, const CallPtr& call, Traffic traffic, int64_t bytes);

}  // namespace millrace::kafka
