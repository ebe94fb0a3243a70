// OverAggregate: OVER (PARTITION BY … ORDER BY event time) with a frame that ends at the current
// row: every row comes out once, with its results, in the order of event time, when the frontier
// has passed it. Append in, append out.
//
// A row waits until the frontier has passed its time; then it joins its partition's frame, rows
// that left the frame are taken from the aggregates, and the results are what is left. Rows with
// equal times follow each other in the order of arrival; in a RANGE frame they share one result.
// All rows that become final at once are worked off in rounds, one row (or group of equal times)
// of each partition per round, so that the aggregates see many rows a call.
//
// State: partitions with their aggregates (GroupStates 'g', 'e'), rows that wait or are in a frame
// ('r' ++ id): time (8 bytes), arrival number (8), slot (4), the columns.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "stream/group_states.h"
#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"

namespace millrace::stream {

struct OverPlan {
  enum class Frame { kUnbounded, kRows, kRange };  // … PRECEDING AND CURRENT ROW
  // What a result column is.
  enum class Result { kAggregate, kRowNumber, kRank, kFirstValue, kLastValue, kLag };
  struct Call {
    Result result = Result::kAggregate;
    size_t aggregate = 0;        // kAggregate: index in `aggregates`
    duckdb::idx_t argument = 0;  // kFirstValue, kLastValue, kLag: input column
    int64_t distance = 0;        // kLag: rows back
    int fallback = -1;           // kLag: input column that is the answer without such a row
    duckdb::LogicalType type;
    std::string text;  // for EXPLAIN
  };

  duckdb::vector<duckdb::LogicalType> types;  // of the input
  std::vector<std::string> names;             // of the input columns, for EXPLAIN
  std::vector<duckdb::idx_t> keys;            // PARTITION BY columns
  duckdb::idx_t time = 0;                     // ORDER BY column
  ColumnFrontier frontier;                    // of `time`
  Frame frame = Frame::kUnbounded;
  int64_t preceding = 0;       // kRows: rows before the current one; kRange: microseconds
  bool peers_together = true;  // CURRENT ROW means all rows of its time (RANGE)
  AggregatePlan aggregates;    // of the input's columns; no groups
  std::vector<Call> calls;     // in the order of the result columns
};

class OverAggregate : public Operator {
 public:
  OverAggregate(uint32_t id, OverPlan plan);

  // The input's columns, then one per call.
  duckdb::vector<duckdb::LogicalType> OutputTypes() const;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Waiting {
    int64_t time;
    uint64_t arrival;
    uint32_t slot;
    uint32_t row;  // in rows_
    bool operator>(const Waiting& other) const {
      return time != other.time ? time > other.time : arrival > other.arrival;
    }
  };
  struct FrameRow {
    int64_t time;
    uint32_t row;
  };
  // A queue of rows in little memory: most partitions are small, and many.
  class Frame {
   public:
    void Push(FrameRow row) { rows_.push_back(row); }
    void Pop() {
      if (++head_ < 8 || head_ * 2 < rows_.size()) return;
      rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    const FrameRow& front() const { return rows_[head_]; }
    size_t size() const { return rows_.size() - head_; }
    bool empty() const { return size() == 0; }

   private:
    std::vector<FrameRow> rows_;
    size_t head_ = 0;
  };
  struct Partition {
    Frame frame;  // only where rows are needed again
    uint32_t waiting = 0;
    uint32_t units = 0;  // while rows are worked off: found so far
  };
  // Rows of one partition that get one result: a range of the rows worked off.
  struct Unit {
    uint32_t slot;
    uint32_t round;
    uint32_t first;
    uint32_t count;
  };

  Partition& PartitionOf(uint32_t slot);
  void Pop(std::vector<Waiting>& rows);
  void WorkOff(const std::vector<Waiting>& rows);
  void RunRound(const std::vector<Waiting>& rows, const std::vector<Unit>& units, size_t begin,
                size_t end);
  void AddToFrame(const Waiting& row);
  void Evict(uint32_t slot);
  void FlushEvicted();
  void FillResults(const std::vector<Unit>& units, size_t begin, size_t end);
  void EmitRows(size_t count, const std::vector<uint32_t>& result_of_row);
  void Expire();
  void Reserve(size_t rows);
  void UpdateStateSize();

  OverPlan plan_;
  bool keeps_frame_;       // rows in the frame are needed again
  bool keeps_first_only_;  // of an unbounded frame
  std::vector<duckdb::idx_t> all_columns_;
  RowCodec key_codec_;
  RowCodec row_codec_;
  LateRows late_;
  GroupStates groups_;
  std::vector<Partition> partitions_;  // by slot
  RowStore rows_;
  std::vector<Waiting> waiting_;  // a heap, the earliest on top
  uint64_t next_arrival_ = 0;
  // kRange: the rows in all frames by time, to take out those that no frame can hold any more.
  std::deque<std::pair<int64_t, uint32_t>> expiry_;

  // Of the rows that are being worked off.
  size_t capacity_ = 0;  // rows the chunks have room for
  duckdb::DataChunk fresh_;
  duckdb::DataChunk results_;
  duckdb::DataChunk round_results_;
  duckdb::DataChunk evicted_;
  duckdb::DataChunk first_;
  std::vector<uint32_t> evicted_slots_;
  std::vector<uint32_t> slots_;
  std::vector<uint32_t> fresh_rows_;
  std::string record_;
};

}  // namespace millrace::stream
