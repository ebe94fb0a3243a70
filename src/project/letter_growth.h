// LetterGrowth: whether more records than a rule allows became dead letters within a time.
//
// Each table (or topic, where the collector knows no table), job and kind is counted by itself, so
// that what is told says where to look. A rule without table, job or kind holds for every one.
//
// Contract: one thread at a time. Begins with the letters that the topic has of the longest time
// of a rule, so a restart forgets nothing. Counts by seconds: memory is one small entry for each
// second with letters of a table, job and kind.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "log/log.h"
#include "model/dead_letter.h"
#include "project/alert_book.h"

namespace millrace::project {

struct LetterRule {
  int64_t more_than = 0;
  int64_t within_ms = 5 * 60'000;
  std::string table = {};  // or topic; "": any
  std::string job = {};    // "": any, also the collector
  std::string kind = {};   // "": any
};

class LetterGrowth {
 public:
  explicit LetterGrowth(std::vector<LetterRule> rules);

  // Takes what the topic of the letters has new. Does nothing without rules.
  Status Follow(log::Log& log, int64_t now_ms);
  // `time_ms`: when it was written; the letter's own time may be long before, where its job could
  // not commit.
  void Add(const model::DeadLetter& letter, int64_t time_ms);
  // What every table, job and kind with letters is to be noted with, as "dead_letters".
  void Note(AlertBook& book, int64_t now_ms);

 private:
  struct Where {
    std::string table;
    std::string job;
    std::string kind;
    bool operator<(const Where& o) const {
      return std::tie(table, job, kind) < std::tie(o.table, o.job, o.kind);
    }
  };
  using CountBySecond = std::map<int64_t, int64_t>;
  static bool Fits(const LetterRule& rule, const Where& where);
  static std::string Text(const LetterRule& rule, const Where& where, int64_t count);

  const std::vector<LetterRule> rules_;
  int64_t within_ms_max_ = 0;
  std::map<int, int64_t> next_;  // by partition
  std::map<Where, CountBySecond> counts_;
};

}  // namespace millrace::project
