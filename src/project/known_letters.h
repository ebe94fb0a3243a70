// KnownLetters: which records a job has put into the dead letters already, so that another version
// of the job that reads them again does not put them there twice.
//
// Contract: one thread at a time. Memory: one entry per letter in the topic.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "log/log.h"
#include "model/dead_letter.h"

namespace millrace::project {

class KnownLetters {
 public:
  explicit KnownLetters(log::Log& log) : log_(log) {}

  // Whether the topic holds a letter of the same job, record and kind, as of now.
  bool Knows(const model::DeadLetter& letter);

 private:
  using Key = std::tuple<std::string, std::string, int, int64_t, std::string>;
  void Follow();

  log::Log& log_;
  std::map<int, int64_t> next_;  // by partition of the topic
  std::set<Key> keys_;           // job, topic, partition, offset, kind
};

}  // namespace millrace::project
