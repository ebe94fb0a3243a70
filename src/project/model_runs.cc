#include "project/model_runs.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "dbt/duckdb_adapter.h"

namespace millrace::project {

namespace {

using Ends = std::map<std::pair<std::string, std::string>, model::Offset>;  // topic, split

std::optional<job::JobStatus> StatusOf(const Runtime& runtime, const std::string& name) {
  for (job::JobStatus& status : runtime.JobStatuses()) {
    if (status.name == name) return std::move(status);
  }
  return std::nullopt;
}

// Where the partitions that the job reads end now.
Result<Ends> EndsNow(Runtime& runtime, const job::JobStatus& status) {
  Ends ends;
  for (const job::SourceStatus& source : status.sources) {
    for (const job::SplitPosition& split : source.splits) {
      if (!source.in_log) continue;
      MR_ASSIGN_OR_RETURN(auto partition,
                          runtime.log().DescribePartition(source.topic, std::stoi(split.split)));
      ends[{source.topic, split.split}] = partition.stable_offset;
    }
  }
  return ends;
}

bool HasReached(const job::JobStatus& status, const Ends& ends) {
  for (const job::SourceStatus& source : status.sources) {
    if (!source.in_log && source.lag_rows > 0) return false;
    for (const job::SplitPosition& split : source.splits) {
      auto end = ends.find({source.topic, split.split});
      if (end != ends.end() && split.to < end->second) return false;
    }
  }
  return true;
}

Result<dbt::Outcome> RefreshStream(Runtime& runtime, const dbt::Node& node,
                                   const std::function<bool()>& stopped) {
  std::optional<Ends> ends;
  for (;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    if (stopped()) return Status(Code::kCancelled, "the run was stopped");
    auto status = StatusOf(runtime, node.alias);
    if (!status) {
      return Status(Code::kNotFound, fmt::format("no job \"{}\" runs here", node.alias))
          .WithHint("the model was added after the pipeline was started: start it anew");
    }
    if (status->state == job::JobState::kFailed || status->state == job::JobState::kFailing) {
      return status->error;
    }
    if (status->state == job::JobState::kStarting) continue;
    if (!ends) {
      MR_ASSIGN_OR_RETURN(ends, EndsNow(runtime, *status));
    }
    const bool ended =
        status->state == job::JobState::kFinished || status->state == job::JobState::kStopped;
    if (!ended && !HasReached(*status, *ends)) continue;
    return dbt::Outcome{"success", fmt::format("read {} rows", status->rows_in), -1, -1};
  }
}

}  // namespace

bool RunInWarehouse(const dbt::Project& models) {
  return models.profile.type == "duckdb" &&
         models.profile.database_path == models.Absolute(".millrace/warehouse.duckdb");
}

void UseRuntime(Runtime& runtime, dbt::RunnerOptions& options) {
  options.open = [&runtime](const dbt::Project&) -> Result<std::unique_ptr<dbt::Adapter>> {
    return dbt::UseDuckDb(runtime.warehouse());
  };
  options.refresh_stream = [&runtime](dbt::Node& node, const std::function<bool()>& stopped) {
    return RefreshStream(runtime, node, stopped);
  };
}

}  // namespace millrace::project
