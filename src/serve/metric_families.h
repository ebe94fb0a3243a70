// MetricFamilies: figures of one look, gathered by the name of their metric.
//
// Contract: one thread. Names and labels as Prometheus wants them: base units, `_total` for what
// only grows.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace::serve {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

struct LatencySummary {
  double p50_seconds = 0;  // of the last 512
  double p99_seconds = 0;
  int64_t count = 0;  // of all
  double sum_seconds = 0;
};

class MetricFamilies {
 public:
  void AddCounter(const std::string& name, const std::string& help, const MetricLabels& labels,
                  double value);
  void AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels,
                double value);
  void AddSummary(const std::string& name, const std::string& help, const MetricLabels& labels,
                  const LatencySummary& summary);
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& Add(const std::string& name, const std::string& help,
                                prometheus::MetricType type, const MetricLabels& labels);
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace millrace::serve
