#include "connectors/kafka/offset_modes.h"

#include <charconv>

#include "base/strings.h"

namespace millrace::connectors::kafka {

namespace {

template <typename Int>
bool ParseInt(std::string_view text, Int& number) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

// "partition:0,offset:42;partition:1,offset:300"
Result<std::map<int, int64_t>> ParseSpecificOffsets(const std::string& name,
                                                    const std::string& text) {
  std::map<int, int64_t> offsets;
  for (const std::string& pair : millrace::Split(text, ';')) {
    const std::string_view trimmed = Trim(pair);
    if (trimmed.empty()) continue;
    const size_t comma = trimmed.find(',');
    int partition = -1;
    int64_t offset = -1;
    const std::string_view left = Trim(trimmed.substr(0, comma));
    const std::string_view right =
        comma == std::string_view::npos ? "" : Trim(trimmed.substr(comma + 1));
    if (!left.starts_with("partition:") || !right.starts_with("offset:") ||
        !ParseInt(left.substr(10), partition) || !ParseInt(right.substr(7), offset) ||
        partition < 0 || offset < 0) {
      return Status(Code::kBadOption, "option \"" + name + "\" has the part \"" +
                                          std::string(trimmed) + "\", which is not understood")
          .WithHint("for example 'partition:0,offset:42;partition:1,offset:300'");
    }
    offsets[partition] = offset;
  }
  return offsets;
}

}  // namespace

Result<OffsetMode> OffsetModeOf(const TableContext& table, const std::string& prefix) {
  const Options& options = table.options;
  OffsetMode mode;
  mode.mode = options.GetString(prefix + ".mode");
  std::string needed;
  if (mode.mode == "timestamp") needed = prefix + ".timestamp-millis";
  if (mode.mode == "specific-offsets") needed = prefix + ".specific-offsets";
  if (!needed.empty() && !options.Has(needed)) {
    return Status(Code::kBadOption, "table \"" + table.name + "\": '" + prefix + ".mode' = '" +
                                        mode.mode + "' needs '" + needed + "'");
  }
  if (mode.mode == "timestamp") mode.timestamp_ms = options.GetInt(needed);
  if (mode.mode == "specific-offsets") {
    MR_ASSIGN_OR_RETURN(mode.offsets, ParseSpecificOffsets(needed, options.GetString(needed)));
  }
  return mode;
}

Result<int> PartitionOf(const Split& split) {
  int partition = -1;
  if (ParseInt(split.id, partition) && partition >= 0) return partition;
  return Status(Code::kInvalidArgument, "\"" + split.id + "\" is not a partition of a topic");
}

}  // namespace millrace::connectors::kafka
