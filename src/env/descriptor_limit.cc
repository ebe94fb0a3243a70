#include "env/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace millrace::env {

int64_t RaiseDescriptorLimit(int64_t wanted) {
  const auto shown = [](rlim_t limit) {
    constexpr int64_t kNone = std::numeric_limits<int64_t>::max();
    return limit == RLIM_INFINITY ? kNone : static_cast<int64_t>(limit);
  };
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const int64_t now = shown(limit.rlim_cur);
  const int64_t next = std::min(wanted, shown(limit.rlim_max));
  if (next <= now) return now;
  limit.rlim_cur = static_cast<rlim_t>(next);
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? next : now;
}

}  // namespace millrace::env
