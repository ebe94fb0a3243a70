// JobVersions: the versions of one job: which serves, which is being filled, which was served
// before, and by which text of the project each was made.
//
// A version is a text, a state and a table. Version 1 has its state where jobs had it before there
// were versions; numbers are never used again.
//
// Format, below <target directory>/versions/<job>/:
//   versions.json      {"next": 3, "serving": 1, "previous": 0, "staged": 2, "retired": 0,
//                       "from": "earliest"}
//                      0: none; replaced in one step
//   <number>/project/  millrace.yml and sql/*.sql as they were read
//   <number>/state/    checkpoints and decisions, from number 2 on
//
// Contract: one thread at a time.
#pragma once

#include <memory>
#include <string>

#include "project/project.h"

namespace millrace::project {

class JobVersions {
 public:
  // Errors: versions.json cannot be read.
  static Result<JobVersions> Load(const Project& project, const std::string& job);

  int serving = 1;
  int previous = 0;  // served before; kept until it is retired
  int staged = 0;    // being filled
  int retired = 0;   // to be deleted; a crash may have come before that
  std::string from;  // where the staged one begins: "earliest", an offset or a time

  // The staged version serves from now on; one version before it is kept.
  void Promote();
  // A new number; durable with the next Save.
  int TakeNumber() { return next_++; }
  Status Save() const;

  std::string StateDirectory(int version) const;
  // By which a version's sinks remember its epochs: "orders", "orders@v2".
  std::string CommitName(int version) const;
  // Keeps the project's text as the one of a version, unless it is the same already.
  Status KeepText(int version, const Project& project) const;
  bool SameText(int version, const Project& project) const;
  // The project as it was for a version, to compile its job with. Errors: kNotFound when no text
  // was kept (its state is from before there were versions), or faults in it.
  Result<std::unique_ptr<Project>> LoadText(int version, const std::string& target) const;
  // Deletes text and state of a version. Missing ones are fine.
  Status Remove(int version) const;

 private:
  std::string directory_;    // of this job's versions
  std::string first_state_;  // of version 1
  std::string job_;
  int next_ = 2;
};

}  // namespace millrace::project
