#include "dbt/schedule.h"

#include <algorithm>
#include <map>

namespace millrace::dbt {

namespace {

constexpr size_t kNotPlanned = SIZE_MAX;

// A project's nodes as numbers, and where each stands in a plan.
class Graph {
 public:
  Graph(Project& project, const std::vector<Node*>& plan) {
    for (auto& [id, node] : project.nodes) {
      numbers_[id] = nodes_.size();
      nodes_.push_back(&node);
    }
    planned_.assign(nodes_.size(), kNotPlanned);
    above_.resize(nodes_.size());
    below_.resize(nodes_.size());
    times_.resize(nodes_.size());
    seen_.resize(nodes_.size());
    for (size_t i = 0; i < plan.size(); i++) planned_[numbers_[plan[i]->id]] = i;
    for (size_t n = 0; n < nodes_.size(); n++) {
      for (const std::string& parent : nodes_[n]->depends_on) {
        auto found = numbers_.find(parent);
        if (found == numbers_.end()) continue;
        above_[n].push_back(found->second);
        below_[found->second].push_back(n);
      }
    }
  }

  size_t NumberOf(const std::string& id) const { return numbers_.at(id); }
  size_t Planned(size_t number) const { return planned_[number]; }

  // Those planned nodes that the node reads by itself or through nodes that are not planned.
  std::set<size_t> PlannedAbove(size_t number) const {
    std::set<size_t> found, seen;
    std::vector<size_t> todo = above_[number];
    while (!todo.empty()) {
      const size_t next = todo.back();
      todo.pop_back();
      if (!seen.insert(next).second) continue;
      if (planned_[next] != kNotPlanned) {
        found.insert(planned_[next]);
      } else {
        todo.insert(todo.end(), above_[next].begin(), above_[next].end());
      }
    }
    return found;
  }

  // The planned nodes but tests that come after all that the test reads; of those that come after
  // another one of them perhaps not all.
  std::vector<size_t> HeldBackBy(size_t test) {
    const std::set<size_t> tested(above_[test].begin(), above_[test].end());
    std::vector<size_t> out, todo, reached;
    for (const size_t start : tested) {
      walk_++;
      todo.push_back(start);
      while (!todo.empty()) {
        const size_t from = todo.back();
        todo.pop_back();
        for (const size_t next : below_[from]) {
          if (seen_[next] == walk_) continue;
          seen_[next] = walk_;
          if (times_[next]++ == 0) reached.push_back(next);
          // What is below it waits for it, and so for the test.
          if (times_[next] == tested.size() && IsHeld(next)) {
            out.push_back(next);
          } else {
            todo.push_back(next);
          }
        }
      }
    }
    for (const size_t number : reached) times_[number] = 0;
    return out;
  }

 private:
  bool IsHeld(size_t number) const {
    return planned_[number] != kNotPlanned && nodes_[number]->kind != "test" &&
           nodes_[number]->kind != "unit_test";
  }

  std::map<std::string, size_t> numbers_;
  std::vector<const Node*> nodes_;
  std::vector<size_t> planned_;  // by number: the place in the plan
  std::vector<std::vector<size_t>> above_, below_;
  std::vector<size_t> times_;  // by how many of a test's nodes one is reached; 0 between two calls
  std::vector<size_t> seen_;   // in which walk last
  size_t walk_ = 0;
};

}  // namespace

Schedule::Schedule(Project& project, const std::vector<Node*>& plan, bool holds_back)
    : steps_(plan.size()) {
  Graph graph(project, plan);
  std::map<size_t, std::vector<size_t>> unit_tests;  // of a model, in the plan
  std::vector<std::set<size_t>> waits(plan.size());
  for (size_t i = 0; i < plan.size(); i++) {
    const Node& node = *plan[i];
    ids_.push_back(node.id);
    // What a unit test needs is what its model needs.
    const bool unit_test = node.kind == "unit_test";
    const size_t needing = graph.NumberOf(unit_test ? node.depends_on.front() : node.id);
    waits[i].merge(graph.PlannedAbove(needing));
    if (unit_test && holds_back) unit_tests[needing].push_back(i);
  }
  if (holds_back) {
    for (size_t i = 0; i < plan.size(); i++) {
      if (plan[i]->kind != "test" || plan[i]->depends_on.empty()) continue;
      for (const size_t held : graph.HeldBackBy(graph.NumberOf(plan[i]->id))) {
        waits[graph.Planned(held)].insert(i);
      }
    }
    for (const auto& [model, tests] : unit_tests) {
      const size_t place = graph.Planned(model);
      if (place == kNotPlanned) continue;
      // They wait for what the model waits for, the tests of its inputs among it.
      for (const size_t test : tests) waits[test].insert(waits[place].begin(), waits[place].end());
      waits[place].insert(tests.begin(), tests.end());
    }
  }
  for (size_t i = 0; i < plan.size(); i++) {
    for (const size_t other : waits[i]) Wait(i, other);
    if (steps_[i].open == 0) ready_.insert(i);
  }
}

void Schedule::Wait(size_t index, size_t for_index) {
  steps_[for_index].followers.push_back(index);
  steps_[index].open++;
}

std::optional<Schedule::Turn> Schedule::Next() {
  if (ready_.empty()) return std::nullopt;
  const size_t index = *ready_.begin();
  ready_.erase(ready_.begin());
  const size_t because = steps_[index].because;
  return Turn{index, because == kNotPlanned ? "" : ids_[because]};
}

void Schedule::Done(size_t index, bool good) {
  done_++;
  for (const size_t follower : steps_[index].followers) {
    Step& step = steps_[follower];
    if (!good) step.because = std::min(step.because, index);
    if (--step.open == 0) ready_.insert(follower);
  }
}

}  // namespace millrace::dbt
