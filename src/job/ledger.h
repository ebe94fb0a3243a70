// Ledger: holds a job to it that every row is accounted for, stage by stage and epoch by epoch.
//
//   source:   records + added = rows handed on + dead-lettered + dropped + unchanged
//   operator: in + added - merged = taken + filtered + unchanged + late + failed (less those taken
//             all the same, see StageCounts); taken is what it emitted where Operator::Forwards
//   between:  what a stage's producers emitted, each to each consumer = what came in
//   sink:     in = taken by the connector, or known to it from before a crash, + failed: refused by
//             its target
//   offsets:  each range of a split begins where the one before it ended
//
// After each epoch all of this is checked; what does not hold becomes a gap that names the stage
// and the offsets. Counts of a second or so become an entry. Where one ends is a function of the
// decisions, and what is open is part of the state: so a replay after a crash makes the same
// entries, and the job can write each exactly once.
//
// Contract: one thread, that of the job.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "job/ledger_entry.h"
#include "state/decision_log.h"
#include "state/state_store.h"

namespace millrace::job {

struct LedgerStage {
  std::string stage;  // as StageEntry
  std::string name;
  std::vector<size_t> producers = {};  // stages that emit to it, as often as they do; of a source
                                       // none
};

class Ledger {
 public:
  struct Source {
    std::string table;
    std::string topic;  // "": it is none
  };
  // `stages`: those of the sources first, in their order.
  Ledger(std::string job, std::string run, std::vector<Source> sources,
         std::vector<LedgerStage> stages);

  // What the last checkpoint has. Totals of other stages (the query changed) are not taken over.
  void Restore(const state::StateReader& state);
  void Save(state::StateWriter& writer) const;

  // `counts`: of each stage since the job was opened. `missing(source, split)`: likewise, records
  // of the split that are not accounted for.
  using SplitMissing = std::function<int64_t(int source, const std::string& split)>;
  void AddEpoch(const state::Decision& decision, const std::vector<StageCounts>& counts,
                const SplitMissing& missing);
  // Whether an epoch at this clock would end the open entry.
  bool IsDue(int64_t clock_us) const;
  // Ends the open entry, whatever its age. Must be in a checkpoint before the entry is written.
  void Close();
  // What the sink's target has refused up to the end of the last ended entry, since the job began:
  // known after its commit only, by no decision. True when the state has to be saved before that
  // entry is written, or a replay would not know it. Does nothing when no entry has ended.
  bool AddRefused(int64_t total);

  // Ended entries that are still to be written.
  const std::deque<LedgerEntry>& ended() const { return ended_; }
  // Those up to `epoch` are written.
  void Forget(model::Epoch epoch);
  // The gaps found by the last AddEpoch.
  const std::vector<LedgerGap>& found() const { return found_; }

  // Everything since total().from_epoch; its gaps are those that were found since the job was
  // opened, the first few of them.
  const LedgerEntry& total() const { return total_; }
  const LedgerEntry& open() const { return open_; }
  int64_t missing() const { return missing_; }  // rows that do not add up, as far as total() goes
  // Over the stages from `first_stage` up to the sink, without it.
  int64_t Sum(Count count, size_t first_stage) const;

 private:
  using SplitKey = std::pair<int, std::string>;
  static LedgerSplit& SplitOf(std::vector<LedgerSplit>& splits, std::map<SplitKey, size_t>& index,
                              const LedgerSplit& range);
  void Begin(LedgerEntry& entry) const;
  std::vector<LedgerSplit> Ranges(const state::Decision& decision) const;
  void Check(const std::vector<StageCounts>& counts, const std::vector<LedgerSplit>& ranges,
             const SplitMissing& missing, model::Epoch epoch);
  void Found(LedgerGap gap);

  const std::vector<Source> sources_;
  const std::vector<LedgerStage> stages_;
  LedgerEntry total_;
  LedgerEntry open_;
  std::deque<LedgerEntry> ended_;
  std::map<SplitKey, size_t> total_splits_;  // place in total_.splits
  std::map<SplitKey, size_t> open_splits_;
  int64_t missing_ = 0;
  int64_t refused_ = 0;  // of what AddRefused was told: accounted for

  // As of the last epoch, since the job was opened.
  std::vector<StageCounts> seen_;
  std::vector<int64_t> missing_rows_;   // by stage
  std::vector<int64_t> missing_input_;  // by stage
  std::map<SplitKey, int64_t> missing_of_split_;
  std::vector<LedgerGap> found_;
};

}  // namespace millrace::job
