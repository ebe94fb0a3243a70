// LedgerEntry: what became of every row that a job read in a few epochs.
//
// Format: the JSON of ToJson() is what the topic `millrace.ledger` stores:
//   {"job", "run", "from_epoch", "to_epoch", "from_ms", "to_ms", "committed_ms",
//    "splits": [{"source", "table", "topic", "split", "from", "to", "steps": [[epoch, to], …]}],
//    "stages": [{"stage", "name", "in", "out", …}], "gaps": [{…}]}
// Counts that are 0 are left out. Offsets are [from, to). A step says how far an epoch read the
// split; its epoch and offset are relative to the entry's from_epoch and the split's from.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/position.h"

namespace millrace::job {

constexpr const char* kLedgerTopic = "millrace.ledger";

// What is counted of a stage: rows, and records where a source reads them.
enum class Count : size_t {
  kIn,
  kAdded,        // one became several: an unnest, an update that is two rows
  kMerged,       // another row stands for it, with its weight
  kTaken,        // handed on, or taken into the state
  kFiltered,     // by a WHERE, a join, an unnest of nothing
  kUnchanged,    // said nothing new: tombstones, rows known already, not among the first N
  kLate,         // in the dead letters, or dropped where the table says so
  kLateTaken,    // of those: still counted for what is open
  kFailed,       // in the dead letters
  kFailedTaken,  // of those: made of rows that were taken
  kDropped,      // by a CHECK … ON VIOLATION DROP
  kOut,          // emitted; of an aggregation or a join another number than kTaken
};
constexpr size_t kCounts = 12;
const char* CountName(Count count);  // "in", "late_taken", …

struct StageCounts {
  std::array<int64_t, kCounts> values = {};

  int64_t& operator[](Count count) { return values[static_cast<size_t>(count)]; }
  int64_t operator[](Count count) const { return values[static_cast<size_t>(count)]; }
  void Add(const StageCounts& other);
  void Subtract(const StageCounts& other);
  bool IsZero() const;
  // Rows that came in and of which nothing is known: > 0 lost, < 0 from nowhere.
  int64_t Missing() const;
};

struct LedgerSplit {
  int source = 0;  // index of the job's source
  std::string table;
  std::string topic;  // "": it is none
  std::string split;
  model::Offset from = 0;
  model::Offset to = 0;
  struct Step {
    model::Epoch epoch = 0;
    model::Offset to = 0;
  };
  std::vector<Step> steps = {};
};

struct StageEntry {
  std::string stage;  // the table's name, "#<operator>", "sink"
  std::string name;   // "source", "WindowAggregate", "sink"
  StageCounts counts = {};
};

// Something that does not add up.
struct LedgerGap {
  enum class Kind {
    kRows,     // the stage took fewer rows in than it can say what became of
    kInput,    // the stages before it emitted more than came in
    kOffsets,  // between two entries a range of a split was not read
  };
  Kind kind = Kind::kRows;
  std::string stage;
  std::string name;
  int64_t rows = 0;  // > 0 missing, < 0 too many; of kOffsets: offsets
  model::Epoch from_epoch = 0;
  model::Epoch to_epoch = 0;
  std::vector<LedgerSplit> splits = {};  // what was read when it happened; of kOffsets: the hole

  // "stage #2 (TopN) lost 3 rows in epoch 7, which read orders/0 offsets [10, 25)"
  std::string Text() const;
};
const char* LedgerGapKindName(LedgerGap::Kind kind);

struct LedgerEntry {
  std::string job;
  std::string run;  // of one state: epochs count from 1 in each
  model::Epoch from_epoch = 0;
  model::Epoch to_epoch = 0;
  int64_t from_ms = 0;  // the clock of the first epoch's decision
  int64_t to_ms = 0;
  int64_t committed_ms = 0;  // when all of it was with the sink; 0: not yet
  std::vector<LedgerSplit> splits;
  std::vector<StageEntry> stages;
  std::vector<LedgerGap> gaps;

  std::string ToJson() const;
  // Error kCorruption.
  static Result<LedgerEntry> FromJson(std::string_view json);
};

}  // namespace millrace::job
