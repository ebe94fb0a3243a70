// Asker: how an operator asks another system, such that its answers can be had again.
//
// The epoch is a function of state, decision and answers: each answer is journaled with the epoch
// before the epoch's output commits, and a replay gets it from there (state/answer_journal.h).
//
// Contract: called by the shards' threads, at once by several, each for its own operators. Blocks
// until the system answers. After an error the epoch is void: nothing of it commits, and the
// operators are not used again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "stream/key_table.h"

namespace millrace::stream {

class Asker {
 public:
  virtual ~Asker() = default;
  // responses[i] becomes the answer to requests[i]; no request is there twice. `asker`: the
  // operator's id.
  virtual Status Ask(uint32_t asker, const EncodedKeys& requests,
                     std::vector<std::string>& responses) = 0;
};

}  // namespace millrace::stream
