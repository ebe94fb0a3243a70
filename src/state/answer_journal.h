// AnswerJournal: what other systems answered in each epoch of a job, durable before the epoch's
// output commits. With it an epoch is a function of state, decision and answers (DESIGN.md, rule
// 1): a replay is answered from here. Knows nothing of who asks whom: requests and responses are
// bytes.
//
// Contract
//   BeginEpoch, Sync and ForgetUpTo on the job's thread; Find and Add on any thread in between.
//   An epoch of which nothing is here has committed nothing that depends on answers: it may ask
//   anew.
//
// Format: EntryFiles `answers-…`; a payload holds all answers of one epoch: epoch (8 bytes), then
// per answer: asker (4), fetched_us (8: wall clock of the answer), request (4 + bytes), response (4
// + bytes). Kept after a checkpoint: state/answer_history.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "model/position.h"
#include "state/entry_files.h"

namespace millrace::state {

class AnswerJournal {
 public:
  // Opens or creates in `directory` and finds what is there.
  static Result<std::unique_ptr<AnswerJournal>> Open(env::FileSystem* files,
                                                     const std::string& directory);

  // Makes the answers of `epoch` known to Find, and forgets those of others. Errors: kIo.
  Status BeginEpoch(model::Epoch epoch);
  // Whether the running epoch's answers are here: then it must not ask for others.
  bool Replays() const { return replays_; }
  std::optional<std::string_view> Find(uint32_t asker, std::string_view request) const;
  // What the answers of an epoch were, for who explains results; none where it asked nothing or is
  // forgotten. On the job's thread. Errors: kIo.
  struct Answer {
    uint32_t asker = 0;
    int64_t fetched_us = 0;
    std::string request;
    std::string response;
  };
  Result<std::vector<Answer>> AnswersOf(model::Epoch epoch) const;

  // Adds an answer of the running epoch.
  void Add(uint32_t asker, int64_t fetched_us, std::string_view request, std::string_view response);
  // Makes what was added durable. Does nothing when nothing was. May be repeated after an error.
  Status Sync();
  // A checkpoint of the running epoch begins: what comes next is forgotten apart from it.
  void BeginCheckpoint() { entries_->EndFile(); }
  // Forgets answers up to `epoch`: a checkpoint has made them unnecessary.
  Status ForgetUpTo(model::Epoch epoch);
  // Forgotten answers stay for AnswerHistory, at most so many bytes of them.
  Status KeepPast(int64_t bytes_max) { return entries_->KeepPast(bytes_max); }

 private:
  AnswerJournal() = default;

  std::unique_ptr<EntryFiles> entries_;
  std::map<model::Epoch, EntryFiles::Place> found_;  // where each epoch's answers are

  model::Epoch epoch_ = 0;  // running
  bool replays_ = false;
  std::string replayed_;                                       // its payload
  std::unordered_map<std::string, std::string_view> answers_;  // asker ++ request -> response
  std::mutex mutex_;                                           // of what is added
  std::string added_;
  bool unsynced_ = false;  // something was appended since the last sync
};

}  // namespace millrace::state
