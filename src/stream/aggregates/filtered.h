// FILTER (WHERE …): passes only the rows whose filter column is true.
#pragma once

#include "stream/aggregates/aggregate.h"

namespace millrace::stream {

std::unique_ptr<Aggregate> NewFiltered(std::unique_ptr<Aggregate> inner, int filter);

}  // namespace millrace::stream
