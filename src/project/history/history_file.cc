#include "project/history/history_file.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "base/strings.h"

namespace millrace::project {

namespace {
constexpr std::string_view kSuffix = ".parquet";
}

std::string HistoryFile::Name() const {
  return fmt::format("{}-{:020}-{:020}-{}-{}{}", partition, offsets.from, offsets.to, newest_ms,
                     undecoded, kSuffix);
}

std::optional<HistoryFile> ParseHistoryFileName(std::string_view name) {
  if (!name.ends_with(kSuffix)) return std::nullopt;
  const auto parts = Split(name.substr(0, name.size() - kSuffix.size()), '-');
  if (parts.size() != 5) return std::nullopt;
  int64_t numbers[5];
  for (size_t i = 0; i < 5; i++) {
    const char* end = parts[i].data() + parts[i].size();
    const auto [at, error] = std::from_chars(parts[i].data(), end, numbers[i]);
    if (error != std::errc() || at != end || numbers[i] < 0) return std::nullopt;
  }
  HistoryFile file;
  file.partition = static_cast<int>(numbers[0]);
  file.offsets = {numbers[1], numbers[2]};
  file.newest_ms = numbers[3];
  file.undecoded = numbers[4];
  if (file.offsets.from >= file.offsets.to || file.Name() != name) return std::nullopt;
  return file;
}

const model::Schema& HistoryColumns() {
  using duckdb::LogicalType;
  static const model::Schema kColumns = {{{"mr_partition", LogicalType::INTEGER, true},
                                          {"mr_offset", LogicalType::BIGINT, true},
                                          {"mr_timestamp_ms", LogicalType::BIGINT, true},
                                          {"mr_append_time", LogicalType::BOOLEAN, true},
                                          {"mr_key", LogicalType::BLOB, true},
                                          {"mr_headers", LogicalType::BLOB, true},
                                          {"mr_reason", LogicalType::VARCHAR, true},
                                          {"mr_value", LogicalType::BLOB, true}}};
  return kColumns;
}

}  // namespace millrace::project
