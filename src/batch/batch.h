// Batch: a file of DuckDB's SQL, carried out statement by statement.
//
// Every statement is DuckDB's own, with two promises more:
//   COPY … (FORMAT parquet, PARTITION_BY …, OVERWRITE) replaces partition by partition, each in one
//     step (batch/partition_overwrite.h);
//   INSERT, UPDATE, DELETE and MERGE in an attached database happen once per run, however often the
//     run is repeated (batch/applied_statements.h).
//
// Contract: one thread; a database of its own, in memory, that spills to Options::directory. A
// failure ends the batch: what came before stays, and running it again completes it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/status.h"
#include "batch/settings.h"
#include "duck/query_result.h"

namespace millrace::batch {

struct Options {
  std::string run;                               // names what is to happen once; not ""
  std::map<std::string, std::string> variables;  // getvariable('name') in the statements
  std::string directory;                         // for spilling and staging; made when missing
};

// What became of one statement.
struct Step {
  std::string statement;  // its beginning
  std::string outcome;    // "24 partitions, 1200 rows", "done before by this run"; "" of a query
  std::optional<duck::QueryResult> answer;  // of a query
  double elapsed_ms = 0;
};

// Carries out `sql`, read from `path` (for messages). `report` is called after each statement.
// Errors: the statement's, at its place in `path`.
Status RunBatch(const std::string& sql, const std::string& path, const Settings& settings,
                const Options& options, const std::function<void(const Step&)>& report);

}  // namespace millrace::batch
