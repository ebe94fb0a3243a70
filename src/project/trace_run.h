// PrivateRun: runs a compiled copy of a job over given records, in a log of its own, without state,
// until time is at its end.
//
// Contract: one thread. Uses a directory below the system's for temporary files, which goes away
// with it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "env/hand_clock.h"
#include "job/job.h"
#include "project/trace.h"

namespace millrace::project {

// Compiles a plan anew: each run takes one.
using CompilePlan = std::function<Result<std::unique_ptr<job::CompiledJob>>()>;

// The topic that a source is read from; "": none.
std::string TopicOf(const job::SourceTable& source);

class PrivateRun {
 public:
  // `salt` tells directories of runs apart that begin together. `now_us`: what its clock says.
  PrivateRun(const Project& project, int64_t salt, int64_t now_us);
  ~PrivateRun();
  Status Open();

  // In their order; offsets begin at 0. No record lies in the future: the clock goes ahead to it.
  Status AddTopic(const std::string& topic, const std::vector<TraceRecord>& records);

  // Adds the rows that are left of what the plan makes to `made`. `outcome`: whether it ran to its
  // end, or failed on a record (ON VIOLATION FAIL). `asker` may be null where nobody is asked.
  Status RunToEnd(std::unique_ptr<job::CompiledJob> plan, stream::Asker* asker, TraceRows& made,
                  Status& outcome);
  // The dead letters since the last call: of records of `topic`, and those that name no record.
  Result<std::vector<TraceRefusal>> NewLetters(const std::string& topic);

 private:
  class Scratch;
  const Project& project_;
  std::unique_ptr<Scratch> scratch_;
  env::HandClock clock_;
  std::unique_ptr<log::Log> log_;
  int64_t next_letter_ = 0;
};

}  // namespace millrace::project
