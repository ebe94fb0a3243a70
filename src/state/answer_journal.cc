#include "state/answer_journal.h"

#include <fmt/format.h>

#include <cstring>

#include "state/entry_bytes.h"

namespace millrace::state {

namespace {

constexpr const char* kFilePrefix = "answers-";

template <typename T>
bool TakeNumber(std::string_view& bytes, T& value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

bool TakeText(std::string_view& bytes, std::string_view& text) {
  uint32_t size = 0;
  if (!TakeNumber(bytes, size) || bytes.size() < size) return false;
  text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

// An answer in an entry's payload, behind the epoch. False: there is none any more.
struct AnswerView {
  uint32_t asker = 0;
  int64_t fetched_us = 0;
  std::string_view request, response;
};
bool TakeAnswer(std::string_view& bytes, AnswerView& answer) {
  return TakeNumber(bytes, answer.asker) && TakeNumber(bytes, answer.fetched_us) &&
         TakeText(bytes, answer.request) && TakeText(bytes, answer.response);
}

std::string NameOf(uint32_t asker, std::string_view request) {
  std::string name;
  PutNumber(name, asker);
  return name.append(request);
}

}  // namespace

Result<std::unique_ptr<AnswerJournal>> AnswerJournal::Open(env::FileSystem* files,
                                                           const std::string& directory) {
  std::unique_ptr<AnswerJournal> journal(new AnswerJournal(files, directory));
  MR_RETURN_IF_ERROR(files->CreateDirectories(directory));
  MR_RETURN_IF_ERROR(journal->FindEntries());
  return journal;
}

Status AnswerJournal::FindEntries() {
  MR_ASSIGN_OR_RETURN(std::vector<std::string> names, files_->List(directory_));
  for (const std::string& name : names) {
    if (name.rfind(kFilePrefix, 0) == 0) paths_.push_back(directory_ + "/" + name);
  }
  for (const std::string& path : paths_) {
    MR_ASSIGN_OR_RETURN(std::string content, ReadWholeFile(*files_, path));
    size_ = 0;
    std::string_view rest = content;
    for (auto payload = EntryAt(rest); payload && payload->size() >= sizeof last_epoch_;
         payload = EntryAt(rest)) {
      std::memcpy(&last_epoch_, payload->data(), sizeof last_epoch_);
      const auto head = static_cast<int64_t>(kEntryHead);
      const auto size = static_cast<int64_t>(payload->size());
      found_[last_epoch_] = {path, size_ + head, size};
      rest.remove_prefix(kEntryHead + payload->size());
      size_ += head + size;
    }
  }
  if (paths_.empty()) return Status::Ok();
  MR_ASSIGN_OR_RETURN(file_, files_->Open(paths_.back(), env::OpenMode::kWrite));
  MR_RETURN_IF_ERROR(file_->Truncate(size_));
  return file_->Sync();
}

Status AnswerJournal::BeginEpoch(model::Epoch epoch) {
  epoch_ = epoch;
  added_.clear();
  answers_.clear();
  replayed_.clear();
  auto found = found_.find(epoch);
  replays_ = found != found_.end();
  if (!replays_) return Status::Ok();
  MR_ASSIGN_OR_RETURN(replayed_, Payload(found->second));
  std::string_view rest = replayed_;
  rest.remove_prefix(sizeof epoch);
  for (AnswerView answer; TakeAnswer(rest, answer);) {
    answers_[NameOf(answer.asker, answer.request)] = answer.response;
  }
  return Status::Ok();
}

Result<std::string> AnswerJournal::Payload(const Place& place) const {
  MR_ASSIGN_OR_RETURN(std::string content, ReadWholeFile(*files_, place.path));
  return content.substr(static_cast<size_t>(place.offset), static_cast<size_t>(place.size));
}

Result<std::vector<AnswerJournal::Answer>> AnswerJournal::AnswersOf(model::Epoch epoch) const {
  std::vector<Answer> answers;
  auto found = found_.find(epoch);
  if (found == found_.end()) return answers;
  MR_ASSIGN_OR_RETURN(const std::string payload, Payload(found->second));
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
  auto found = answers_.find(NameOf(asker, request));
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
  if (added_.empty()) return Status::Ok();
  if (!file_) {
    std::string path = fmt::format("{}/{}{:020}", directory_, kFilePrefix, epoch_);
    MR_ASSIGN_OR_RETURN(file_, files_->Open(path, env::OpenMode::kCreate));
    size_ = 0;
    paths_.push_back(path);
    MR_RETURN_IF_ERROR(files_->SyncDirectory(directory_));
  }
  std::string payload;
  PutNumber(payload, epoch_);
  payload += added_;
  if (payload.size() > UINT32_MAX) {
    return Status(Code::kResourceExhausted,
                  fmt::format("the answers of one epoch are {} bytes, more than 4 GiB",
                              payload.size()))
        .WithHint("set 'millrace.epoch.bytes' lower, or 'lookup.cache' to PARTIAL");
  }
  const std::string head = EntryHead(payload);
  const std::string_view parts[] = {head, payload};
  MR_RETURN_IF_ERROR(file_->WriteAt(size_, parts));
  MR_RETURN_IF_ERROR(file_->Sync());
  found_[epoch_] = {paths_.back(), size_ + static_cast<int64_t>(head.size()),
                    static_cast<int64_t>(payload.size())};
  size_ += static_cast<int64_t>(head.size() + payload.size());
  last_epoch_ = epoch_;
  added_.clear();
  return Status::Ok();
}

Status AnswerJournal::ForgetUpTo(model::Epoch epoch) {
  // Whole files only: all of them when nothing newer is there, which is the case at a checkpoint.
  if (last_epoch_ > epoch) return Status::Ok();
  file_.reset();
  for (const std::string& path : paths_) {
    Status removed = files_->Remove(path);
    if (!removed.ok() && removed.code() != Code::kNotFound) return removed;
  }
  paths_.clear();
  found_.clear();
  size_ = 0;
  return Status::Ok();
}

}  // namespace millrace::state
