// Artifacts: what other tools read about a project and its last run, in dbt's schemas: manifest
// v12, run results v6. https://schemas.getdbt.com
#pragma once

#include <string>
#include <vector>

#include "dbt/runner.h"

namespace millrace::dbt {

// target/manifest.json and target/run_results.json; each replaced in one step.
Status WriteArtifacts(const Project& project, const std::string& command,
                      const std::vector<NodeResult>& results, int64_t elapsed_us);

// target/compiled/<package>/<path>: the node's SQL.
Status WriteCompiled(const Project& project, const Node& node);

}  // namespace millrace::dbt
