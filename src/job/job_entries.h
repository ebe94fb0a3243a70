// The job's own entries in its state (state::kJobEntries), by key.
#pragma once

#include <fmt/format.h>

#include <string>

namespace millrace::job {

constexpr const char* kFingerprintKey = "fingerprint";
constexpr const char* kStructureKey = "structure";   // JobStructure::ToBytes
constexpr const char* kTextSinceKey = "text_since";  // epoch (8 bytes) from which this query ran
constexpr const char* kRateKey = "rate";             // records per second when busy (double)
constexpr const char* kCountersKey = "counters";
constexpr const char* kClockKey = "clock";
constexpr const char* kLedgerRunKey = "ledger_run";          // LedgerEntry::run
constexpr const char* kLedgerTotalKey = "ledger_total";      // LedgerEntry::ToJson
constexpr const char* kLedgerOpenKey = "ledger_open";        // the same
constexpr const char* kLedgerEndedKey = "ledger_ended";      // the same, one a line
constexpr const char* kLedgerMissingKey = "ledger_missing";  // rows (8 bytes)
constexpr const char* kLedgerRefusedKey = "ledger_refused";  // the same

// A table's frontier and counters, by its place among the job's sources.
inline std::string SourceKey(int source) {
  return fmt::format("source/{:06}", source);
}
// A split of it; with an empty `split` what all of them start with.
inline std::string SplitKey(int source, const std::string& split) {
  return fmt::format("split/{:06}/{}", source, split);
}

}  // namespace millrace::job
