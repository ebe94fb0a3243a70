// SourceLane: from one range of a split to batches for the operators: read, decode, check, compute,
// judge event time. A table has one lane per shard of the job; lanes share nothing but the table.
//
//   connector ─records─► decoder ─► CHECKs ─► computed columns ─► event time ─► consumers
//                 └ bad ones: dead letters at the step that refuses them
//
// A row whose time is before the frontier that its own split had reached is marked as a late
// candidate: since that depends on the split's order alone, and not on how it was cut into epochs,
// a replay (or a batch) judges it the same way. Rows of a table whose rows change are all marked: a
// row taken back later is late by the record that takes it back.
//
// Of rows that are taken away by key alone nothing but the key is asked: no CHECK, no event time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "format/decoder.h"
#include "format/drift.h"
#include "job/compiled_job.h"
#include "job/row_checks.h"
#include "state/decision_log.h"
#include "stream/operator.h"

namespace millrace::job {

struct SplitState {
  std::string id;
  model::Offset next = 0;    // first offset not yet read
  model::Offset first = -1;  // where the job began to read it; -1: not known
  model::EventTime newest = model::kTimeMin;
  bool ended = false;
  bool idle = false;
  int64_t missing = 0;  // rows of it that are not accounted for, since the job was opened
  int64_t behind = 0;   // offsets not read yet, as of the last poll
  int64_t last_data_monotonic_us = 0;  // not part of the state

  // The split's own frontier under a watermark of this delay.
  model::EventTime Reached(int64_t delay_us) const {
    constexpr int64_t kMillisecond = 1000;
    return newest <= model::kTimeMin ? model::kTimeMin : newest - delay_us + kMillisecond;
  }
};

struct SourceCounters {
  int64_t rows_in = 0;        // records read
  int64_t dead_lettered = 0;  // refused here
  int64_t dropped = 0;    // by a CHECK … ON VIOLATION DROP, or an option that says so; counted
  int64_t warned = 0;     // violations of CHECK … ON VIOLATION WARN; the rows go on
  int64_t skipped = 0;    // records that are neither row nor fault: tombstones, comments
  int64_t added = 0;      // rows of a record beside its first: an update is two
  int64_t delivered = 0;  // rows handed to the operators

  // What is not accounted for; 0 unless a row got lost (> 0) or came from nowhere (< 0).
  int64_t Missing() const {
    return rows_in + added - delivered - dead_lettered - dropped - skipped;
  }
};

class SourceLane {
 public:
  SourceLane(int source, const SourceTable& table, stream::SourceUse& use,
             stream::OperatorContext context, connectors::Services services, std::string job);
  ~SourceLane();

  Status Open();
  // Reads the range and hands its rows to the consumers. `frontier`: the table's, as of the last
  // epoch. Moves split.next, split.newest and split.ended.
  Status Read(SplitState& split, const state::SplitRange& range, int64_t clock_us,
              model::EventTime frontier);

  connectors::Source& source() { return *source_; }
  SourceCounters& counters() { return counters_; }
  // Null: the format cannot tell.
  const format::DriftList* drift() const { return decoder_ ? format::DriftOf(*decoder_) : nullptr; }

 private:
  class Output;  // the connector's SourceOutput
  class Origin;  // finds a row's record again for a dead letter
  struct Rows;   // rows on their way through the lane
  Status BindColumns(const BoundTable& bound);
  Status AddMetadata(const sql::MetadataColumn& meta);
  Status NewDecoder();
  void OnRecords(std::span<const model::Record> records);
  void OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets);
  void Deliver(duckdb::DataChunk& base, const Origin& origin);
  void KeepChecked(Rows& rows);
  void DecodeBesideMetadata(std::span<const model::Record> records, Origin& origin,
                            std::vector<model::RowError>& errors);
  void Compute(Rows& rows);
  void JudgeTimes(Rows& rows, stream::Batch& batch);
  void RemoveRefused(const Rows& rows, const std::vector<uint32_t>& refused, stream::Batch& batch);
  void Bury(const Origin& origin, uint32_t row, model::RowErrorKind kind, const std::string& column,
            const std::string& reason, const char* stage);

  const int index_;
  const SourceTable& table_;
  stream::SourceUse& use_;
  stream::OperatorContext context_;
  connectors::Services services_;
  std::string job_;
  std::string topic_;

  std::unique_ptr<connectors::Source> source_;
  std::unique_ptr<format::Decoder> decoder_;  // null: the source delivers typed rows
  stream::Emitter emitter_;

  // Base columns that are decoded (physical) or filled in (metadata), and their position in the
  // chunk; then what becomes of them.
  std::vector<size_t> physical_;                          // schema indexes, in decoder order
  std::vector<model::WantedFields> wanted_;               // of each of them
  std::vector<std::pair<size_t, std::string>> metadata_;  // position in the chunk, connector's key
  std::vector<size_t> decoded_metadata_;         // positions in the chunk of what the decoder
  std::vector<model::Column> message_metadata_;  // gives beside the rows; as it calls them
  duckdb::vector<duckdb::LogicalType> base_types_;
  struct OutputColumn {
    int base = -1;      // position in the base chunk, or
    int computed = -1;  // index of the computed expression
  };
  std::vector<OutputColumn> outputs_;  // as use_.columns
  OutputColumn time_;                  // where event time is
  bool has_time_ = false;
  bool by_key_ = false;  // rows replace each other by key
  int64_t delay_us_ = 0;
  std::vector<duckdb::unique_ptr<duckdb::Expression>> computed_;
  std::unique_ptr<duckdb::ExpressionExecutor> compute_;
  std::unique_ptr<RowChecks> checks_;
  duckdb::DataChunk base_;
  duckdb::DataChunk computed_rows_;
  duckdb::DataChunk output_;
  std::vector<int32_t> weights_;  // of output_, where rows are taken away
  SourceCounters counters_;

  // Of the range being read.
  SplitState* reading_ = nullptr;
  int64_t clock_us_ = 0;
  model::EventTime frontier_ = model::kTimeMin;
  Status failure_;
};

}  // namespace millrace::job
