// Reads millrace.yml (its shape is described in project/project.h).
#pragma once

#include <string>
#include <vector>

#include "project/project.h"

namespace millrace::project {

// Fills `config`. A file that is not YAML is the returned error; every unknown key or wrong value
// is appended to `faults` with its line and column, and the rest is read on.
Status ReadConfigFile(const std::string& path, ProjectConfig& config, std::vector<Status>& faults);

}  // namespace millrace::project
