// ChangePlan: what would happen to each job if the project, as its files are now, were started:
// said before anything starts.
//
//   new       no state yet
//   same      the state is this query's
//   keeps     the state fits; see job/job_structure.h
//   backfill  the new query has to read its input from the start, beside the old one
//   refused   it would have to, and cannot: the reason
#pragma once

#include <string>
#include <vector>

#include "project/runtime.h"

namespace millrace::project {

struct JobChange {
  enum class Kind { kNew, kSame, kKeeps, kBackfill, kRefused };
  std::string job;
  Kind kind = Kind::kNew;
  std::vector<std::string> reasons;  // what changed
  std::string refusal;               // why it cannot be computed anew; "" when it can
  bool input_deleted = false;        // and that is because of the retention
  // Of a backfill.
  int64_t records = 0;         // in the log, to be read
  int64_t bytes = 0;           // of the topics on disk
  double rows_per_second = 0;  // of the job's last runs; 0: not known
  int serving = 1;             // version
  int previous = 0;            // to which --rollback would go; 0: none

  double seconds() const {
    return rows_per_second > 0 ? static_cast<double>(records) / rows_per_second : 0;
  }
};

// `text`: the project as it is now; `runtime` may run an older one. `job` "": all.
Result<std::vector<JobChange>> PlanChanges(Runtime& runtime, const Project& text,
                                           const std::string& job);
std::string ChangesText(const std::vector<JobChange>& changes);
std::string ChangesJson(const std::vector<JobChange>& changes);

// The project read anew from the runtime's directory. Errors: its first fault.
Result<std::unique_ptr<Project>> ReadTextNow(Runtime& runtime);

}  // namespace millrace::project
