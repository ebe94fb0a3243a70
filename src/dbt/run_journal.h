// RunJournal: what a run has done so far, for `millrace retry` after it failed or was killed.
//
// Contract
//   threads  Note and NoteBatch from any.
//   writing  Begin before the first node, Note after each, End once run_results.json is written.
//            Lines reach the system at once: they outlive the process, not the machine.
//   after    a crash between a node's commit and its line: retry carries the node out again.
// Format     target/run_progress.jsonl: {"command", "args", "plan": [ids]}, then a line per node,
//            {"id", "status", "batches": [[from, to]]}, or per batch, {"id", "done": [from, to]}
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "dbt/value.h"

namespace millrace::dbt {

// A run that something is left of.
struct LastRun {
  std::string command;
  Value args;                            // vars, target, full_refresh …
  std::vector<std::string> unfinished;   // ids: failed, skipped or never reached
  std::map<std::string, Value> batches;  // of microbatch models: [[from, to]] still to do
};

class RunJournal {
 public:
  // `target`: the directory, which is created when it is not there.
  explicit RunJournal(std::string target) : target_(std::move(target)) {}

  Status Begin(const std::string& command, const Value& args, const std::vector<std::string>& plan);
  // `batches`: of a microbatch model, those that failed; with status "running" all it begins.
  Status Note(const std::string& id, const std::string& status, const Value& batches);
  // One of them is done.
  Status NoteBatch(const std::string& id, const Value& batch);
  Status End();

  // The journal of a run that did not end, or else run_results.json. kNotFound without either.
  static Result<LastRun> ReadLast(const std::string& target);

 private:
  Status Line(const Value& value);

  std::string target_;
  std::mutex mutex_;  // of the file
  std::unique_ptr<FILE, int (*)(FILE*)> file_{nullptr, &std::fclose};
};

}  // namespace millrace::dbt
