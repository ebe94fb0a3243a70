// BatchInput: what a job has read of a table, as rows for a batch: decoded, checked and computed as
// the job does it, each with how late it came.
//
// Contract: one thread. The position is of a job that was stopped, so that its checkpoint and its
// sink are of one epoch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "connectors/connector.h"
#include "job/compiled_job.h"
#include "job/job.h"
#include "model/dead_letter.h"

namespace millrace::job {

// What the checkpoint in `state_directory` says. Errors: kNotFound when the job never ran,
// kFailedPrecondition when it is of another query, or was not stopped but died.
Result<JobPosition> ReadPosition(const CompiledJob& job, const std::string& state_directory);

// Rows with all columns of the table. Row i came when its own split had reached[i] as its frontier,
// where that is after its time (else kTimeMin: it is not late); origin(i) tells its record.
struct BatchInputRows {
  duckdb::DataChunk* rows = nullptr;
  std::vector<model::EventTime> reached;
  std::function<model::DeadLetter(uint32_t row)> origin;
};

// Visits the rows of [from, to) of every split of source `index`. Bad records and rows that break a
// CHECK are left out; `counters` says how many.
struct BatchInputCounters {
  int64_t records = 0;
  int64_t refused = 0;  // dead letters of decoding, checks, computed columns and event time
  int64_t dropped = 0;  // by CHECKs that drop
};
Status ReadBatchInput(CompiledJob& job, size_t index, const JobPosition& position,
                      const connectors::Services& services,
                      const std::function<Status(const BatchInputRows&)>& visit,
                      BatchInputCounters& counters);

// How often rows of all sources pass through a WindowAggregate before they reach the result:
// whether all of them do, on every way; and whether one kind of operator is in the plan.
bool AllThroughWindows(const stream::JobPlan& plan);
bool HasOperator(const stream::JobPlan& plan, const std::string& name);

}  // namespace millrace::job
