// CompiledJob: one INSERT INTO (or SELECT) of a project, checked and planned, ready to run.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "duck/planner.h"
#include "job/job_structure.h"
#include "job/scan_schema.h"
#include "sql/catalog.h"
#include "stream/job_plan.h"

namespace millrace::job {

// What becomes of rows that are late, and later than the allowed lateness where there is one.
enum class LateRowsPolicy { kDeadLetter, kDrop };

// Settings of a script that a job obeys (SET 'key' = 'value').
struct JobSettings {
  int64_t checkpoint_interval_us = 10'000'000;  // execution.checkpointing.interval
  int64_t epoch_interval_us = 5'000;    // millrace.epoch.interval: least time between starts
  int64_t epoch_bytes_max = 8LL << 20;  // millrace.epoch.bytes: input of an epoch
  int64_t idle_timeout_us = 0;          // table.exec.source.idle-timeout; 0: never idle
  int64_t shards = 1;                   // parallelism.default
  int64_t state_ttl_us = 0;             // table.exec.state.ttl: of what updates; 0: for ever
  int64_t state_memory = 0;             // millrace.state.memory: of state in memory; 0: no limit
  // millrace.lookup.answers-kept: of what was answered before the last checkpoint, for traces.
  int64_t answers_kept_bytes = 64LL << 20;
  // table.exec.source.cdc-events-duplicate: rows of a changelog with a PRIMARY KEY replace each
  // other by it, so messages may come twice and lack the row before. False: they are as they say.
  bool changelogs_by_key = true;
  std::string name;               // pipeline.name
  std::string time_zone = "UTC";  // table.local-time-zone: in which points in time are read
  // millrace.late-rows; `corrects_late`: it says "update", so it needs an allowed lateness.
  LateRowsPolicy late = LateRowsPolicy::kDeadLetter;
  bool corrects_late = false;
  // millrace.allowed-lateness, table.exec.emit.allow-lateness: late rows correct windows so long.
  int64_t allowed_lateness_us = 0;
  bool early_fire = false;          // table.exec.emit.early-fire.enabled, millrace.emit = update
  int64_t early_fire_delay_us = 0;  // table.exec.emit.early-fire.delay
  bool late_fire = false;           // table.exec.emit.late-fire.enabled
  int64_t late_fire_delay_us = 0;   // table.exec.emit.late-fire.delay

  stream::WindowEmit Emit() const;
};
// Errors: kUnknownOption for millrace.* keys that do not exist, kBadOption. Flink keys that mean
// nothing here are accepted.
Status ApplySetting(const std::string& key, const std::string& value, JobSettings& settings);

// Options of a table that the job handles, whatever the connector:
//   scan.watermark.idle-timeout, millrace.late-rows, millrace.allowed-lateness,
//   millrace.max-time-ahead; of a sink: emit
struct TableSettings {
  int64_t idle_timeout_us = -1;        // -1: the job's
  std::optional<LateRowsPolicy> late;  // none: the job's
  bool corrects_late = false;
  int64_t allowed_lateness_us = -1;  // -1: the job's
  int64_t max_time_ahead_us = 86'400LL * 1'000'000;
  std::optional<bool> early_fire;  // none: the job's
};
// Takes those options out of `options`.
Result<TableSettings> TakeTableSettings(std::map<std::string, std::string>& options);
// Of a table that `job` reads: what the table leaves open is as the job's settings say. Error
// kBadOption: late rows are to correct windows, but for how long is not said.
Status ResolveTableSettings(const JobSettings& job, const std::string& table,
                            TableSettings& settings);

// How the target of the project carries out a table: which connector, with which options.
struct Binding {
  const connectors::ConnectorEntry* connector = nullptr;
  std::map<std::string, std::string> options;
};
using Binder = std::function<Result<Binding>(const sql::Table& table)>;

struct SourceTable {
  const sql::Table* table = nullptr;
  BoundTable bound;
  Binding binding;
  TableSettings settings;
};

// A table that the job asks by key, or the service of a function (stream::LookupUse).
struct LookupTable {
  const sql::Table* table = nullptr;
  model::Schema columns;         // all, in SELECT * order
  std::vector<int> base_column;  // as BoundTable's
  Binding binding;
  connectors::Options options;
  int64_t circuit_failures = 1;  // in a row, then nobody asks for circuit_pause_us
  int64_t circuit_pause_us = 0;
  int64_t retry_missing_us = 0;  // how long keys that are not there are asked for again
};

struct CompiledJob {
  std::string name;
  std::string sql;  // the statement as written
  JobSettings settings;
  std::unique_ptr<duck::Planner> planner;  // outlives the plan
  stream::JobPlan plan;
  std::vector<stream::JobPlan> more_shards;    // further copies of the plan, for shards 1, 2, …
  std::vector<SourceTable> sources;            // as plan.sources
  std::map<std::string, LookupTable> lookups;  // by name
  // For asking the same as a batch: the result as the sink takes it, in DuckDB's dialect, and the
  // views that it reads, in order of definition.
  std::string batch_query;
  std::vector<const sql::View*> views;
  std::vector<const sql::Function*> functions;  // user-defined ones that it calls
  const sql::Table* sink = nullptr;             // null: SELECT, rows go to the caller
  Binding sink_binding;
  // Equal for two compilations when one can go on with the other's state.
  std::string fingerprint;
  // Says more: what of it differs, and whether that matters to the state.
  JobStructure structure;
  // By which its sinks remember its epochs; "": its name. Versions of one job have one each.
  std::string commit_name;

  // The plan as EXPLAIN shows it.
  std::string Explain() const;
};

// Plans an INSERT. Errors point into the user's text.
Result<std::unique_ptr<CompiledJob>> CompileInsert(const sql::Catalog& catalog,
                                                   const sql::Insert& insert,
                                                   const std::string& sql,
                                                   const JobSettings& settings,
                                                   const Binder& binder);
// Binds a query: the names and types of its result.
Result<model::Schema> DescribeQuery(const sql::Catalog& catalog, const sql::Fragment& query,
                                    const JobSettings& settings);
// Plans a SELECT over streaming tables.
Result<std::unique_ptr<CompiledJob>> CompileSelect(const sql::Catalog& catalog,
                                                   const sql::Select& select,
                                                   const JobSettings& settings,
                                                   const Binder& binder);

}  // namespace millrace::job
