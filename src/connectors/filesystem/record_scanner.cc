#include "connectors/filesystem/record_scanner.h"

namespace millrace::connectors::filesystem {

size_t RecordScanner::RecordSize(std::string_view data, bool at_end) const {
  const size_t newline = data.find('\n');
  const size_t line = newline != std::string_view::npos ? newline + 1 : at_end ? data.size() : 0;
  if (!csv_) return line;
  if (line == 0 && data.size() < kMaxQuotedBytes) return 0;
  const std::string_view first = data.substr(0, line == 0 ? data.size() : line);
  if (first.find(quote_) == std::string_view::npos || (comments_ && data.starts_with('#'))) {
    return line;
  }
  bool field_begins = true;
  for (size_t i = 0; i < data.size() && i < kMaxQuotedBytes; i++) {
    const char c = data[i];
    if (c == '\n') return i + 1;
    if (field_begins && c == quote_) {
      for (i++;; i++) {
        i = data.find(quote_, i);
        if (i == std::string_view::npos || i >= kMaxQuotedBytes) {
          const bool given_up = at_end || data.size() >= kMaxQuotedBytes;
          return given_up ? line : 0;
        }
        if (i + 1 == data.size() && !at_end) return 0;  // closed, or the first half of a pair
        if (i + 1 < data.size() && data[i + 1] == quote_) {
          i++;
          continue;
        }
        break;
      }
      field_begins = false;
    } else {
      field_begins = c == delimiter_;
    }
  }
  if (at_end && data.size() < kMaxQuotedBytes) return data.size();
  return data.size() >= kMaxQuotedBytes ? line : 0;
}

}  // namespace millrace::connectors::filesystem
