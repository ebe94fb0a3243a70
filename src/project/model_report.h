// ModelReport: what became of the models when files of theirs changed, for the terminal and the
// page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dbt/project_changes.h"

namespace millrace::project {

struct ModelReport {
  // That changed, from the project's directory; none: the first read.
  std::vector<std::string> files;
  int64_t at_ms = 0;
  int64_t took_us = 0;
  Status error;           // of reading; then what follows is not known
  bool repaired = false;  // the read before had an error

  struct Changed {
    std::string name;
    std::string kind;     // model, seed, snapshot, test, unit_test, source
    std::string change;   // "new", "gone", or what differs: "sql", "config materialized"
    bool matters = true;  // what it makes may be another
    bool stream = false;
  };
  size_t models = 0, nodes = 0;  // of the whole project
  std::vector<Changed> changed;
  std::vector<std::string> reached;  // what may be another below these, by name, without tests
  size_t reached_tests = 0;
  std::vector<std::string> selection;  // of what to build: "orders+"; none: nothing
  std::vector<std::string> streams;    // stream models among changed and reached
  std::string plan;                    // of their jobs, as `millrace plan` says

  // Lines with an end, of `directory`'s project: what changed, what it reaches, what to run. The
  // plan is not in it.
  std::string ToText(const std::string& directory) const;
  // {"ok", "at_ms", "text"}: the lines above, with the plan.
  std::string ToJson(const std::string& directory) const;

 private:
  std::string Command(const std::string& directory) const;
};

// Fills in what the changes amount to in `now`. Errors: a cycle.
Status Explain(const std::vector<dbt::NodeChange>& changes, const dbt::ProjectContents& before,
               const dbt::Project& now, ModelReport& report);

}  // namespace millrace::project
