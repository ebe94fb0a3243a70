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
  Status error;  // of outcome.status "error"
  int64_t started_us = 0;
  int64_t finished_us = 0;
};

struct RunnerOptions {
  std::string command;  // build, run, test, seed, snapshot, compile
  Selection selection;
  bool fail_fast = false;
  // Opens the database; by default the one of the project's target.
  std::function<Result<std::unique_ptr<Adapter>>(const Project&)> open = OpenAdapter;
  std::function<Result<Outcome>(Node&)> refresh_stream;  // Builder::set_refresh_stream
};

// Called before a node starts (its outcome is empty) and after it ended.
using Progress = std::function<void(const NodeResult&, size_t index, size_t count)>;

class Runner {
 public:
  Runner(Project& project, RunnerOptions options);
  ~Runner();

  // What a caller may add before Run.
  RunnerOptions& options() { return options_; }

  // The nodes that the command takes, in the order they run.
  Result<std::vector<Node*>> Plan();
  // Runs them one after the other. What depends on a node that failed, and in `build` on one whose
  // test failed, is skipped. Writes target/manifest.json, run_results.json and compiled/. The
  // returned error is one that ended the whole run (the database, a hook).
  Status Run(const std::vector<Node*>& plan, const Progress& progress,
             const std::function<void(const std::string&)>& log);

  // target/manifest.json, catalog.json, column_lineage.json and index.html (docs.h).
  Status Docs();
  // Where the columns of all models come from.
  Result<ColumnGraph> Lineage();

  // From any thread while Run runs: the statement at work is broken off, what follows is skipped.
  void Cancel();

  const std::vector<NodeResult>& results() const { return results_; }

 private:
  Status Carry(const std::vector<Node*>& plan, const Progress& progress);
  Status Hooks(const std::string& when);
  Status OpenDatabase();
  // Opens it, and gives what binds the models' queries; kUnsupported where that is not DuckDB.
  Result<duck::Warehouse*> OpenForPlans();
  // --defer: what is not built now, and not there, is read where the state has it.
  Status Defer(const std::vector<Node*>& plan);

  Project& project_;
  RunnerOptions options_;
  Templates templates_;
  std::unique_ptr<Adapter> adapter_;
  std::atomic<Adapter*> interruptible_{nullptr};
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<Builder> builder_;
  std::vector<NodeResult> results_;
  RunJournal journal_;
};

}  // namespace millrace::dbt
