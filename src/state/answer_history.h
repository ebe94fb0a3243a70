// AnswerHistory: what other systems answered a job some time ago, for who explains its results: the
// answers that its journal holds, and those that were kept after a checkpoint (KeepPast).
//
// A job uses an answer until it asks for the same key again, so the newest one up to an epoch is
// the one that the epoch was computed with.
//
// Contract: one thread; changes nothing. The job may be running: it sees the files that were there
// when it was opened. Blocks on the disk; holds the files it has read in memory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "model/position.h"

namespace millrace::state {

class AnswerHistory {
 public:
  struct Answer {
    model::Epoch epoch = 0;  // in which it was asked for
    int64_t fetched_us = 0;
    std::string response;
  };

  // `directory`: the job's state. One that is not there holds nothing.
  static Result<std::unique_ptr<AnswerHistory>> Open(env::FileSystem* files,
                                                     const std::string& directory);
  // The newest answer that `asker` got to `request` in the epoch `until` or before. None: never
  // asked, or not kept any more. Errors: kIo.
  Result<std::optional<Answer>> Find(uint32_t asker, std::string_view request, model::Epoch until);
  // The first epoch after `epoch` in which `asker` got an answer to `request`. Errors: kIo.
  Result<std::optional<model::Epoch>> NextAfter(uint32_t asker, std::string_view request,
                                                model::Epoch epoch);

 private:
  struct OneFile {
    std::string name;
    std::string path;
    bool read = false;
    std::unordered_map<std::string, std::vector<Answer>> answers = {};  // by name, oldest first
  };
  explicit AnswerHistory(env::FileSystem* files) : files_(files) {}
  Status Read(OneFile& file);

  env::FileSystem* files_;
  std::string past_;
  std::vector<OneFile> all_;  // oldest first
};

}  // namespace millrace::state
