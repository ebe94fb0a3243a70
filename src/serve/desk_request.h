// DeskRequest: what is asked of the dead letters' desk; the body of POST /api/dead-letters/actions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "project/dead_letter_audit.h"

namespace millrace::serve {

constexpr size_t kLettersPerCallMax = 500;

// Empty fields do not restrict.
struct LetterFilter {
  std::string topic;
  std::string table;
  std::string job;
  std::string kind;
  std::string stage;
  int64_t since_ms = 0;

  bool Matches(const model::DeadLetter& letter) const;
};

struct DeskRequest {
  enum class Action {
    kRetry,   // send the letter's own bytes
    kReplay,  // send its edited bytes, or its own where it was not edited
    kEdit,
    kDiscard,
  };
  Action action = Action::kReplay;
  // Which letters: these, or (when there are none) those of the filter, from `after` on.
  std::vector<project::LetterId> ids;
  bool filtered = false;
  LetterFilter filter;
  std::optional<project::LetterId> after;
  size_t limit = kLettersPerCallMax;
  // How to edit: exactly one of them for kEdit, none otherwise.
  std::string set;
  std::string patch;
  std::optional<std::string> value;
  bool dry_run = false;
  bool again = false;  // letters that are settled, too
  bool late = false;   // late rows, too
  std::string reason;  // of kDiscard
  std::string who;

  // Errors: not JSON, unknown fields, values that do not fit, too little said.
  static Result<DeskRequest> Parse(std::string_view json);
};

}  // namespace millrace::serve
