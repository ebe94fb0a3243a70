// SourceReader: the splits of one table: which there are, how far each was read, how far event time
// has come. The rows themselves go through lanes, one per shard (job/source_lane.h).
//
// Frontiers. Each split has its own: the highest event time it delivered, less the watermark's
// delay (plus 1 ms, see stream/frontier.h). The table's frontier is the lowest over the splits that
// are neither idle nor ended, and never goes back.
//
// Contract: one thread, except that Read may run on several shards at a time, each with ranges of
// splits that this shard owns.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "job/source_lane.h"
#include "state/state_store.h"

namespace millrace::job {

class SourceReader {
 public:
  // `lanes[s]` reads for shard s; at least one.
  SourceReader(int index, const SourceTable& table, std::vector<std::unique_ptr<SourceLane>> lanes);

  // Does not yet ask for splits.
  Status Open();
  // Finds new splits, the first ones too; positions come from a checkpoint or the source's startup
  // mode.
  Status RefreshSplits(int64_t now_monotonic_us);

  // Adds what can be read now to the decision; at most about `budget_bytes` in all.
  Status Decide(int64_t budget_bytes, int64_t now_monotonic_us, state::Decision& decision);
  // Knows every split of the decision from now on (one may have been found by an earlier run only).
  void Prepare(const state::Decision& decision);
  // The shard that reads a split: always the same for the same split and number of shards.
  size_t OwnerOf(const std::string& split) const;
  // Carries out one range of a prepared decision, on the shard that owns its split.
  Status Read(const state::SplitRange& range, int64_t clock_us);
  // Applies the decision's idle splits and moves the frontier. Returns it.
  model::EventTime Advance(const state::Decision& decision);

  bool Ended() const;  // all splits of a bounded source are read
  // Whether no split may still send, as of the last Advance, though not all have ended.
  bool WhollyIdle() const;
  // Moves the frontier of a wholly idle table along with the others.
  void RaiseFrontier(model::EventTime frontier) { frontier_ = std::max(frontier_, frontier); }
  void Save(state::StateWriter& writer) const;
  // Notes positions when a checkpoint that holds them begins, and tells the source once it is
  // durable.
  void BeginCheckpoint();
  void FinishCheckpoint();
  void Interrupt();  // any thread
  void Restore(const state::StateReader& state);
  // What Save wrote of a table's splits.
  static std::vector<SplitState> SavedSplits(const state::StateReader& state, int index);

  connectors::Source& source() { return lanes_[0]->source(); }
  SourceCounters counters() const;  // over all lanes
  // Fields of records that the table does not declare: over all lanes, since
  // Open.
  std::vector<format::FieldDrift> drift() const;
  const std::vector<SplitState>& splits() const { return splits_; }
  model::EventTime frontier() const { return frontier_; }
  bool has_event_time() const { return table_.bound.scan.time_column >= 0; }
  bool reads_embedded_log() const {
    const std::string& connector = table_.binding.connector->spec.name;
    return connector == "kafka" || connector == "upsert-kafka";
  }
  const std::string& table_name() const { return table_.table->name; }

 private:
  SplitState& Split(const std::string& id);  // found, or added

  const int index_;
  const SourceTable& table_;
  std::vector<std::unique_ptr<SourceLane>> lanes_;
  std::vector<SplitState> splits_;
  std::map<std::string, SplitState> restored_;
  std::vector<connectors::Source::Position> checkpointed_;
  bool has_checkpoint_ = false;
  model::EventTime frontier_ = model::kTimeMin;
};

}  // namespace millrace::job
