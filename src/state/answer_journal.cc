#include "state/answer_journal.h"

#include "state/answer_entry.h"
#include "state/entry_bytes.h"

namespace millrace::state {

Result<std::unique_ptr<AnswerJournal>> AnswerJournal::Open(env::FileSystem* files,
                                                           const std::string& directory) {
  std::unique_ptr<AnswerJournal> journal(new AnswerJournal());
  auto note = [&](std::string_view payload, EntryFiles::Place place) {
    model::Epoch epoch = 0;
    if (!TakeAnswerEpoch(payload, epoch)) return std::optional<model::Epoch>();
    journal->found_[epoch] = std::move(place);
    return std::optional(epoch);
  };
  MR_ASSIGN_OR_RETURN(journal->entries_,
                      EntryFiles::Open(files, directory, kAnswerFilePrefix, note));
  return journal;
}

Status AnswerJournal::BeginEpoch(model::Epoch epoch) {
  epoch_ = epoch;
  added_.clear();
  answers_.clear();
  replayed_.clear();
  auto found = found_.find(epoch);
  replays_ = found != found_.end();
  if (!replays_) return Status::Ok();
  MR_ASSIGN_OR_RETURN(replayed_, entries_->Read(found->second));
  std::string_view rest = replayed_;
  rest.remove_prefix(sizeof epoch);
  for (AnswerView answer; TakeAnswer(rest, answer);) {
    answers_[AnswerNameOf(answer.asker, answer.request)] = answer.response;
  }
  return Status::Ok();
}

Result<std::vector<AnswerJournal::Answer>> AnswerJournal::AnswersOf(model::Epoch epoch) const {
  std::vector<Answer> answers;
  auto found = found_.find(epoch);
  if (found == found_.end()) return answers;
  MR_ASSIGN_OR_RETURN(const std::string payload, entries_->Read(found->second));
  std::string_view rest = payload;
  rest.remove_prefix(sizeof epoch);
  for (AnswerView one; TakeAnswer(rest, one);) {
    answers.push_back(
        {one.asker, one.fetched_us, std::string(one.request), std::string(one.response)});
  }
  return answers;
}

std::optional<std::string_view> AnswerJournal::Find(uint32_t asker,
                                                    std::string_view request) const {
  auto found = answers_.find(AnswerNameOf(asker, request));
  if (found == answers_.end()) return std::nullopt;
  return found->second;
}

void AnswerJournal::Add(uint32_t asker, int64_t fetched_us, std::string_view request,
                        std::string_view response) {
  std::lock_guard<std::mutex> lock(mutex_);
  PutNumber(added_, asker);
  PutNumber(added_, fetched_us);
  PutText(added_, request);
  PutText(added_, response);
}

Status AnswerJournal::Sync() {
  if (!added_.empty()) {
    std::string payload;
    PutNumber(payload, epoch_);
    payload += added_;
    MR_ASSIGN_OR_RETURN(found_[epoch_], entries_->Append(epoch_, payload));
    added_.clear();
    unsynced_ = true;
  }
  if (!unsynced_) return Status::Ok();
  MR_RETURN_IF_ERROR(entries_->Sync());
  unsynced_ = false;
  return Status::Ok();
}

Status AnswerJournal::ForgetUpTo(model::Epoch epoch) {
  MR_RETURN_IF_ERROR(entries_->ForgetUpTo(epoch));
  found_.erase(found_.begin(), found_.upper_bound(epoch));
  return Status::Ok();
}

}  // namespace millrace::state
