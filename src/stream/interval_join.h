// IntervalJoin: joins two append-only streams on equal keys and a bounded distance in time:
//
//     right.time - left.time  in  [lower, upper]
//
// A window join (equal keys and equal window_end) is the case lower = upper = 0. INNER, LEFT,
// RIGHT, FULL, SEMI (IN, EXISTS) and ANTI (NOT EXISTS); a row that may still find a partner waits,
// and is emitted alone (NULLs on the other side) when the other side's frontier has passed its
// interval.
//
// A row that comes behind its split's frontier is late: its partners may be gone already. It goes
// to the dead letters, so the result is a function of the input alone, whatever the pace. So does a
// pair on which a condition fails; its rows are then not shown alone.
//
// State: per side, rows by key, in buckets of time that are freed whole. Key of a stored row: side
// (1 byte), bucket (8 bytes, ordered), number in the bucket (4 bytes).
#pragma once

#include <duckdb/planner/expression.hpp>
#include <map>
#include <memory>
#include <vector>

#include "stream/arena.h"
#include "stream/join_conditions.h"
#include "stream/key_table.h"
#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/transform.h"

namespace millrace::stream {

struct IntervalJoinPlan {
  struct Side {
    duckdb::vector<duckdb::LogicalType> types;
    std::vector<duckdb::idx_t> keys;  // columns equal on both sides, pairwise
    duckdb::idx_t time = 0;           // TIMESTAMP column
    ColumnFrontier frontier;          // of `time`
    bool keeps_unmatched = false;     // outer side
    std::string time_name;            // for EXPLAIN
  };
  Side sides[2];  // left, right
  // Left and right columns of each pair (and of rows alone, on sides that keep them); or only the
  // left columns of rows that have a partner (semi), or have none (anti: the left side keeps them).
  enum class Emits { kPairs, kLeftMatched, kLeftUnmatched };
  Emits emits = Emits::kPairs;
  int64_t lower_us = 0;
  int64_t upper_us = 0;
  Expressions residual;  // further conditions over (left columns, right columns)
};

class IntervalJoin : public Operator {
 public:
  IntervalJoin(uint32_t id, IntervalJoinPlan plan);
  ~IntervalJoin() override;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;  // port 0: left, 1: right
  void OnWatermark(const Frontiers& frontiers) override;
  void OnEpochEnd() override { FlushPairs(); }
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct StoredRow {
    std::string_view bytes;
    int64_t time = 0;
    bool matched = false;
    bool changed = false;  // since the last snapshot
  };
  struct RowId {
    int64_t bucket;
    uint32_t index;
  };
  struct PairRows {
    RowId left;
    RowId right;
  };
  struct Bucket {
    Arena arena;
    std::vector<StoredRow> rows;
    std::vector<uint32_t> slots;  // key slot of each row
    bool stored = false;          // some of it is in a checkpoint
    bool changed = false;
  };
  struct Side {
    explicit Side(const IntervalJoinPlan::Side& plan);
    RowCodec key_codec;
    RowCodec row_codec;
    LateRows late;
    KeyTable keys;
    std::vector<std::vector<RowId>> rows_of_key;  // by key slot, in order of arrival
    std::map<int64_t, Bucket> buckets;
    std::vector<int64_t> freed;  // stored buckets freed since the last snapshot
    duckdb::DataChunk alone;     // rows of this side for the output, without partner
    duckdb::idx_t alone_rows = 0;
  };

  int64_t BucketOf(int64_t time) const;
  RowId Store(int port, std::string_view bytes, int64_t time, uint32_t slot);
  void Probe(int port, int64_t time, std::string_view key, RowId self);
  void AddPair(int port, std::string_view own_bytes, RowId own, RowId other);
  void FlushPairs();
  void EmitExpired(int port, model::EventTime before);
  // Appends a row without its partner to the output; FlushAlone emits what was appended.
  void AddAlone(int port, std::string_view bytes);
  // Notes that neither row is to be shown alone; `holds`: they are partners.
  void MarkMatched(const PairRows& pair, bool holds);
  void FlushAlone(int port);
  void FreeBuckets(int port, model::EventTime before);
  void Restore(const state::StateReader& state);
  void UpdateStateSize();

  IntervalJoinPlan plan_;
  int64_t bucket_us_;
  std::unique_ptr<Side> sides_[2];
  std::vector<duckdb::idx_t> columns_[2];  // where each side's columns stand in the joined row
  duckdb::DataChunk pairs_;
  std::vector<PairRows> pair_rows_;
  std::unique_ptr<JoinConditions> residual_;
};

}  // namespace millrace::stream
