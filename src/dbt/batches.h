// Batches: how a microbatch model's time is cut into pieces, each built on its own.
//
// Times are microseconds since 1970, UTC. Source:
// https://docs.getdbt.com/docs/build/incremental-microbatch
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::dbt {

struct Batch {
  int64_t from_us = 0;
  int64_t to_us = 0;  // not included
};

enum class BatchSize { kHour, kDay, kMonth, kYear };

// "hour", "day", "month", "year"; kBadOption for anything else.
Result<BatchSize> ParseBatchSize(const std::string& text);
const char* BatchSizeName(BatchSize size);

// The start of the piece that `time_us` lies in, and of the one `steps` after it.
int64_t StartOfBatch(int64_t time_us, BatchSize size, int64_t steps = 0);
// Whole pieces from the one that `from_us` lies in up to the one that ends at or after `to_us`.
std::vector<Batch> BatchesBetween(int64_t from_us, int64_t to_us, BatchSize size);

// "2024-01-31" or "2024-01-31 10:00:00", with T and Z as ISO 8601 has them; kBadOption for
// anything else. `what` names it in the message.
Result<int64_t> ParseTime(const std::string& text, const std::string& what);
std::string TimeText(int64_t time_us);  // "2024-01-31 10:00:00"

}  // namespace millrace::dbt
