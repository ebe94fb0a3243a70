// Records of a topic as lines of text: how `topics produce` finds a line's key and how
// `topics consume` prints a record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::cli {

struct StoredRecord {
  int partition = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;  // none: a tombstone
};

// A record after kcat's format: %t topic, %p partition, %o offset, %T timestamp in ms, %k key,
// %s value, %K and %S their lengths (-1: none), %% a percent sign; \n, \t and \\ as usual.
std::string FormatRecord(std::string_view format, const std::string& topic,
                         const StoredRecord& record);
// kBadOption for a % that FormatRecord does not know.
Status CheckRecordFormat(std::string_view format);

// The text of a field of a JSON object: a string without its quotes, anything else as written; none
// when it is null or missing. Errors: kInvalidArgument when the line is not an object.
Result<std::optional<std::string>> KeyFromField(std::string_view line, const std::string& field);

}  // namespace millrace::cli
