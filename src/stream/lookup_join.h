// LookupJoin: JOIN … FOR SYSTEM_TIME AS OF a processing time: each row is joined with what another
// system says of its key in this epoch. Inner or left; over appended rows only. Also the call of a
// function that a service answers: its arguments are the key.
//
// The rows of an epoch wait until its input is read; then the keys that the cache does not answer
// are asked for at once, and the rows go on, before the operators below hear how far time has come.
// So event time passes through unchanged, late marks included.
//
//   Process*      rows wait, at most an epoch of them
//   OnWatermark   ask, emit
//   OnEpochEnd    the same for what came since (net changes from above); the cache forgets
//
// A key with NULL has no partner and is not asked for, unless `ask_nulls` says so. A key whose
// answer cannot be used, or that is not there where the table says so ('lookup.on-miss'), makes
// dead letters.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream/join_conditions.h"
#include "stream/lookup_cache.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/transform.h"

namespace millrace::stream {

struct LookupJoinPlan {
  std::string table;
  std::string on;     // for EXPLAIN
  bool left = false;  // rows without partner go on with NULLs
  bool bury_missing = false;
  bool ask_nulls = false;  // a key with NULLs is a key like others
  std::string what = {};   // in dead letters; "": lookup in the table
  LookupCachePolicy cache;
  duckdb::vector<duckdb::LogicalType> input_types;  // columns that go on, then those of the key
  duckdb::idx_t kept = 0;                           // how many of them go on
  std::vector<duckdb::idx_t> keys;                  // columns of the input
  std::vector<std::string> key_names = {};          // what they are called where they are asked for
  duckdb::vector<duckdb::LogicalType> answer_types;
  Expressions residual;  // over (columns that go on, columns of the answer)
};

class LookupJoin : public Operator {
 public:
  LookupJoin(uint32_t id, LookupJoinPlan plan);
  ~LookupJoin() override;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;
  void OnWatermark(const Frontiers& frontiers) override;
  void OnEpochEnd() override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

 private:
  struct Waiting;
  // What an epoch knows of a key: rows [first, first + count) of answers_, or why there are none.
  struct Known {
    duckdb::idx_t first = 0;
    uint32_t count = 0;
    std::string bad;
  };
  struct Pair {
    uint32_t row;
    duckdb::idx_t answer;
  };

  void Flush();
  void CollectKeys();
  bool FindAnswers();
  void DecodeAnswers(const std::vector<std::string_view>& answers);
  void Join(Waiting& waiting);
  void KeepTruePairs(Waiting& waiting, std::vector<Pair>& pairs, std::vector<uint8_t>& gone);
  void EmitPairs(Waiting& waiting, const std::vector<Pair>& pairs);
  void FillPairs(Waiting& waiting, const Pair* pairs, duckdb::idx_t count, duckdb::DataChunk& out);
  void Bury(Waiting& waiting, uint32_t row, model::RowErrorKind kind, std::string reason);
  std::string KeyText(const Waiting& waiting, uint32_t row) const;  // for people

  LookupJoinPlan plan_;
  RowCodec key_codec_;
  RowCodec answer_codec_;
  std::vector<duckdb::idx_t> answer_columns_;
  LookupCache cache_;
  // Answers of the running epoch that are not in the cache, by slot of the key: each key is asked
  // for once an epoch, for the journal has one answer to it.
  KeyTable asked_;
  std::vector<std::string> asked_answers_;
  std::unique_ptr<JoinConditions> residual_;
  std::vector<std::unique_ptr<Waiting>> waiting_;  // the first used_ hold rows
  size_t used_ = 0;
  KeyTable epoch_keys_;  // of the waiting rows; slots index known_
  std::vector<Known> known_;
  duckdb::DataChunk answers_;  // all rows of the epoch's answers, then one of NULLs
  duckdb::idx_t null_answer_ = 0;
  duckdb::DataChunk output_;
};

}  // namespace millrace::stream
