#include "serve/job_metrics.h"

#include <prometheus/metric_family.h>

namespace millrace::serve {

namespace {

class Families {
 public:
  void Add(const std::string& name, const std::string& help, prometheus::MetricType type,
           const std::vector<std::pair<std::string, std::string>>& labels, double value) {
    prometheus::MetricFamily& family = Family(name, help, type);
    prometheus::ClientMetric metric;
    for (const auto& [key, text] : labels) metric.label.push_back({key, text});
    if (type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family.metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  prometheus::MetricFamily& Family(const std::string& name, const std::string& help,
                                   prometheus::MetricType type) {
    for (auto& family : families_) {
      if (family.name == name) return family;
    }
    prometheus::MetricFamily family;
    family.name = name;
    family.help = help;
    family.type = type;
    families_.push_back(std::move(family));
    return families_.back();
  }
  std::vector<prometheus::MetricFamily> families_;
};

// What the job asks other systems.
void AddLookups(Families& families, const std::string& job,
                const std::vector<job::LookupStatus>& lookups) {
  using prometheus::MetricType;
  for (const job::LookupStatus& lookup : lookups) {
    const std::vector<std::pair<std::string, std::string>> labels = {{"job", job},
                                                                     {"lookup", lookup.name}};
    auto counter = [&](const char* name, const char* help, double value) {
      families.Add(name, help, MetricType::Counter, labels, value);
    };
    auto latency = [&](const char* quantile, double ms) {
      auto with_quantile = labels;
      with_quantile.push_back({"quantile", quantile});
      families.Add("millrace_lookup_latency_seconds", "Of a request, last 512 requests",
                   MetricType::Gauge, with_quantile, ms / 1000);
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
    latency("0.5", lookup.latency_p50_ms);
    latency("0.99", lookup.latency_p99_ms);
    families.Add("millrace_lookup_waiting_seconds", "Age of the oldest request without answer",
                 MetricType::Gauge, labels, static_cast<double>(lookup.waiting_ms) / 1000);
    families.Add("millrace_lookup_circuit_open", "1 while nobody asks, after failures in a row",
                 MetricType::Gauge, labels, lookup.circuit == "closed" ? 0 : 1);
  }
}

}  // namespace

std::vector<prometheus::MetricFamily> JobMetrics::Collect() const {
  using prometheus::MetricType;
  Families families;
  for (const job::JobStatus& job : runtime_.JobStatuses()) {
    std::vector<std::pair<std::string, std::string>> labels = {{"job", job.name}};
    auto counter = [&](const char* name, const char* help, int64_t value) {
      families.Add(name, help, MetricType::Counter, labels, static_cast<double>(value));
    };
    auto gauge = [&](const char* name, const char* help, double value) {
      families.Add(name, help, MetricType::Gauge, labels, value);
    };
    counter("millrace_job_rows_in_total", "Records read by the job", job.rows_in);
    counter("millrace_job_rows_out_total", "Rows written to the job's sink", job.rows_out);
    counter("millrace_job_rows_late_total", "Rows behind the watermark", job.rows_late);
    counter("millrace_job_rows_filtered_total", "Rows that a filter let go", job.rows_filtered);
    counter("millrace_job_rows_dead_lettered_total", "Rows in the dead letters, late ones excepted",
            job.rows_dead_lettered);
    counter("millrace_job_rows_rejected_total",
            "Rows that the sink's target refused; they are dead letters, too", job.rows_rejected);
    for (const job::SourceStatus& source : job.sources) {
      std::vector<std::pair<std::string, std::string>> of = {{"job", job.name},
                                                             {"table", source.table}};
      families.Add("millrace_source_rows_dropped_total", "Rows dropped by a declared constraint",
                   MetricType::Counter, of, static_cast<double>(source.dropped));
      families.Add("millrace_source_violations_warned_total",
                   "Violations of constraints that say ON VIOLATION WARN; the rows went on",
                   MetricType::Counter, of, static_cast<double>(source.warned));
    }
    if (const auto running = runtime_.FindJob(job.name)) {
      AddLookups(families, job.name, running->lookups());
    }
    gauge("millrace_job_epoch", "Last epoch", static_cast<double>(job.epoch));
    gauge("millrace_job_lag_rows", "Records not read yet", static_cast<double>(job.lag_rows));
    gauge("millrace_job_state_rows", "Rows in the job's state",
          static_cast<double>(job.state_rows));
    gauge("millrace_job_state_bytes", "Memory of the job's state",
          static_cast<double>(job.state_bytes));
    gauge("millrace_job_up", "1 while the job runs without error", job.error.ok() ? 1 : 0);
    if (job.frontier > model::kTimeMin && job.frontier < model::kTimeMax) {
      gauge("millrace_job_watermark_seconds", "Watermark, seconds since 1970",
            static_cast<double>(job.frontier) / 1e6);
    }
    gauge("millrace_job_checkpoint_seconds_max", "Longest time that a checkpoint held the job up",
          job.checkpoint_ms / 1000);
    families.Add("millrace_job_epoch_latency_seconds",
                 "Decision to commit of an epoch, last 512 epochs", MetricType::Gauge,
                 {{"job", job.name}, {"quantile", "0.5"}}, job.latency_p50_ms / 1000);
    families.Add("millrace_job_epoch_latency_seconds",
                 "Decision to commit of an epoch, last 512 epochs", MetricType::Gauge,
                 {{"job", job.name}, {"quantile", "0.99"}}, job.latency_p99_ms / 1000);
  }
  auto letters = [&](const char* name, const char* help, const char* what,
                     const std::vector<project::LetterCount>& counts) {
    for (const project::LetterCount& one : counts) {
      families.Add(name, help, MetricType::Counter,
                   {{"topic", one.topic}, {"kind", one.kind}, {what, one.what}},
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
      std::vector<std::pair<std::string, std::string>> labels = {{"topic", topic.name},
                                                                 {"partition", std::to_string(p)}};
      families.Add("millrace_topic_end_offset", "One past the newest durable record",
                   MetricType::Gauge, labels, static_cast<double>(info->end_offset));
      families.Add("millrace_topic_bytes", "Size on disk", MetricType::Gauge, labels,
                   static_cast<double>(info->size_bytes));
    }
  }
  return families.Take();
}

}  // namespace millrace::serve
