// RegularJoin: joins two streams without a bound in time, over inputs that append or retract.
//
//   inner, left, right, full   left columns ++ right columns, NULLs for the side that is missing
//   semi, anti                 the left rows that have a partner, that have none
//   mark                       the left rows ++ BOOLEAN: has it a partner; never NULL
//
// Rows are partners when their keys are equal and every residual condition is true. NULL keys equal
// nothing, except where the plan says so (IS NOT DISTINCT FROM). Pairs are emitted at once. What
// depends on there being no partner (outer, semi, anti, mark) is emitted as the epoch's net change,
// at its end: so a reader never sees a row alone that found its partner in the same epoch.
//
// Results have no frontier: a row may find a partner at any time. Late rows are rows like any
// other.
//
// State: every row of both sides that could still have a partner (see join_rows.h; prefixes 'l' and
// 'r'), one copy of each distinct row. It is freed by retraction, and, with a time to live, when a
// row has not been written for so long by the epochs' clock: such a row finds no new partners, and
// what it gave stays.
#pragma once

#include <deque>
#include <duckdb/planner/expression.hpp>
#include <memory>
#include <string>
#include <vector>

#include "stream/join_rows.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/transform.h"

namespace duckdb {
class ExpressionExecutor;
}

namespace millrace::stream {

enum class JoinKind { kInner, kLeft, kRight, kFull, kSemi, kAnti, kMark };
const char* JoinKindName(JoinKind kind);  // "left"

struct RegularJoinPlan {
  struct Side {
    duckdb::vector<duckdb::LogicalType> types;  // of the input
    std::vector<duckdb::idx_t> keys;            // columns equal on both sides, pairwise
    std::vector<duckdb::idx_t> payload;         // columns that the output or the residual needs
    bool retracts = false;

    duckdb::vector<duckdb::LogicalType> KeyTypes() const;
    duckdb::vector<duckdb::LogicalType> PayloadTypes() const;
  };
  JoinKind kind = JoinKind::kInner;
  Side sides[2];                  // left, right
  std::vector<bool> nulls_match;  // by key
  Expressions residual;           // over (left payload, right payload)
  int64_t ttl_us = 0;             // 0: for ever
  std::string on;                 // the condition, for EXPLAIN

  duckdb::vector<duckdb::LogicalType> OutputTypes() const;
  // Whether a row, once emitted, is never taken back.
  bool Appends() const;
};

class RegularJoin : public Operator {
 public:
  RegularJoin(uint32_t id, RegularJoinPlan plan);
  ~RegularJoin() override;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;  // port 0: left, 1: right
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Side {
    Side(const RegularJoinPlan::Side& plan, char prefix, JoinRows::Use use);
    RowCodec key_codec;
    RowCodec payload_codec;
    JoinRows rows;
    std::vector<duckdb::idx_t> columns;        // of the payload, in pairs and in the output
    std::vector<duckdb::idx_t> found_columns;  // of the payload, in `found`
    bool shows_alone = false;  // its rows are emitted also without a partner, or only so
    bool looks_back = false;   // touched rows are looked at when the epoch ends
    std::vector<JoinRowId> touched;
    std::vector<uint8_t> key_matched;  // by key: it had a partner at the end of the last epoch
    std::deque<std::pair<int64_t, JoinRowId>> by_age;  // written_us; only with a time to live
    duckdb::DataChunk found;                           // decoded rows of this side, for pairs
    duckdb::DataChunk alone;                           // rows for the output, without partner
    std::vector<int32_t> alone_weights;
    std::vector<uint8_t> null_key;  // by row of the batch
  };
  struct Pair {
    uint32_t batch_row;
    JoinRowId added;  // the batch's row when it is new in the state
    JoinRowId found;
    int32_t weight;  // of the batch's row
  };

  void FindNullKeys(int port, duckdb::DataChunk& rows);
  void Probe(int port, const Batch& batch, uint32_t row, uint32_t key, JoinRowId added,
             int32_t weight);
  void FlushPairs(int port, const Batch& batch);
  // Leaves in kept_ the pairs for which the residual is true.
  void CheckResidual(duckdb::DataChunk& pairs);
  void CheckResidualOneByOne(duckdb::DataChunk& pairs);
  void CountMatches(int port);
  void EmitPairs(int port, duckdb::DataChunk& pairs);

  void Touch(int port, JoinRowId row);
  void TouchKeysThatTurned();
  void ShowAlone(int port, JoinRowId row);
  // Appends |count| copies of a row without partner to the output; count < 0 takes them back.
  void AddAlone(int port, std::string_view bytes, bool mark, int64_t count);
  void FlushAlone(int port);
  void FreeRow(int port, JoinRowId row);
  void FreeOldRows();
  void UpdateStateSize();

  RegularJoinPlan plan_;
  bool emits_pairs_;
  bool counts_matches_;  // per row; else a row's partners are all rows of its key
  bool appends_;
  KeyTable keys_;  // of both sides
  std::unique_ptr<Side> sides_[2];
  std::vector<uint32_t> touched_keys_;
  std::vector<uint8_t> key_touched_;
  std::vector<Pair> pairs_;
  duckdb::vector<duckdb::LogicalType> pair_types_;
  std::vector<uint32_t> kept_;
  std::vector<int32_t> weights_;
  std::unique_ptr<duckdb::ExpressionExecutor> residual_;
};

}  // namespace millrace::stream
