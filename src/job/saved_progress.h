// SavedProgress: what a job that does not run has left behind, without opening the job.
//
// Contract: reads only; the job does not run, here or in another process (its state has one owner).
#pragma once

#include <string>

#include "job/compiled_job.h"
#include "job/job.h"

namespace millrace::job {

struct SavedProgress {
  StateFit fit;          // of `job`; kNew: it never ran
  JobPosition position;  // with what was decided after the checkpoint; empty when kNew
  double rows_per_second = 0;
};
// `job`: the query whose sources the state is read as; where another query made it, the positions
// are those of the inputs at the same places.
Result<SavedProgress> ReadProgress(const CompiledJob& job, const std::string& state_directory);

}  // namespace millrace::job
