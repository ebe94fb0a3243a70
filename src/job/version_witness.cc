#include "job/version_witness.h"

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

}  // namespace millrace::job
