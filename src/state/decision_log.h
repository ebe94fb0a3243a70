// DecisionLog: what a job decided to do in each epoch, durable before the epoch's output commits.
//
// An epoch is a pure function of state and decision (DESIGN.md, rule 1), so after a crash the
// decisions since the last checkpoint are enough to compute the same output again.
//
// Format: entries of files `decisions-…` (entry_files.h); the payload:
//   epoch, clock_us (8 bytes each), number of ranges (4), then per range: source (4),
//   split id (4 + bytes), from, to (8 each), end (1); number of idle splits (4), then per
//   split: source (4), id (4 + bytes); then, only where there are any, the number of
//   promises (4) and per promise: source (4), frontier (8)
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "model/position.h"
#include "state/entry_files.h"

namespace millrace::state {

// Rows [from, to) of a split belong to the epoch.
struct SplitRange {
  int source = 0;
  std::string split;
  model::Offset from = 0;
  model::Offset to = 0;
  bool end = false;  // the split has no more data after `to`, ever
};

struct SplitName {
  int source = 0;
  std::string split;
};

// No row of this source before `frontier` is waited for any more, whatever its splits delivered.
struct FrontierPromise {
  int source = 0;
  model::EventTime frontier = model::kTimeMin;
};

struct Decision {
  model::Epoch epoch = 0;
  int64_t clock_us = 0;  // wall clock: what the epoch's CURRENT_TIMESTAMP answers
  std::vector<SplitRange> ranges;
  std::vector<SplitName> idle;  // do not hold the watermark back in this epoch
  std::vector<FrontierPromise> promises = {};
};

class DecisionLog {
 public:
  // Opens or creates in `directory` and reads what is there.
  static Result<std::unique_ptr<DecisionLog>> Open(env::FileSystem* files,
                                                   const std::string& directory);

  // Decisions found on open, by epoch.
  const std::vector<Decision>& found() const { return found_; }
  // Appends without waiting for the disk; Sync makes it durable.
  Status Append(const Decision& decision);
  Status Sync();
  // Forgets decisions up to `epoch`: a checkpoint has made them unnecessary.
  Status ForgetUpTo(model::Epoch epoch);

 private:
  DecisionLog(env::FileSystem* files, const std::string& directory);

  EntryFiles files_;
  std::vector<Decision> found_;
};

}  // namespace millrace::state
