// ModelDesk: runs dbt's commands on the models of a pipeline that is at work, one run at a time,
// and says how far the last one is.
#pragma once

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
  // "file", "line", "column"}, "rows", "failures", "seconds"}. kNotFound for a run that is not the
  // last one.
  Result<std::string> EventsJson(int64_t run, size_t from) const;

 private:
  struct Work;
  Result<std::shared_ptr<Work>> Prepare(std::string_view request);
  void Carry(Work& work);
  void Note(std::string event);

  Runtime& runtime_;
  std::thread thread_;
  mutable std::mutex mutex_;    // of all below
  std::shared_ptr<Work> work_;  // of the last run
  int64_t run_ = 0;
  bool ended_ = true;
  std::string error_;
  std::vector<std::string> events_;  // JSON
};

}  // namespace millrace::project
