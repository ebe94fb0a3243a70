// TemporalJoin: to each row of the left stream the version of the right table's row that was valid
// at the row's event time (JOIN … FOR SYSTEM_TIME AS OF left.time).
//
//   left    append; a row waits until both frontiers have passed its time: then no version that is
//           valid at it can come any more
//   right   versions by key: weight +1: the key's row from its time on; -1: from then on it has
//   none output  append, in the order of time: left columns ++ right columns, INNER or LEFT
//
// Late rows. A left row behind its own split's frontier goes to the dead letters: what was valid at
// it may be freed. A version behind its split's frontier holds from that frontier on, unless a
// newer one is there; a removal without a time, too. So the answer is a function of the input
// alone.
//
// State: left rows that wait ('l' ++ id -> time, arrival, size of the key, key, row); versions
// ('v' ++ id -> time, 1 when there is a row, size of the key, key, row). A version is freed once
// the next one of its key is behind both frontiers.
#pragma once

#include <duckdb/planner/expression.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "stream/key_table.h"
#include "stream/late_rows.h"
#include "stream/operator.h"
#include "stream/row_codec.h"
#include "stream/row_store.h"
#include "stream/transform.h"

namespace duckdb {
class ExpressionExecutor;
}

namespace millrace::stream {

struct TemporalJoinPlan {
  struct Side {
    duckdb::vector<duckdb::LogicalType> types;
    std::vector<std::string> names = {};  // of the columns, for people
    std::vector<duckdb::idx_t> keys;      // columns equal on both sides, pairwise
    duckdb::idx_t time = 0;               // TIMESTAMP column
    ColumnFrontier frontier;              // of `time`
    std::string time_name;                // for EXPLAIN
  };
  Side sides[2];            // left, right
  bool keeps_left = false;  // LEFT JOIN
  Expressions residual;     // further conditions over (left columns, right columns)
  std::string key_names;    // for EXPLAIN
};

class TemporalJoin : public Operator {
 public:
  TemporalJoin(uint32_t id, TemporalJoinPlan plan);
  ~TemporalJoin() override;

  Status Open(const OperatorContext& context, const state::StateReader& state) override;
  void Process(int port, const Batch& batch) override;  // port 0: left, 1: right
  void OnWatermark(const Frontiers& frontiers) override;
  void Snapshot(state::StateWriter& writer) override;
  OperatorDescription Describe() const override;

  // Called for each row that found a version, with that version's columns. For traces; before Open.
  using Witness = std::function<void(const std::vector<std::string>& names,
                                     const std::vector<duckdb::Value>& version)>;
  void SetWitness(Witness witness) { witness_ = std::move(witness); }

 private:
  struct Side {
    explicit Side(const TemporalJoinPlan::Side& plan);
    RowCodec key_codec;
    RowCodec row_codec;
    LateRows late;
    RowStore rows;
    std::vector<duckdb::idx_t> all;      // columns of the input
    std::vector<duckdb::idx_t> columns;  // where they stand in the output
  };
  struct Version {
    model::EventTime time = 0;
    uint32_t row = 0;    // in the right side's store
    bool there = false;  // false: from `time` on the key has no row
  };

  void ProcessLeft(const Batch& batch);
  void ProcessRight(const Batch& batch);
  // Null: none is known.
  const Version* NewestOf(std::string_view key);
  void AddVersion(std::string_view key, model::EventTime time, bool there, std::string_view row);
  // Puts a version that is in the store in its place among those of its key.
  void Place(uint32_t slot, const Version& version);
  std::vector<Version>& VersionsOf(uint32_t slot);
  const Version* ValidAt(std::string_view key, model::EventTime time) const;
  void EmitBefore(model::EventTime time);
  void Flush();
  void TellWitness() const;
  void CheckResidual(duckdb::DataChunk& rows, std::vector<uint8_t>& matched);
  std::vector<uint8_t> CheckResidualOneByOne();
  void FreeVersions(model::EventTime before);
  void UpdateStateSize();

  TemporalJoinPlan plan_;
  Witness witness_;  // may be empty
  std::unique_ptr<Side> sides_[2];
  std::map<std::pair<model::EventTime, uint64_t>, uint32_t> waiting_;  // by time, arrival
  uint64_t next_arrival_ = 0;
  KeyTable keys_;
  std::vector<std::vector<Version>> versions_;  // by slot, ascending in time
  // Keys where a version ends, by when that is.
  std::map<model::EventTime, std::vector<uint32_t>> ends_;

  duckdb::DataChunk output_;
  std::vector<uint8_t> matched_;  // by row of output_
  std::unique_ptr<duckdb::ExpressionExecutor> residual_;
  std::string record_;
};

}  // namespace millrace::stream
