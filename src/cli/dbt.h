// The commands on a dbt project: what they take, and the function that carries them out.
//
// Contract: as in cli/commands.h.
#pragma once

#include <string>
#include <vector>

namespace millrace::cli {

struct DbtOptions {
  std::string command;  // build, run, test, seed, snapshot, compile, ls, retry, docs
  std::string directory = ".";
  std::string target;
  std::string profiles_directory;
  std::vector<std::string> select;
  std::vector<std::string> exclude;
  std::string vars;  // YAML
  bool full_refresh = false;
  bool fail_fast = false;
  int threads = 0;  // 0: what the profile says
  bool store_failures = false;
  std::string state;
  bool defer = false;
  bool favor_state = false;
  std::string event_time_start, event_time_end;
  std::string format = "selector";  // of ls
  std::string downstream_of;        // of ls: model.column
};
int RunDbt(const DbtOptions& options);

// Whether the directory has a dbt_project.yml.
bool IsDbtProject(const std::string& directory);
// Whether there are unit tests of a pipeline's SQL beside it: sql/ and tests/*.yml.
bool HasSqlTests(const std::string& directory);

}  // namespace millrace::cli
