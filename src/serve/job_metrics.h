// JobMetrics: the jobs' counters for Prometheus, read when /metrics is asked for.
#pragma once

#include <prometheus/collectable.h>

#include <vector>

#include "project/runtime.h"

namespace millrace::serve {

class JobMetrics : public prometheus::Collectable {
 public:
  explicit JobMetrics(project::Runtime& runtime) : runtime_(runtime) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  project::Runtime& runtime_;
};

}  // namespace millrace::serve
