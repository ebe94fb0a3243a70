// Where a row came from, and the strong types for positions and time.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <string>

namespace millrace::model {

// Position of a record in one split (Kafka offset, byte offset in a file, row number).
using Offset = int64_t;

// Number of an epoch of one job; the first is 1, 0 means "none yet".
using Epoch = int64_t;

// Event time in microseconds since 1970-01-01 UTC.
// A frontier is an EventTime F with the promise: every row still to come has time >= F
// (a Flink watermark W in milliseconds is the frontier W + 1 ms).
using EventTime = int64_t;
constexpr EventTime kTimeMin = std::numeric_limits<int64_t>::min() / 4;
constexpr EventTime kTimeMax = std::numeric_limits<int64_t>::max() / 4;

}  // namespace millrace::model
