// CleanupPolicy: what becomes of a topic's old records. Source: Kafka documentation, "Log
// Compaction" and the topic setting `cleanup.policy`.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::log {

struct CleanupPolicy {
  bool remove = true;    // those past their retention
  bool compact = false;  // those whose key has a newer record
};

// "delete", "compact" or "compact,delete".
std::string CleanupPolicyText(const CleanupPolicy& policy);
// Errors: kBadOption.
Result<CleanupPolicy> ParseCleanupPolicy(std::string_view text);

}  // namespace millrace::log
