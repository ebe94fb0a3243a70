// DeadLetter: a record that could not be used, kept with its bytes and the reason.
//
// Format: the JSON of ToJson() is what the dead-letter topic stores and what the HTTP API returns:
//   {"time_ms", "version", "stage", "job", "table", "topic", "partition", "offset", "kind",
//    "column", "reason", "key", "value"}
// `value` holds the payload as text; a payload that is not valid UTF-8 comes as "value_base64".
// A payload of zero bytes is "value": "". partition and offset are null where the record never
// reached a topic (the collector refused it); job, table, topic and column are null when empty.
// `key` (or `key_base64`) is missing where the record had none. `version`: of the code that refused
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/position.h"
#include "model/row_error.h"

namespace millrace::model {

struct DeadLetter {
  int64_t time_ms = 0;     // when it was put aside, wall clock
  std::string stage = {};  // "collector", "decode", "watermark", "sink", ...
  std::string job = {};
  std::string table = {};
  std::string topic = {};
  int partition = -1;
  Offset offset = -1;
  RowErrorKind kind = RowErrorKind::kMalformed;
  std::string column = {};
  std::string reason = {};
  std::optional<std::string> key = {};
  std::string payload = {};  // the record's value, byte for byte

  // Takes over which record this is: where it came from, when, its key and its bytes. What stays is
  // what became of it: stage, job, kind, column, reason.
  void TakeRecordOf(const DeadLetter& other);
  std::string ToJson() const;
};

}  // namespace millrace::model
