// ProjectChanges: what is different between two reads of a project.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "dbt/project.h"

namespace millrace::dbt {

struct NodeChange {
  enum class Kind { kNew, kChanged, kGone };
  Kind kind = Kind::kNew;
  std::string id;
  // Of kChanged: "sql", "rows" (of a seed), "config materialized", "name", "place of the file",
  // "inputs", "macro cents", "description".
  std::vector<std::string> what;
  // Whether what the node makes may be another: not where only its description is.
  bool matters = true;
};

// What a project amounts to, without its templates.
struct ProjectContents {
  std::map<std::string, Node> nodes;
  std::map<std::string, std::string> macros;
};

// By id. A macro counts as a change of the nodes that called it while they were read.
std::vector<NodeChange> ChangesBetween(const ProjectContents& before, const Project& after);

// The nodes below those that changed or came, in the order in which they would be built, without
// these. A node that is gone is read by nobody. Errors: a cycle.
Result<std::vector<const Node*>> ReachedBy(const std::vector<NodeChange>& changes,
                                           const Project& project);

}  // namespace millrace::dbt
