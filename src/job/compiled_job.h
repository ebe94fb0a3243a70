// CompiledJob: one INSERT INTO (or SELECT) of a project, checked and planned, ready to run.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "duck/planner.h"
#include "job/job_structure.h"
#include "job/scan_schema.h"
#include "sql/catalog.h"
#include "stream/job_plan.h"

namespace millrace::job {

// Settings of a script that a job obeys (SET 'key' = 'value').
struct JobSettings {
  int64_t checkpoint_interval_us = 10'000'000;  // execution.checkpointing.interval
  int64_t epoch_interval_us = 5'000;    // millrace.epoch.interval: least time between starts
  int64_t epoch_bytes_max = 8LL << 20;  // millrace.epoch.bytes: input of an epoch
  int64_t idle_timeout_us = 0;          // table.exec.source.idle-timeout; 0: never idle
  int64_t shards = 1;                   // parallelism.default
  int64_t state_ttl_us = 0;             // table.exec.state.ttl: of rows in regular joins; 0: never
  std::string name;                     // pipeline.name
};
// Errors: kUnknownOption for millrace.* keys that do not exist, kBadOption. Flink keys that mean
// nothing here are accepted.
Status ApplySetting(const std::string& key, const std::string& value, JobSettings& settings);

// Options of a table that the job handles, whatever the connector:
//   scan.watermark.idle-timeout, millrace.late-rows, millrace.max-time-ahead
struct TableSettings {
  int64_t idle_timeout_us = -1;  // -1: the job's
  bool drop_late = false;
  int64_t max_time_ahead_us = 86'400LL * 1'000'000;
};
// Takes those options out of `options`.
Result<TableSettings> TakeTableSettings(std::map<std::string, std::string>& options);

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

struct CompiledJob {
  std::string name;
  std::string sql;  // the statement as written
  JobSettings settings;
  std::unique_ptr<duck::Planner> planner;  // outlives the plan
  stream::JobPlan plan;
  std::vector<stream::JobPlan> more_shards;  // further copies of the plan, for shards 1, 2, …
  std::vector<SourceTable> sources;          // as plan.sources
  // For asking the same as a batch: the result as the sink takes it, in DuckDB's dialect, and the
  // views that it reads, in order of definition.
  std::string batch_query;
  std::vector<const sql::View*> views;
  const sql::Table* sink = nullptr;  // null: SELECT, rows go to the caller
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
// Plans a SELECT over streaming tables.
Result<std::unique_ptr<CompiledJob>> CompileSelect(const sql::Catalog& catalog,
                                                   const sql::Select& select,
                                                   const JobSettings& settings,
                                                   const Binder& binder);

}  // namespace millrace::job
