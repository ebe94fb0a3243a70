// Record: one event as it lies in the log or in a file, before it is decoded.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/position.h"

namespace millrace::model {

// A view: the bytes belong to whoever produced the record and live until its callback returns.
// Every view is followed by at least kRecordPadding readable bytes (simdjson reads past the end).
constexpr size_t kRecordPadding = 64;

struct Record {
  Offset offset = 0;
  int64_t timestamp_ms = 0;  // log append or producer time; 0 where the source has none
  bool append_time = false;  // timestamp_ms is when a Kafka cluster took it, not when it was sent
  std::string_view key;
  std::string_view value;
  bool has_key = false;
  bool has_value = true;  // false: a Kafka tombstone
  // Record headers still encoded as in Kafka's record format (varint count first); may be empty.
  std::string_view headers;
};

}  // namespace millrace::model
