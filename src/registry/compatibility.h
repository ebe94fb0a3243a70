// What a subject asks of a new version: who must be able to read what whom wrote.
//
// Source: Confluent's documentation, "Schema Evolution and Compatibility".
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::registry {

enum class Compatibility {
  kNone,
  kBackward,            // the new version reads what the latest wrote
  kBackwardTransitive,  // … what any version wrote
  kForward,             // the latest version reads what the new one writes
  kForwardTransitive,   // any version …
  kFull,                // both
  kFullTransitive,
};

struct CompatibilityRule {
  bool backward = false;
  bool forward = false;
  bool transitive = false;
};

CompatibilityRule RuleOf(Compatibility level);
const char* CompatibilityName(Compatibility level);  // "BACKWARD_TRANSITIVE"
// Error 42203 with the list.
Result<Compatibility> ParseCompatibility(std::string_view name);

// Whether a subject takes new versions.
enum class Mode { kReadWrite, kReadOnly, kImport };
const char* ModeName(Mode mode);  // "READWRITE"
// Error 42204 with the list.
Result<Mode> ParseMode(std::string_view name);

}  // namespace millrace::registry
