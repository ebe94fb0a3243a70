// dbt's commands where the models lie in a pipeline (sql/*.sql beside dbt_project.yml): the process
// that runs them opens the pipeline, too, with the jobs of the stream models that are asked for;
// beside a running `millrace dev` they run there.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "dbt/runner.h"
#include "project/project.h"
#include "project/runtime.h"

namespace millrace::cli {

class PipelineModels {
 public:
  // The models, and the pipeline that they lie in, if there is one.
  static Result<PipelineModels> Load(const dbt::ProjectOptions& options);

  dbt::Project& models() { return *models_; }
  // Where the pipeline runs already: the run belongs there (RunModelsAt).
  std::optional<std::string> running_at() const;
  // Starts what `plan` needs of the pipeline and makes the run use it. kFailedPrecondition where it
  // runs already.
  Status Start(const std::vector<dbt::Node*>& plan, dbt::RunnerOptions& options);

 private:
  std::unique_ptr<dbt::Project> models_;
  std::unique_ptr<project::Project>
      pipeline_;  // null: none, or the models have a database of their own
  std::unique_ptr<project::Runtime> runtime_;
};

// Runs a command in the `millrace dev` at `url`, and shows each result as it comes. The results are
// for a summary; their nodes belong to `nodes`.
Result<std::vector<dbt::NodeResult>> RunModelsAt(const std::string& url,
                                                 const dbt::ProjectOptions& project,
                                                 const dbt::RunnerOptions& options,
                                                 const dbt::Progress& progress,
                                                 std::deque<dbt::Node>& nodes);

}  // namespace millrace::cli
