// What /metrics says of the stages of a job: its sources, operators and sink.
//
//   millrace_stage_rows_total{job,stage,operator,outcome}     as the ledger counts them
//   millrace_stage_busy_seconds_total{job,stage,operator}
//   millrace_stage_state_rows / _bytes{job,stage,operator}
#pragma once

#include "job/job.h"
#include "serve/metric_families.h"

namespace millrace::serve {

void AddStageMetrics(MetricFamilies& families, const job::JobStatus& job);

}  // namespace millrace::serve
