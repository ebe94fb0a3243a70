// The audit of the dead letters: what was done with each of them, as records of a topic.
//
// Format: topic millrace.dead-letters.audit, one partition; the key is the letter's id, the value
//   {"id": "0/17", "action", "time_ms", "who", "kind", "reason", "edited", "topic", "partition",
//    "offset", "sequence", "key", "before", "after"}
// without what does not apply; bytes that are not UTF-8 come as "key_base64" and so on. Actions:
//   edit       `after` is what a replay will send instead of `before`
//   replay     begun: `after` goes, with `key`, to `topic`/`partition` as the replays'
//              record number `sequence` there. Durable before the record is appended.
//   replayed   done: the record is at `offset` (missing: retention took it before we looked)
//   refused    not sent: today's table says `reason`
//   abandoned  begun, but cannot be ended any more: `reason`
//   discard    given up, for `reason`
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/dead_letter.h"

namespace millrace::project {

constexpr const char* kDeadLetterAuditTopic = "millrace.dead-letters.audit";

// Where a letter lies in the dead-letter topic.
struct LetterId {
  int partition = 0;
  int64_t offset = 0;

  auto operator<=>(const LetterId&) const = default;
  std::string ToString() const;  // "0/17"
  // Error kInvalidArgument.
  static Result<LetterId> Parse(std::string_view text);
};

enum class AuditAction { kEdit, kReplay, kReplayed, kRefused, kAbandoned, kDiscard };

struct AuditEntry {
  LetterId id;
  AuditAction action = AuditAction::kEdit;
  int64_t time_ms = 0;
  std::string who = {};
  std::string kind = {};  // of the letter
  std::string reason = {};
  bool edited = false;     // `after` is not what the letter held
  std::string topic = {};  // that the letter is about
  int partition = -1;
  int64_t offset = -1;
  int64_t sequence = -1;
  std::optional<std::string> key = {};
  std::optional<std::string> before = {};
  std::optional<std::string> after = {};

  std::string ToJson() const;
  // Error kCorruption.
  static Result<AuditEntry> Parse(std::string_view json);
};

std::vector<std::string> LetterKindNames();  // "malformed", "type", …

// What DeadLetter::ToJson wrote. Error kCorruption.
Result<model::DeadLetter> ParseDeadLetter(std::string_view json);

}  // namespace millrace::project
