// Schedule: which node of a run may start next, and which are skipped instead. Knows of no threads
// and carries nothing out.
//
// A node waits for what it reads, through nodes that the run leaves out, and is skipped when one of
// those failed or was skipped. In `build` it also waits for the tests of what it reads, once it
// comes after all that such a test reads, and a model for its unit tests.
//
// Contract
//   threads   one at a time.
//   order     of those that may start the first in the plan comes first; so with one node at a time
//             it is the plan's order.
// Source: dbt-core, dbt/compilation.py (add_test_edges), dbt/task/runnable.py.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dbt/project.h"

namespace millrace::dbt {

class Schedule {
 public:
  // `plan`: so that each comes after what it waits for. `holds_back`: failed tests hold back what
  // reads the tested nodes, as in `build`.
  Schedule(Project& project, const std::vector<Node*>& plan, bool holds_back);

  struct Turn {
    size_t index = 0;     // in the plan
    std::string because;  // id of the node because of which this one is skipped; "": it may start
  };
  // Nothing while all that is left waits for nodes that have begun. Each node's turn comes once.
  std::optional<Turn> Next();
  // The node has ended. `good`: what waits for it may start; else that is skipped.
  void Done(size_t index, bool good);
  // Whether every node is done.
  bool ended() const { return done_ == steps_.size(); }

 private:
  struct Step {
    size_t open = 0;                // how many nodes it still waits for
    std::vector<size_t> followers;  // those that wait for it
    size_t because = SIZE_MAX;      // the first of those in the plan that did not end well
  };
  void Wait(size_t index, size_t for_index);

  std::vector<std::string> ids_;
  std::vector<Step> steps_;
  std::set<size_t> ready_;
  size_t done_ = 0;
};

}  // namespace millrace::dbt
