// Durations and sizes as people write them: "30 d", "5s", "10 min", "128mb", "1 GB".
// Format: Flink's and Kafka's option style: a number, optional blanks, a unit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace {

// Units ns, us, ms, s|sec|second(s), m|min|minute(s), h|hour(s), d|day(s); none means milliseconds.
Result<int64_t> ParseDurationMicros(std::string_view text);
// Units b, kb, mb, gb, tb (powers of 1,024, as Flink and Kafka); none means bytes.
Result<int64_t> ParseBytes(std::string_view text);

// "340 ms", "1.2 s", "3 min 5 s".
std::string FormatDurationMicros(int64_t micros);
// "1.2 MB".
std::string FormatBytes(int64_t bytes);
// "1.2 M", "950".
std::string FormatCount(double count);

}  // namespace millrace
