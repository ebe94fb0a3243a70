// AnswerEntry: the payloads of the answer journal's files (the format is in answer_journal.h), for
// those who read them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "model/position.h"
#include "state/entry_bytes.h"

namespace millrace::state {

constexpr const char* kAnswerFilePrefix = "answers-";

struct AnswerView {
  uint32_t asker = 0;
  int64_t fetched_us = 0;
  std::string_view request, response;
};

// Takes the epoch off the front of a payload. False: there is none.
inline bool TakeAnswerEpoch(std::string_view& payload, model::Epoch& epoch) {
  if (payload.size() < sizeof epoch) return false;
  epoch = TakeNumber<model::Epoch>(payload);
  return true;
}

// Takes the next answer off what follows the epoch. False: there is none any more.
inline bool TakeAnswer(std::string_view& payload, AnswerView& answer) {
  if (payload.size() < sizeof answer.asker + sizeof answer.fetched_us) return false;
  answer.asker = TakeNumber<uint32_t>(payload);
  answer.fetched_us = TakeNumber<int64_t>(payload);
  for (std::string_view* text : {&answer.request, &answer.response}) {
    uint32_t size = 0;
    if (payload.size() < sizeof size) return false;
    std::memcpy(&size, payload.data(), sizeof size);
    if (payload.size() - sizeof size < size) return false;
    *text = TakeText(payload);
  }
  return true;
}

// By which an answer is found: who asked, and what.
inline std::string AnswerNameOf(uint32_t asker, std::string_view request) {
  std::string name;
  PutNumber(name, asker);
  return name.append(request);
}

}  // namespace millrace::state
