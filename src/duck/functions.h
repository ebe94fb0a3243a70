// The scalar functions that Millrace adds to DuckDB: window arithmetic for TUMBLE, HOP and CUMULATE
// (integer arithmetic on microseconds, a tenth of time_bucket's cost) and the epoch's clock.
//
//   mr_window_start|end|time(ts, size_us, offset_us)   of the tumbling window that holds ts
//   mr_window_plus(ts, us)                             ts + us
//   mr_hop_starts(ts, slide_us, size_us, offset_us)    starts of all hopping windows that hold ts
//   mr_cumulate_ends(ts, step_us, max_us, offset_us)   ends of all cumulating windows that hold ts
//   mr_now()                                           the clock reading of the running epoch
// window_time is the last millisecond of the window, as in Flink. Where ts is a TIMESTAMP WITH TIME
// ZONE, the windows are those of the local time in the session's zone (time_zone.h).
//
// Windows that only the aggregation above can make; by themselves they give what a row brings:
//   mr_session_start|end(ts, gap_us, key…)             of the session by these keys
//   mr_group_session_start|end(ts, gap_us)             of the session by what else is grouped by
//   mr_group_hop(ts, slide_us, size_us)                start of each hopping window that holds ts
// And the marks of FOR SYSTEM_TIME AS OF: temporal_marks.h.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::duck {

// Registers all of them in the database's system catalog; needs to be done once per database.
Status RegisterFunctions(duckdb::DuckDB& database);

// Sets what mr_now() answers on this connection from now on. Microseconds since 1970 UTC.
void SetEpochClock(duckdb::ClientContext& context, int64_t now_us);
int64_t EpochClockMicros(duckdb::ClientContext& context);

// The window functions on plain integers, for frontiers and tests.
int64_t WindowStart(int64_t ts_us, int64_t size_us, int64_t offset_us);
int64_t HopFirstStart(int64_t ts_us, int64_t slide_us, int64_t size_us, int64_t offset_us);
int64_t CumulateFirstEnd(int64_t ts_us, int64_t step_us, int64_t max_us, int64_t offset_us);

}  // namespace millrace::duck
