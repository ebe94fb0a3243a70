// Where a source over a topic begins and ends: 'scan.startup.…' and 'scan.bounded.…'.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "connectors/connector.h"

namespace millrace::connectors::kafka {

struct OffsetMode {
  std::string mode;  // "earliest-offset", "latest-offset", "group-offsets", "timestamp", …
  int64_t timestamp_ms = 0;        // of mode timestamp
  std::map<int, int64_t> offsets;  // of mode specific-offsets, by partition
};

// Reads '<prefix>.mode', '<prefix>.timestamp-millis' and '<prefix>.specific-offsets'; prefix is
// "scan.startup" or "scan.bounded". Errors: kBadOption when the mode lacks what it needs.
Result<OffsetMode> OffsetModeOf(const TableContext& table, const std::string& prefix);

// The partition that a split's id names. Error kInvalidArgument.
Result<int> PartitionOf(const Split& split);

}  // namespace millrace::connectors::kafka
