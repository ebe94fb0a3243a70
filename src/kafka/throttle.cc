#include "kafka/throttle.h"

namespace millrace::kafka {

int32_t Throttle(Services& services, const CallPtr& call, Traffic traffic, int64_t bytes) {
  constexpr size_t kUserPrefix = 5;  // "User:"
  const int32_t wait_ms =
      services.quotas.Charge(traffic, call->session().principal.substr(kUserPrefix),
                             call->client_id(), bytes, services.now_ms());
  if (wait_ms > 0) call->MuteFor(wait_ms);
  return wait_ms;
}

}  // namespace millrace::kafka
