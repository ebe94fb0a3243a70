// COUNT(*) and COUNT(x).
#pragma once

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

// argument -1: COUNT(*).
std::unique_ptr<Aggregate> NewCount(int argument);

}  // namespace millrace::stream
