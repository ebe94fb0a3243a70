#include "serve/metric_families.h"

#include <algorithm>

namespace millrace::serve {

using prometheus::MetricType;

prometheus::ClientMetric& MetricFamilies::Add(const std::string& name, const std::string& help,
                                              MetricType type, const MetricLabels& labels) {
  auto family = std::find_if(families_.begin(), families_.end(),
                             [&](const auto& known) { return known.name == name; });
  if (family == families_.end()) {
    family = families_.insert(families_.end(), {name, help, type, {}});
  }
  prometheus::ClientMetric& metric = family->metric.emplace_back();
  for (const auto& [key, text] : labels) metric.label.push_back({key, text});
  return metric;
}

void MetricFamilies::AddCounter(const std::string& name, const std::string& help,
                                const MetricLabels& labels, double value) {
  Add(name, help, MetricType::Counter, labels).counter.value = value;
}

void MetricFamilies::AddGauge(const std::string& name, const std::string& help,
                              const MetricLabels& labels, double value) {
  Add(name, help, MetricType::Gauge, labels).gauge.value = value;
}

void MetricFamilies::AddSummary(const std::string& name, const std::string& help,
                                const MetricLabels& labels, const LatencySummary& summary) {
  prometheus::ClientMetric::Summary& text = Add(name, help, MetricType::Summary, labels).summary;
  text.sample_count = static_cast<uint64_t>(summary.count);
  text.sample_sum = summary.sum_seconds;
  text.quantile = {{0.5, summary.p50_seconds}, {0.99, summary.p99_seconds}};
}

}  // namespace millrace::serve
