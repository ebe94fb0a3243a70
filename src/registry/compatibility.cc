#include "registry/compatibility.h"

#include <iterator>
#include <vector>

#include "base/strings.h"
#include "registry/registry_error.h"

namespace millrace::registry {

namespace {

constexpr const char* kLevels[] = {"NONE",           "BACKWARD",           "BACKWARD_TRANSITIVE",
                                   "FORWARD",        "FORWARD_TRANSITIVE", "FULL",
                                   "FULL_TRANSITIVE"};
constexpr const char* kModes[] = {"READWRITE", "READONLY", "IMPORT"};

template <typename T, size_t n>
Result<T> ParseName(const char* const (&names)[n], std::string_view name, RegistryError error,
                    const std::string& what) {
  for (size_t i = 0; i < n; i++) {
    if (EqualsIgnoreCase(name, names[i])) return static_cast<T>(i);
  }
  return Fault(error, "\"" + std::string(name) + "\" is no " + what)
      .WithHint("one of: " + Join({std::begin(names), std::end(names)}, ", "));
}

}  // namespace

CompatibilityRule RuleOf(Compatibility level) {
  CompatibilityRule rule;
  rule.backward = level == Compatibility::kBackward ||
                  level == Compatibility::kBackwardTransitive || level == Compatibility::kFull ||
                  level == Compatibility::kFullTransitive;
  rule.forward = level == Compatibility::kForward || level == Compatibility::kForwardTransitive ||
                 level == Compatibility::kFull || level == Compatibility::kFullTransitive;
  rule.transitive = level == Compatibility::kBackwardTransitive ||
                    level == Compatibility::kForwardTransitive ||
                    level == Compatibility::kFullTransitive;
  return rule;
}

const char* CompatibilityName(Compatibility level) {
  return kLevels[static_cast<size_t>(level)];
}

Result<Compatibility> ParseCompatibility(std::string_view name) {
  return ParseName<Compatibility>(kLevels, name, RegistryError::kInvalidCompatibility,
                                  "compatibility level");
}

const char* ModeName(Mode mode) {
  return kModes[static_cast<size_t>(mode)];
}

Result<Mode> ParseMode(std::string_view name) {
  return ParseName<Mode>(kModes, name, RegistryError::kInvalidMode, "mode");
}

}  // namespace millrace::registry
