// The headers of a record, as they lie in Kafka's record format.
#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "log/wire.h"

namespace millrace::log {

using RecordHeader = std::pair<std::string_view, std::optional<std::string_view>>;

// Views into `bytes` (model::Record::headers); a value of nullopt is null. What follows bytes that
// are cut off is left out.
inline std::vector<RecordHeader> ParseRecordHeaders(std::string_view bytes) {
  std::vector<RecordHeader> headers;
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  const auto next = [&]() -> std::optional<std::string_view> {
    int64_t length = -1;
    at = at ? GetVarint(at, end, &length) : nullptr;
    if (!at || length < 0) return std::nullopt;
    if (length > end - at) {
      at = nullptr;
      return std::nullopt;
    }
    const std::string_view view(at, static_cast<size_t>(length));
    at += length;
    return view;
  };
  int64_t count = 0;
  if (!bytes.empty()) at = GetVarint(at, end, &count);
  for (int64_t i = 0; at && i < count; i++) {
    const auto name = next();
    const auto value = next();
    if (!name || !at) break;
    headers.emplace_back(*name, value);
  }
  return headers;
}

}  // namespace millrace::log
