// AlertBook: what is wrong, and since when; says what has to be told: once when something begins,
// once when it is over.
//
// Contract: one thread at a time. Starts empty: what was wrong before a restart and still is, is
// told again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "job/job.h"

namespace millrace::project {

struct Alert {
  std::string kind;     // "job_failing", "ledger_gap", "reconcile_failed"
  std::string subject;  // the job's name, or the check's
  bool resolved = false;
  std::string text;      // what is, or was, wrong
  int64_t since_ms = 0;  // when it was first seen
  int64_t time_ms = 0;   // of this message

  // {"alert", "project", "subject", "state": "firing" | "resolved", "text", "since_ms", "time_ms"}
  std::string ToJson(const std::string& project) const;
  // "shop: job_failing orders: …", or "shop: over after 2 min: job_failing orders"
  std::string ToText(const std::string& project) const;
};

class AlertBook {
 public:
  // `wrong`: what is the matter with it now; none: nothing is.
  void Note(const std::string& kind, const std::string& subject,
            const std::optional<std::string>& wrong, int64_t now_ms);
  // A job that has failed, or fails for `failing_for_ms`; rows of it that do not add up.
  void NoteJob(const job::JobStatus& status, int64_t failing_for_ms, int64_t now_ms);

  // What is to be told, in the order in which it was noted; once.
  std::vector<Alert> TakeNews() { return std::exchange(news_, {}); }

 private:
  std::map<std::pair<std::string, std::string>, Alert> lasting_;  // by kind and subject
  std::vector<Alert> news_;
};

}  // namespace millrace::project
