// SourceReader: from a source's splits to batches for the operators: decode, computed columns,
// checks, event time, frontiers.
//
// Frontiers. Each split has its own: the highest event time it delivered, less the watermark's
// delay (plus 1 ms, see stream/frontier.h). The table's frontier is the lowest over the splits that
// are neither idle nor ended, and never goes back. A row whose time is before the frontier its own
// split had reached is marked as a late candidate: since that depends on the split's order alone,
// and not on how it was cut into epochs, a replay (or a batch) judges it the same way.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "format/decoder.h"
#include "job/compiled_job.h"
#include "job/scan_schema.h"
#include "state/decision_log.h"
#include "state/state_store.h"
#include "stream/operator.h"

namespace duckdb {
class ExpressionExecutor;
}

namespace millrace::job {

struct SplitState {
  std::string id;
  model::Offset next = 0;  // first offset not yet read
  model::EventTime newest = model::kTimeMin;
  bool ended = false;
  bool idle = false;
  int64_t behind = 0;                  // offsets not read yet, as of the last poll
  int64_t last_data_monotonic_us = 0;  // not part of the state
};

struct SourceCounters {
  int64_t rows_in = 0;        // records read
  int64_t dead_lettered = 0;  // refused here
  int64_t dropped = 0;  // by a CHECK … ON VIOLATION DROP, or an option that says so; counted
};

class SourceReader {
 public:
  SourceReader(int index, const SourceTable& table, stream::SourceUse& use,
               stream::OperatorContext context, connectors::Services services, std::string job);
  ~SourceReader();

  Status Open(duck::Planner& planner);
  // Finds new splits; positions come from `restored` (a checkpoint) or the source's startup mode.
  Status RefreshSplits(int64_t now_monotonic_us);

  // Adds what can be read now to the decision; at most about `budget_bytes` in all.
  Status Decide(int64_t budget_bytes, int64_t now_monotonic_us, state::Decision& decision);
  // Carries out one range: reads it and hands the rows to the consumers.
  Status Read(const state::SplitRange& range, int64_t clock_us);
  // Applies the decision's idle splits and moves the frontier. Returns it.
  model::EventTime Advance(const state::Decision& decision);

  bool Ended() const;  // all splits of a bounded source are read
  void Save(state::StateWriter& writer) const;
  void Restore(const state::StateReader& state);

  connectors::Source& source() { return *source_; }
  const SourceCounters& counters() const { return counters_; }
  const std::vector<SplitState>& splits() const { return splits_; }
  model::EventTime frontier() const { return frontier_; }
  bool has_event_time() const { return time_column_ >= 0; }
  bool reads_embedded_log() const { return table_.binding.connector->spec.name == "kafka"; }
  const std::string& table_name() const { return table_.table->name; }

 private:
  class Output;  // the connector's SourceOutput
  class Origin;  // finds a row's record again for a dead letter
  Status BindColumns(BoundTable bound);
  SplitState& Split(const std::string& id);
  void OnRecords(std::span<const model::Record> records);
  void OnRows(duckdb::DataChunk& rows, std::span<const model::Offset> offsets);
  void Deliver(duckdb::DataChunk& base, const Origin& origin);
  void KeepRows(duckdb::DataChunk& base, duckdb::DataChunk& kept, std::vector<uint32_t>& from,
                const Origin& origin);
  void Compute(duckdb::DataChunk& kept, std::vector<uint32_t>& from, const Origin& origin);
  void Bury(const Origin& origin, uint32_t row, model::RowErrorKind kind, const std::string& column,
            const std::string& reason, const char* stage);
  void FillMetadata(duckdb::DataChunk& base, std::span<const model::Record> records,
                    const std::vector<uint32_t>& row_record);

  int index_;
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
  duckdb::vector<duckdb::LogicalType> base_types_;
  struct OutputColumn {
    int base = -1;      // position in the base chunk, or
    int computed = -1;  // index of the computed expression
  };
  std::vector<OutputColumn> outputs_;  // as use_.columns
  OutputColumn time_;                  // where event time is
  int time_column_ = -1;
  int64_t delay_us_ = 0;
  std::vector<duckdb::unique_ptr<duckdb::Expression>> computed_;
  std::unique_ptr<duckdb::ExpressionExecutor> compute_;
  duckdb::DataChunk computed_rows_;
  std::vector<duckdb::unique_ptr<duckdb::Expression>> checks_;
  std::vector<const sql::Check*> check_definitions_;
  std::unique_ptr<duckdb::ExpressionExecutor> check_;
  duckdb::DataChunk base_;
  duckdb::DataChunk output_;

  std::vector<SplitState> splits_;
  std::map<std::string, SplitState> restored_;
  bool has_checkpoint_ = false;
  model::EventTime frontier_ = model::kTimeMin;
  SourceCounters counters_;

  // Of the range being read.
  SplitState* reading_ = nullptr;
  int64_t clock_us_ = 0;
  Status failure_;
};

}  // namespace millrace::job
