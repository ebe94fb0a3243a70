#include "job/version_witness.h"

#include <algorithm>

#include "stream/interval_join.h"
#include "stream/regular_join.h"
#include "stream/temporal_join.h"

namespace millrace::job {

size_t WatchVersions(
    CompiledJob& job,
    const std::function<void(const std::vector<std::string>& names,
                             const std::vector<duckdb::Value>& version)>& on_version) {
  size_t joins = 0;
  for (auto& op : job.plan.operators) {
    auto* join = dynamic_cast<stream::TemporalJoin*>(op.get());
    if (!join) continue;
    join->SetWitness(on_version);
    joins++;
  }
  return joins;
}

size_t CountStreamJoins(const CompiledJob& job) {
  return static_cast<size_t>(
      std::count_if(job.plan.operators.begin(), job.plan.operators.end(), [](const auto& op) {
        return dynamic_cast<const stream::IntervalJoin*>(op.get()) != nullptr ||
               dynamic_cast<const stream::RegularJoin*>(op.get()) != nullptr;
      }));
}

}  // namespace millrace::job
