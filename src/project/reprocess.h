// Reprocessor: computes a job anew beside the version that serves, and changes over when it has
// caught up.
//
//   fill      the new version has a number, a state and a table of its own, and reads its input
//             from the start, while the old one serves
//   catch up  when little is left, the old one is stopped; the new one reads on until it has read
//             all that the old one had
//   swap      one transaction of the database exchanges the tables' names; readers see the one or
//             the other
//   go on     the new version runs as the job; the old one is kept, stopped, until it is retired
//
// Going back is the same with the version that was served before: it first catches up from the
// state it was stopped with. Every step is remembered (project/job_versions.h), so that after a
// crash one version serves and the same command goes on.
//
// Contract: the methods may be called from any thread. Ends its own threads when it is destroyed,
// and when the runtime stops: what was filled so far is kept.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "project/runtime.h"

namespace millrace::project {

struct ReprocessRequest {
  enum class Action { kStart, kRollback, kRetire };
  std::string job;
  Action action = Action::kStart;
  // "earliest" (refused where the retention has deleted what the job had read), an offset for all
  // partitions, or "<milliseconds since 1970>ms".
  std::string from = "earliest";
};

struct ReprocessProgress {
  enum class Phase { kFilling, kChangingOver, kDone, kFailed, kStopped };
  std::string job;
  Phase phase = Phase::kFilling;
  int from_version = 0;
  int to_version = 0;
  int64_t records_read = 0;
  int64_t records_left = 0;
  double records_per_second = 0;  // since it started
  std::string note;               // what was left out of the checks, and what readers have to do
  Status error;                   // kFailed

  bool ended() const { return phase >= Phase::kDone; }
  std::string ToText() const;  // one line
  std::string ToJson() const;
};

class Reprocessor {
 public:
  explicit Reprocessor(Runtime& runtime);
  ~Reprocessor();

  // Begins, or goes on with what was begun; retiring is done on return. Errors: what makes it
  // impossible, before anything has changed; kFailedPrecondition while one runs for this job.
  Status Start(const ReprocessRequest& request);
  // Of the last one of this job in this process. Error kNotFound when there was none.
  Result<ReprocessProgress> Progress(const std::string& job) const;

 private:
  class Task;
  Status Retire(const std::string& job);

  Runtime& runtime_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Task>> tasks_;  // by job
};

// From POST /api/jobs/{job}/reprocess: {"action": "start"|"rollback"|"retire", "from": "…"}.
Result<ReprocessRequest> ParseReprocessRequest(const std::string& job, std::string_view json);

}  // namespace millrace::project
