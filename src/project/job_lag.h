// What a job has not read yet, and the rules by which that is too much.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "job/job.h"
#include "log/log.h"
#include "project/alert_book.h"

namespace millrace::project {

struct JobLag {
  int64_t records = 0;
  // Age of the oldest record that is not read, by the time its producer gave it (without one: that
  // of the append); 0: everything is read, or no source is a topic.
  int64_t age_ms = 0;
};

// As of now, also of a job that is held up or has ended by an error; none of one that has read its
// bounded sources to the end. Of sources that are no topics of the log: what the job itself said
// last. Reads one record of the log for each split that is behind: of records that only its archive
// has, the age is more than that. Any thread.
JobLag LagOf(const job::JobStatus& status, log::Log& log, int64_t now_ms);

struct LagRule {
  int64_t records = -1;  // more than these; -1: no matter
  int64_t age_ms = -1;   // older than this; -1: no matter
  int64_t for_ms = 60'000;
  std::string job = {};  // "": any
};

// LagWatch: which jobs have been behind for longer than a rule allows.
//
// Contract: one thread at a time.
class LagWatch {
 public:
  explicit LagWatch(std::vector<LagRule> rules) : rules_(std::move(rules)) {}

  bool has_rules() const { return !rules_.empty(); }
  // Noted as "job_behind".
  void Note(AlertBook& book, const std::string& job, const JobLag& lag, int64_t now_ms);

 private:
  const std::vector<LagRule> rules_;
  // Since when a rule's limit is passed, by its place and the job.
  std::map<std::pair<size_t, std::string>, int64_t> passed_since_ms_;
};

}  // namespace millrace::project
