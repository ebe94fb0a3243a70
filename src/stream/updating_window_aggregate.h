// UpdatingWindowAggregate: GROUP BY over a window table function whose results may change after
// they were shown: a late row corrects a closed window, and, where the plan asks for early results,
// open windows are shown too. Input append-only; a change is the old row with weight -1 and the new
// one with weight +1, at most one change per group and showing.
//
//   window opens      early results: shown when its delay has passed, by the epochs' clock
//   prompt frontier   the window is closed: everything it holds is shown
//   late rows         corrections, again when their delay has passed
//   frontier          (the prompt one less the allowed lateness) freed; later rows are dead letters
//
// State, under each window's PanePrefix: groups ('g', 'e', see group_states.h); groups whose shown
// row is out of date ('o' ++ slot, 4 bytes big endian): whether they are shown, and the results
// that are; when they are to be shown ('d'). And 't': the prompt frontier and the epochs' clock.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "stream/aggregate_plan.h"
#include "stream/group_states.h"
#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/window_emit.h"

namespace millrace::stream {

class UpdatingWindowAggregate : public Operator {
 public:
  // pane_column: index of the group column that carries `frontier`.
  UpdatingWindowAggregate(uint32_t id, AggregatePlan plan, size_t pane_column,
                          ColumnFrontier frontier, WindowEmit emit);

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  static constexpr int64_t kNotDue = INT64_MAX;
  // A group that changed since its row was shown.
  struct Stale {
    uint32_t slot = 0;
    bool shown = false;
    std::string results = {};  // that are shown, encoded
  };
  struct Pane {
    Pane(const AggregatePlan& plan, int64_t value);
    GroupStates groups;
    bool closed = false;  // the prompt frontier has passed it
    bool stored = false;  // some of it is in a checkpoint
    std::vector<Stale> stale;
    std::vector<uint8_t> is_stale;  // by slot
    int64_t due = kNotDue;          // clock at which the stale ones are shown
    std::vector<uint32_t> stored_stale;
  };
  bool Shows(const Pane& pane) const { return pane.closed || emit_.early; }
  Pane& PaneOf(int64_t value);
  void RestorePane(int64_t value, const state::StateReader& state);
  void ProcessRows(const Batch& batch, int64_t value, const std::vector<uint32_t>& rows);
  void MarkStale(Pane& pane, const std::vector<KeyTable::Found>& found);
  // Everything of a window that was not shown before.
  void ShowAll(int64_t value, Pane& pane);
  void ShowStale(int64_t value, Pane& pane);
  // Computes the groups' rows into fresh_: at most a vector's worth.
  void FillRows(int64_t value, const Pane& pane, const uint32_t* slots, uint32_t count);
  // The first columns of a row of fresh_.
  void Add(duckdb::idx_t row, duckdb::idx_t columns, int32_t weight);
  void Flush();
  void UpdateStateSize();

  AggregatePlan plan_;
  size_t pane_column_;
  WindowEmit emit_;
  ColumnFrontier prompt_;
  LateRows late_;                           // panes before its closed_before are gone
  std::vector<duckdb::idx_t> key_columns_;  // group columns but the pane's
  std::vector<duckdb::idx_t> result_columns_;
  RowCodec key_codec_;
  RowCodec result_codec_;
  std::map<int64_t, std::unique_ptr<Pane>> panes_;
  std::set<int64_t> stale_panes_;
  model::EventTime closed_before_ = model::kTimeMin;  // by the prompt frontier
  int64_t clock_us_ = model::kTimeMin;
  std::vector<int64_t> freed_;  // stored panes that were freed since the last snapshot

  std::vector<uint8_t> done_;  // by row of the batch: late, or already added to its pane
  std::vector<uint32_t> rows_;
  std::vector<uint32_t> slots_;
  EncodedKeys keys_;  // of the rows in hand, and where they were found
  std::vector<KeyTable::Found> found_;
  duckdb::DataChunk fresh_;
  duckdb::DataChunk output_;
  std::vector<int32_t> weights_;
};

}  // namespace millrace::stream
