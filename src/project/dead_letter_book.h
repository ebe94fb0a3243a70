// DeadLetterBook: how each dead letter stands, and how many there are: follows the topics of the
// letters and of their audit.
//
// Contract: every method from any thread. Memory: one small entry per letter that something was
// done with, the edited bytes of those that wait to be replayed, and a count per topic, kind and
// stage.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "log/log.h"
#include "project/dead_letter_audit.h"

namespace millrace::project {

enum class LetterState { kOpen, kEdited, kReplaying, kReplayed, kEditedReplayed, kDiscarded };
// "open", "edited", "replaying", "replayed", "edited+replayed", "discarded"
const char* LetterStateName(LetterState state);

// How one letter stands.
struct LetterMark {
  LetterState state = LetterState::kOpen;
  int attempts = 0;  // replays that ended, however they did
  std::optional<std::string> edited_value = {};
  // Of the last thing done with it.
  int64_t time_ms = -1;
  std::string who = {};
  std::string reason = {};
  std::string topic = {};  // where a replay went
  int partition = -1;
  int64_t offset = -1;

  bool settled() const {
    return state == LetterState::kReplayed || state == LetterState::kEditedReplayed ||
           state == LetterState::kDiscarded;
  }
};

struct LetterCount {
  std::string topic;
  std::string kind;
  std::string what;  // the stage, or the state they were settled with
  int64_t count = 0;
};

class DeadLetterBook {
 public:
  explicit DeadLetterBook(log::Log& log) : log_(log) {}

  // Reads what the topics have new. Entries that cannot be read are counted, not an error.
  Status Follow();
  // Writes entries; durable, and part of the book, on return.
  Status Write(std::span<const AuditEntry> entries);

  LetterMark MarkOf(const LetterId& id) const;
  // Replays that were begun and not ended.
  std::vector<AuditEntry> Begun() const;
  // Letters by stage, and letters settled by state, since the oldest that was kept at the start.
  std::vector<LetterCount> Letters() const;
  std::vector<LetterCount> Settled() const;

 private:
  using CountKey = std::tuple<std::string, std::string, std::string>;

  Status FollowTopic(const std::string& topic, std::map<int, int64_t>& next,
                     const std::function<void(std::string_view)>& take);
  void Take(AuditEntry entry);

  log::Log& log_;
  mutable std::mutex mutex_;
  std::map<int, int64_t> next_letter_;  // by partition
  std::map<int, int64_t> next_entry_;
  std::map<LetterId, LetterMark> marks_;
  std::map<LetterId, AuditEntry> begun_;
  std::map<CountKey, int64_t> letters_;
  std::map<CountKey, int64_t> settled_;
};

}  // namespace millrace::project
