#include "log/cleanup_policy.h"

#include "base/strings.h"

namespace millrace::log {

std::string CleanupPolicyText(const CleanupPolicy& policy) {
  if (!policy.compact) return "delete";
  return policy.remove ? "compact,delete" : "compact";
}

Result<CleanupPolicy> ParseCleanupPolicy(std::string_view text) {
  CleanupPolicy policy{false, false};
  for (const std::string& part : Split(text, ',')) {
    const std::string_view name = Trim(part);
    if (name != "delete" && name != "compact") {
      return Status(Code::kBadOption, "\"" + std::string(text) + "\" is not a cleanup policy")
          .WithHint("it is delete, compact, or both with a comma between");
    }
    (name == "delete" ? policy.remove : policy.compact) = true;
  }
  return policy;
}

}  // namespace millrace::log
