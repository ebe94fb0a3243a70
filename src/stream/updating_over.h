// UpdatingOver: OVER (PARTITION BY … ORDER BY …) in any order, with any frame, over rows that may
// be taken away: every row is kept with its results, and at the end of an epoch those rows whose
// results changed emit the old one with weight -1 and the new one with weight +1.
//
// The rows of a partition lie in order. An epoch's changes are merged in, and what they can reach
// is computed anew: a frame of 10 rows reaches 10 rows further, ROW_NUMBER to the end of the
// partition. A frame that begins with the partition reads it from there once.
//
// Ties: on append input in the order of arrival; on retracting input by the rows' bytes, so that
// the answer depends on the rows alone (as in TopN). Rows that are equal throughout lie in the
// order of arrival, and the first of them goes first: so changes come in one order, also after a
// restart.
//
// State: partitions (GroupStates 'g'); rows ('r' ++ id): slot, sizes of the sort key, of the frame
// bounds and of the row (4 bytes each), arrival number (8), sort key (DuckDB's, compares bytewise),
// frame bounds as such sort keys, each behind its size (4), the columns, the results if shown.
#pragma once

#include <duckdb/function/create_sort_key.hpp>
#include <string>
#include <vector>

#include "stream/group_states.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"

namespace millrace::stream {

struct UpdatingOverPlan {
  enum class Kind {
    kAggregate,
    kRowNumber,
    kRank,
    kDenseRank,
    kPercentRank,
    kCumeDist,
    kNtile,
    kLag,
    kLead,
    kFirstValue,
    kLastValue,
    kNthValue
  };
  // Where a frame begins or ends: with the partition; `offset` rows from the current one (negative:
  // before it); with the rows of equal order; with those that are not beyond the value in the
  // input's column bounds[`value`].
  enum class Edge { kUnbounded, kRows, kPeers, kValue };
  struct Bound {
    Edge edge = Edge::kUnbounded;
    int64_t offset = 0;
    size_t value = 0;
  };
  struct Call {
    Kind kind = Kind::kAggregate;
    Bound start;
    Bound end;
    size_t aggregate = 0;        // kAggregate: index in `aggregates`
    duckdb::idx_t argument = 0;  // input column: of LAG, FIRST_VALUE and their like
    int64_t number = 1;          // LAG, LEAD: distance; NTILE: parts; NTH_VALUE: which
    int fallback = -1;           // LAG, LEAD: input column that is the answer without such a row
    duckdb::LogicalType type;
    std::string text;  // for EXPLAIN
  };

  duckdb::vector<duckdb::LogicalType> types;  // of the input
  std::vector<std::string> names;             // of the input columns, for EXPLAIN
  std::vector<duckdb::idx_t> keys;            // PARTITION BY columns
  std::vector<duckdb::idx_t> order_columns;
  duckdb::vector<duckdb::OrderModifiers> order;  // of order_columns
  std::vector<duckdb::idx_t> bounds;             // columns of the type of the only order column
  bool input_retracts = false;
  AggregatePlan aggregates;  // of the input's columns; no groups
  std::vector<Call> calls;   // in the order of the result columns
};

class UpdatingOver : public Operator {
 public:
  UpdatingOver(uint32_t id, UpdatingOverPlan plan);

  // The input's columns, then one per call.
  duckdb::vector<duckdb::LogicalType> OutputTypes() const;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  using Call = UpdatingOverPlan::Call;
  using Bound = UpdatingOverPlan::Bound;
  struct Entry {
    uint64_t prefix = 0;  // first bytes of the sort key: decides nearly every comparison
    uint32_t row = 0;     // in rows_
  };
  struct Change {
    Entry entry;
    bool added = true;  // false: an equal row is taken away
  };
  struct Partition {
    std::vector<Entry> rows;
    std::vector<Change> changes;  // of this epoch
  };
  // Places in a partition, after its changes: [begin, end).
  struct Range {
    size_t begin = 0;
    size_t end = 0;
  };
  // What an epoch changed in a partition: places of the first and the last row that came or went
  // (there, what followed it), and their sort keys.
  struct Changed {
    size_t first = 0;
    size_t last = 0;
    std::string low;
    std::string high;
  };

  void EncodeRecord(uint32_t slot, duckdb::idx_t row);
  int Compare(const Entry& a, const Entry& b) const;
  bool Less(const Entry& a, const Entry& b) const { return Compare(a, b) < 0; }
  bool Peers(const Entry& a, const Entry& b) const;
  // The first place whose sort key is not less than (`behind`: greater than) this one.
  size_t PlaceOf(const std::vector<Entry>& rows, std::string_view sort_key, bool behind) const;
  // False when the changes cancel each other out.
  bool Merge(Partition& partition, Changed& changed);
  void CancelOut(std::vector<Change>& changes);
  Range Reach(const Call& call, const std::vector<Entry>& rows, const Changed& changed) const;
  Range FrameOf(const Call& call, const std::vector<Entry>& rows, size_t place) const;
  void Recompute(Partition& partition, Range range);
  void LoadRows(const std::vector<Entry>& rows, Range range);
  void FillAggregate(const Call& call, const std::vector<Range>& frames, duckdb::Vector& out);
  void FillRank(const Call& call, const std::vector<Entry>& rows, Range range,
                duckdb::Vector& out) const;
  void FillValue(const Call& call, const std::vector<Range>& frames, Range range, size_t size,
                 duckdb::Vector& out);
  void ShowChanges(Partition& partition, Range range);
  void Add(std::string_view record, std::string_view results, int32_t weight);
  void BuryUnknown(std::string_view record);
  void Flush();

  UpdatingOverPlan plan_;
  std::vector<duckdb::idx_t> all_columns_;
  std::vector<duckdb::idx_t> result_columns_;  // 0..calls
  std::vector<duckdb::idx_t> output_results_;  // the same in the output
  RowCodec key_codec_;
  RowCodec row_codec_;
  RowCodec result_codec_;
  GroupStates groups_;
  std::vector<Partition> partitions_;  // by slot
  RowStore rows_;
  uint64_t next_arrival_ = 0;
  std::vector<uint32_t> touched_;  // slots of partitions with changes

  duckdb::DataChunk order_input_;
  duckdb::DataChunk bound_input_;
  std::vector<duckdb::Vector> sort_keys_;  // of the batch: the order's, then the bounds'
  std::string record_;
  std::vector<std::unique_ptr<Aggregate>> aggregates_;  // of the running epoch
  uint32_t aggregate_slot_ = 0;                         // of the partition in hand
  duckdb::DataChunk loaded_;                            // rows of a partition from loaded_from_ on
  size_t loaded_from_ = 0;
  size_t loaded_max_ = 0;
  duckdb::DataChunk results_;
  size_t results_max_ = 0;
  duckdb::DataChunk output_;
  std::vector<int32_t> weights_;
};

}  // namespace millrace::stream
