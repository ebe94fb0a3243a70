// The commands of dbt on models that lie in a pipeline: they run in its warehouse, where topics are
// tables, and stream models are brought up to date by their jobs.
#pragma once

#include "dbt/runner.h"
#include "project/runtime.h"

namespace millrace::project {

// Whether the models belong into the pipeline's warehouse: no profile says otherwise.
bool RunInWarehouse(const dbt::Project& models);

// Makes a run use the runtime's warehouse. A stream model is done when its job, which the runtime
// runs, has committed all that was in its topics when its turn came. `runtime` outlives the run.
void UseRuntime(Runtime& runtime, dbt::RunnerOptions& options);

}  // namespace millrace::project
