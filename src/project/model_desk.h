// ModelDesk: runs dbt's commands on the models of a pipeline that is at work, one run at a time,
// and says how far the last ones are.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/status.h"
#include "project/runtime.h"

namespace millrace::project {

class ModelDesk {
 public:
  // `runtime` outlives the desk.
  explicit ModelDesk(Runtime& runtime) : runtime_(runtime) {}
  // Breaks off the run that is at work.
  ~ModelDesk();

  // `request`: {"command": "build", "select": ["+orders"], "exclude": [], "vars": {},
  // "full_refresh": false, "fail_fast": false, "threads": 0, "store_failures": false, "state": "", "defer":
  // false, "favor_state": false, "event_time_start": "", "event_time_end": "", "only": [ids],
  // "retry_batches": {}}, all but the first may be left out; gives {"run": 1}. Errors:
  // kInvalidArgument; kUnavailable: a run is at work; what reading the project and planning the run
  // say.
  Result<std::string> Start(std::string_view request);

  // {"run": 1, "ended": false, "error": "", "events": [event, …]} with the events from number
  // `from` on: {"log": "text"} or {"index", "count", "kind", "name", "path", "materialized",
  // "schema", "alias", "status", "message", "error": null or {"code", "message", "detail", "hint",
  // "file", "line", "column"}, "rows", "failures", "seconds"}. kNotFound for a run that is none of
  // the last kRunsKept.
  Result<std::string> EventsJson(int64_t run, size_t from) const;

  // {"runs": [{"run": 1, "command": "build", "nodes": 7, "ended": true, "error": ""}, …]}, the
  // last kRunsKept, the newest first.
  std::string RunsJson() const;

  // Whoever follows a run must still find its end when the next ones have begun.
  static constexpr size_t kRunsKept = 16;

 private:
  struct Work;
  struct Run {
    int64_t number = 0;
    std::string command;
    size_t nodes = 0;
    bool ended = false;
    std::string error;
    std::vector<std::string> events;  // JSON
  };
  Result<std::shared_ptr<Work>> Prepare(std::string_view request);
  void Carry(Work& work);
  void Note(std::string event);

  Runtime& runtime_;
  std::thread thread_;
  mutable std::mutex mutex_;    // of all below
  bool busy_ = false;           // a run is being prepared or carried out
  std::shared_ptr<Work> work_;  // of the newest run
  int64_t started_ = 0;
  std::deque<Run> runs_;  // the newest first
};

}  // namespace millrace::project
