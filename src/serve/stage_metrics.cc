#include "serve/stage_metrics.h"

namespace millrace::serve {

namespace {
// Those that an operator's author and its user look for; all of them are in `millrace ledger`.
constexpr job::Count kOutcomes[] = {
    job::Count::kIn,      job::Count::kOut,  job::Count::kFiltered, job::Count::kUnchanged,
    job::Count::kDropped, job::Count::kLate, job::Count::kFailed,
};
}  // namespace

void AddStageMetrics(MetricFamilies& families, const job::JobStatus& job) {
  for (size_t i = 0; i < job.stages.size(); i++) {
    const job::StageEntry& stage = job.stages[i];
    const MetricLabels labels = {
        {"job", job.name}, {"stage", stage.stage}, {"operator", stage.name}};
    for (job::Count outcome : kOutcomes) {
      MetricLabels with_outcome = labels;
      with_outcome.emplace_back("outcome", job::CountName(outcome));
      families.AddCounter("millrace_stage_rows_total", "What became of a stage's rows",
                          with_outcome, static_cast<double>(stage.counts[outcome]));
    }
    if (i >= job.stage_loads.size()) continue;
    const job::StageLoad& load = job.stage_loads[i];
    families.AddCounter(
        "millrace_stage_busy_seconds_total",
        "Time in a stage, without those that it hands rows to, with what it waits for", labels,
        load.busy_seconds);
    families.AddGauge("millrace_stage_state_rows", "Rows in a stage's state", labels,
                      static_cast<double>(load.state_rows));
    families.AddGauge("millrace_stage_state_bytes", "Memory of a stage's state", labels,
                      static_cast<double>(load.state_bytes));
  }
}

}  // namespace millrace::serve
