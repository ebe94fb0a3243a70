// Runner: carries out `build`, `run`, `test`, `seed`, `snapshot`, `compile` on a project.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dbt/builder.h"
#include "dbt/column_graph.h"
#include "dbt/project.h"
#include "dbt/run_journal.h"
#include "dbt/selector.h"

namespace millrace::dbt {

struct NodeResult {
  Node* node = nullptr;
  Outcome outcome;
  Status error;    // of outcome.status "error"
  int thread = 0;  // in which it ran, from 1; 0: skipped
  int64_t started_us = 0;
  int64_t finished_us = 0;
};

struct RunnerOptions {
  std::string command;  // build, run, test, seed, snapshot, compile
  Selection selection;
  bool fail_fast = false;
  // Opens the database; by default the one of the project's target.
  std::function<Result<std::unique_ptr<Adapter>>(const Project&)> open = OpenAdapter;
  RefreshStream refresh_stream;  // may be called by several threads at once
};

// Called before a node starts (its outcome is empty) and after it ended, one call at a time.
// `index`: the node's number in the order of starting, from 1.
using Progress = std::function<void(const NodeResult&, size_t index, size_t count)>;

class Runner {
 public:
  Runner(Project& project, RunnerOptions options);
  ~Runner();

  // What a caller may add before Run.
  RunnerOptions& options() { return options_; }

  // The nodes that the command takes, in the order they run.
  Result<std::vector<Node*>> Plan();
  // Runs them, as many at once as the profile's threads, each as soon as what it waits for is done;
  // with one thread in the plan's order. What depends on a node that failed, and in `build` on one
  // whose test failed, is skipped. Writes target/manifest.json, run_results.json and compiled/. The
  // returned error is one that ended the whole run (the database, a hook). `log` gets what
  // templates print, one call at a time.
  Status Run(const std::vector<Node*>& plan, const Progress& progress,
             const std::function<void(const std::string&)>& log);

  // target/manifest.json, catalog.json, column_lineage.json and index.html (docs.h).
  Status Docs();
  // Where the columns of all models come from.
  Result<ColumnGraph> Lineage();

  // How many nodes run at once.
  size_t threads() const { return static_cast<size_t>(project_.profile.threads); }

  // From any thread while Run runs: the statements at work are broken off, what follows is skipped.
  // Called again it breaks off the next statement of a hook, too.
  void Cancel();

  const std::vector<NodeResult>& results() const { return results_; }

 private:
  // What a thread has of its own.
  struct Worker {
    std::unique_ptr<Templates> templates;
    std::unique_ptr<Adapter> adapter;
    std::unique_ptr<Builder> builder;
  };

  Status CarryAll(const std::vector<Node*>& plan, const Progress& progress);
  NodeResult CarryOut(Node& node, const Worker& worker);
  Status Hire(size_t count);
  std::unique_ptr<Builder> BuilderFor(Templates& templates, Adapter& adapter);
  // Why nothing further starts; "" while the run goes on.
  std::string Stopped() const;
  Status Hooks(const std::string& when);
  Status OpenDatabase();
  // Opens it, and gives what binds the models' queries; kUnsupported where that is not DuckDB.
  Result<duck::Warehouse*> OpenForPlans();
  // --defer: what is not built now, and not there, is read where the state has it.
  Status Defer(const std::vector<Node*>& plan);

  Project& project_;
  RunnerOptions options_;
  Worker main_;                  // of the thread that calls Run: hooks, reading
  std::vector<Worker> workers_;  // of the crew
  std::atomic<Adapter*> interruptible_{nullptr};
  std::atomic<bool> cancelled_{false}, failed_fast_{false};
  std::vector<NodeResult> results_;
  RunJournal journal_;
};

}  // namespace millrace::dbt
