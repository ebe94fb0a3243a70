// Artifacts: what other tools read about a project and its last run, in dbt's schemas: manifest
// v12, run results v6. https://schemas.getdbt.com
#pragma once

#include <string>
#include <vector>

#include "dbt/runner.h"

namespace millrace::dbt {

// manifest.json.
Value Manifest(const Project& project);
// The options of a run, as run_results.json has them.
Value RunArguments(const Project& project, const std::string& command);
// {"given": [{input, rows, format, fixture}], "expect": {…}}, as manifest.json has them.
Value UnitTestRows(const Node& unit_test);

// What stands first in each artifact; `schema`: "manifest/v12".
Value ArtifactMetadata(const Project& project, const char* schema);
// target/`name`, replaced in one step.
Status WriteArtifact(const Project& project, const std::string& name, const std::string& text);
Status WriteManifest(const Project& project);

// target/manifest.json and target/run_results.json; each replaced in one step.
Status WriteArtifacts(const Project& project, const std::string& command,
                      const std::vector<NodeResult>& results, int64_t elapsed_us);

// target/compiled/<package>/<path>: the node's SQL.
Status WriteCompiled(const Project& project, const Node& node);

}  // namespace millrace::dbt
