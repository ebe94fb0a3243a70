// The files of a new project, as `millrace init` writes them.
#pragma once

#include <string>
#include <vector>

namespace millrace::cli {

struct ProjectFile {
  std::string path;  // inside the project
  std::string content;
};

// A project that runs with `millrace dev` and nothing else installed. `name` goes into
// millrace.yml.
std::vector<ProjectFile> NewProjectFiles(const std::string& name);

}  // namespace millrace::cli
