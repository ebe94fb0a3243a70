#include "serve/job_metrics.h"

#include "env/clock.h"
#include "project/job_lag.h"
#include "serve/metric_families.h"
#include "serve/stage_metrics.h"

namespace millrace::serve {

namespace {

// What the job asks other systems.
void AddLookups(MetricFamilies& families, const std::string& job,
                const std::vector<job::LookupStatus>& lookups) {
  for (const job::LookupStatus& lookup : lookups) {
    const MetricLabels labels = {{"job", job}, {"lookup", lookup.name}};
    auto counter = [&](const char* name, const char* help, double value) {
      families.AddCounter(name, help, labels, value);
    };
    counter("millrace_lookup_requests_total", "Requests that ended",
            static_cast<double>(lookup.requests));
    counter("millrace_lookup_errors_total", "Requests without an answer, which are repeated",
            static_cast<double>(lookup.errors));
    counter("millrace_lookup_keys_total", "Keys (rows of arguments) that were answered",
            static_cast<double>(lookup.keys));
    counter("millrace_lookup_missing_total", "Keys that are not there",
            static_cast<double>(lookup.missing));
    counter("millrace_lookup_unusable_total", "Keys whose answer makes a dead letter",
            static_cast<double>(lookup.unusable));
    counter("millrace_lookup_busy_seconds_total", "Time in requests, summed over the shards",
            lookup.busy_seconds);
    families.AddSummary("millrace_lookup_latency_seconds",
                        "Of a request; quantiles of the last 512", labels,
                        {.p50_seconds = lookup.latency_p50_ms / 1000,
                         .p99_seconds = lookup.latency_p99_ms / 1000,
                         .count = lookup.requests,
                         .sum_seconds = lookup.busy_seconds});
    families.AddGauge("millrace_lookup_waiting_seconds", "Age of the oldest request without answer",
                      labels, static_cast<double>(lookup.waiting_ms) / 1000);
    families.AddGauge("millrace_lookup_circuit_open",
                      "1 while nobody asks, after failures in a row", labels,
                      lookup.circuit == "closed" ? 0 : 1);
  }
}

void AddSources(MetricFamilies& families, const job::JobStatus& job) {
  for (const job::SourceStatus& source : job.sources) {
    const MetricLabels labels = {{"job", job.name}, {"table", source.table}};
    families.AddCounter("millrace_source_rows_dropped_total",
                        "Rows dropped by a declared constraint", labels,
                        static_cast<double>(source.dropped));
    families.AddCounter("millrace_source_violations_warned_total",
                        "Violations of constraints that say ON VIOLATION WARN; the rows went on",
                        labels, static_cast<double>(source.warned));
    families.AddGauge("millrace_source_lag_rows", "Records not read yet, as of the last epoch",
                      labels, static_cast<double>(source.lag_rows));
  }
}

void AddDrift(MetricFamilies& families, const std::string& job,
              const std::vector<job::TableDrift>& drift) {
  for (const job::TableDrift& found : drift) {
    for (const format::FieldDrift& field : found.fields) {
      families.AddCounter("millrace_source_undeclared_values_total",
                          "Values of fields that the table does not declare",
                          {{"job", job}, {"table", found.table}, {"field", field.field}},
                          static_cast<double>(field.values));
    }
  }
}

void AddJob(MetricFamilies& families, const job::JobStatus& job, const project::JobLag& lag) {
  const MetricLabels labels = {{"job", job.name}};
  auto counter = [&](const char* name, const char* help, int64_t value) {
    families.AddCounter(name, help, labels, static_cast<double>(value));
  };
  auto gauge = [&](const char* name, const char* help, double value) {
    families.AddGauge(name, help, labels, value);
  };
  counter("millrace_job_rows_in_total", "Records read by the job", job.rows_in);
  counter("millrace_job_rows_out_total", "Rows written to the job's sink", job.rows_out);
  counter("millrace_job_rows_late_total", "Rows behind the watermark", job.rows_late);
  counter("millrace_job_rows_filtered_total", "Rows that a filter let go", job.rows_filtered);
  counter("millrace_job_rows_dead_lettered_total", "Rows in the dead letters, late ones excepted",
          job.rows_dead_lettered);
  counter("millrace_job_rows_rejected_total",
          "Rows that the sink's target refused; they are dead letters, too", job.rows_rejected);
  gauge("millrace_job_rows_missing", "Rows that do not add up in the ledger",
        static_cast<double>(job.rows_missing));
  gauge("millrace_job_epoch", "Last epoch", static_cast<double>(job.epoch));
  gauge("millrace_job_lag_rows", "Records not read yet", static_cast<double>(lag.records));
  gauge("millrace_job_lag_seconds", "Age of the oldest record in a topic that is not read yet",
        static_cast<double>(lag.age_ms) / 1000);
  gauge("millrace_job_state_rows", "Rows in the job's state", static_cast<double>(job.state_rows));
  gauge("millrace_job_state_bytes", "Memory of the job's state",
        static_cast<double>(job.state_bytes));
  gauge("millrace_job_up", "1 while the job runs without error", job.error.ok() ? 1 : 0);
  if (job.frontier > model::kTimeMin && job.frontier < model::kTimeMax) {
    gauge("millrace_job_watermark_seconds", "Watermark, seconds since 1970",
          static_cast<double>(job.frontier) / 1e6);
  }
  gauge("millrace_job_checkpoint_seconds_max", "Longest time that a checkpoint held the job up",
        job.checkpoint_ms / 1000);
  families.AddSummary("millrace_job_epoch_latency_seconds",
                      "Decision to commit of an epoch; quantiles of the last 512", labels,
                      {.p50_seconds = job.latency_p50_ms / 1000,
                       .p99_seconds = job.latency_p99_ms / 1000,
                       .count = job.epochs,
                       .sum_seconds = job.epoch_seconds});
}

}  // namespace

std::vector<prometheus::MetricFamily> JobMetrics::Collect() const {
  const int64_t now_ms = env::Clock::System()->WallMicros() / 1000;
  MetricFamilies families;
  for (const job::JobStatus& job : runtime_.JobStatuses()) {
    AddJob(families, job, project::LagOf(job, runtime_.log(), now_ms));
    AddSources(families, job);
    AddStageMetrics(families, job);
    if (const auto running = runtime_.FindJob(job.name)) {
      AddLookups(families, job.name, running->lookups());
      AddDrift(families, job.name, running->drift());
    }
  }
  auto letters = [&](const char* name, const char* help, const char* what,
                     const std::vector<project::LetterCount>& counts) {
    for (const project::LetterCount& one : counts) {
      families.AddCounter(name, help, {{"topic", one.topic}, {"kind", one.kind}, {what, one.what}},
                          static_cast<double>(one.count));
    }
  };
  letters("millrace_dead_letters_total", "Dead letters kept at the start or written since", "stage",
          runtime_.dead_letters().Letters());
  letters("millrace_dead_letters_settled_total", "Dead letters that were replayed or discarded",
          "state", runtime_.dead_letters().Settled());
  for (const log::TopicInfo& topic : runtime_.log().Topics()) {
    for (int p = 0; p < topic.config.partitions; p++) {
      auto info = runtime_.log().DescribePartition(topic.name, p);
      if (!info.ok()) continue;
      const MetricLabels labels = {{"topic", topic.name}, {"partition", std::to_string(p)}};
      families.AddGauge("millrace_topic_end_offset", "One past the newest durable record", labels,
                        static_cast<double>(info->end_offset));
      families.AddGauge("millrace_topic_bytes", "Size on disk", labels,
                        static_cast<double>(info->size_bytes));
    }
  }
  return families.Take();
}

}  // namespace millrace::serve
