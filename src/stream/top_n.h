// TopN: the best rows of each partition: ROW_NUMBER, RANK or DENSE_RANK with a filter on the rank,
// and ORDER BY … LIMIT, which is the case of one partition. N = 1 is deduplication.
//
// Three forms, chosen by the plan:
//   append input      keeps the rows that are among the best N, and only those
//   retracting input  keeps all rows: a better one may be taken away
//   window            partitioned by a window's bound (append input): the result of a window is
//                     emitted once, when the frontier has passed it, and freed with it; with
//                     `early` it is shown from the first row on
// The first two, and early windows, update: at the end of an epoch they emit what changed, at most
// one row with weight -1 and one with +1 per row shown.
//
// Ties: on append input the row that came first has the better rank; with `last_wins` (keep the
// last row by event time) the one that came last. On retracting input the row's bytes decide, as
// an update has no place of its own in the order of arrival: the answer depends on the rows alone.
//
// With a time to live (table.exec.state.ttl) the first two forms forget a partition of which no row
// came or went for so long: its next row begins it anew, and what it showed before is not taken
// back. Rows are then taken away in the order they come; those that are not there are left out
// (rows_filtered).
//
// State: partitions (GroupStates 'g'), rows ('r' ++ id): slot (4 bytes), size of the sort key (4),
// arrival number (8), sort key (DuckDB's, compares bytewise), the columns that are no key.
#pragma once

#include <duckdb/function/create_sort_key.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stream/group_states.h"
#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/ordered_blocks.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"

namespace millrace::stream {

struct TopNPlan {
  enum class Rank { kRowNumber, kRank, kDenseRank };

  duckdb::vector<duckdb::LogicalType> types;  // of the input
  std::vector<duckdb::idx_t> keys;            // PARTITION BY columns
  std::vector<duckdb::idx_t> order_columns;
  duckdb::vector<duckdb::OrderModifiers> order;  // of order_columns
  Rank rank = Rank::kRowNumber;
  int64_t first = 1;  // ranks that are shown: first..last
  int64_t last = 1;
  bool shows_rank = false;  // as a last column, BIGINT
  bool last_wins = false;
  bool input_retracts = false;
  int pane = -1;                   // input column, one of `keys`, that bounds windows; -1: updating
  ColumnFrontier frontier;         // of `pane`
  bool early = false;              // open windows are shown, too
  int64_t ttl_us = 0;              // without `pane`; 0: for ever
  std::vector<std::string> names;  // of the input columns, for EXPLAIN
};

class TopN : public Operator {
 public:
  TopN(uint32_t id, TopNPlan plan);

  // The input's columns, then the rank if it is shown.
  duckdb::vector<duckdb::LogicalType> OutputTypes() const;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Entry {
    uint64_t prefix = 0;  // first bytes of the sort key: decides nearly every comparison
    uint32_t row = 0;     // in rows_
  };
  struct Ranked {
    Entry entry;
    int64_t rank = 0;
  };
  using Partition = OrderedBlocks<Entry>;

  void EncodeRow(uint32_t slot, duckdb::idx_t row);
  bool IsHopeless(const Partition& partition, duckdb::idx_t row) const;
  Partition& PartitionOf(uint32_t slot);
  void Insert(uint32_t slot, duckdb::idx_t row);
  void Trim(uint32_t slot);
  void Touch(uint32_t slot);
  void ForgetOldPartitions();
  void TakeAwayRetracted();
  // False when there is no such row.
  bool TakeAway(std::string_view record);
  void BuryUnknown(std::string_view record);
  int Compare(const Entry& a, const Entry& b) const;
  bool SameSortKey(uint32_t a, uint32_t b) const;
  // The entries with ranks first..plan_.last.
  void AppendRanked(const Partition& partition, int64_t first, std::vector<Ranked>& out) const;
  void EmitChanges(const Ranked* before, const Ranked* before_end);
  void Add(const Ranked& ranked, int32_t weight);
  void Flush();
  void Forget(uint32_t slot);
  void UpdateStateSize();

  TopNPlan plan_;
  bool windowed_;
  bool shows_once_;                         // windows are shown when they are closed only
  std::vector<duckdb::idx_t> row_columns_;  // input columns that are no key
  RowCodec key_codec_;
  RowCodec row_codec_;
  LateRows late_;
  GroupStates groups_;
  std::vector<Partition> partitions_;  // by slot
  RowStore rows_;
  uint64_t next_arrival_ = 0;
  bool forgot_ = false;  // in this epoch, with a time to live

  // Of the running batch.
  duckdb::DataChunk order_input_;
  std::unique_ptr<duckdb::Vector> sort_keys_;
  std::vector<uint8_t> is_late_;
  std::string record_;
  std::vector<uint32_t> rows_in_hand_;  // those that are not late
  EncodedKeys keys_;                    // of them, and where they were found
  std::vector<KeyTable::Found> found_;

  // Of the running epoch: partitions that changed, what they showed before, rows that are out.
  std::vector<uint32_t> touched_;
  std::vector<uint8_t> is_touched_;
  std::vector<Ranked> before_;
  std::vector<size_t> before_begin_;  // by touched_ index
  std::vector<Ranked> after_;
  std::vector<uint32_t> removed_rows_;
  std::string retracted_;  // records taken away, each behind its size (4 bytes)

  std::map<int64_t, std::vector<uint32_t>> panes_;  // slots of open windows
  duckdb::DataChunk output_;
  std::vector<int32_t> weights_;
};

}  // namespace millrace::stream
