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

std::string NameOf(uint32_t asker, std::string_view request) {
  std::string name;
  PutNumber(name, asker);
  return name.append(request);
}

}  // namespace

AnswerJournal::AnswerJournal(env::FileSystem* files, const std::string& directory)
    : files_(files, directory, kFilePrefix) {}

Result<std::unique_ptr<AnswerJournal>> AnswerJournal::Open(env::FileSystem* files,
                                                           const std::string& directory) {
  std::unique_ptr<AnswerJournal> journal(new AnswerJournal(files, directory));
  MR_RETURN_IF_ERROR(
      journal->files_.Open([&](model::Epoch epoch, std::string_view, const EntryPlace& place) {
        journal->found_[epoch] = place;
        return true;
      }));
  return journal;
}

Status AnswerJournal::BeginEpoch(model::Epoch epoch) {
  epoch_ = epoch;
  added_.clear();
  appended_ = false;
  answers_.clear();
  replayed_.clear();
  auto found = found_.find(epoch);
  replays_ = found != found_.end();
  if (!replays_) return Status::Ok();
  MR_ASSIGN_OR_RETURN(replayed_, files_.Read(found->second));
  std::string_view rest = replayed_;
  rest.remove_prefix(sizeof epoch);
  uint32_t asker = 0;
  int64_t fetched_us = 0;
  std::string_view request, response;
  while (TakeNumber(rest, asker) && TakeNumber(rest, fetched_us) && TakeText(rest, request) &&
         TakeText(rest, response)) {
    answers_[NameOf(asker, request)] = response;
  }
  return Status::Ok();
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
  if (!appended_) {
    std::string payload;
    PutNumber(payload, epoch_);
    payload += added_;
    if (payload.size() > UINT32_MAX) {
      return Status(Code::kResourceExhausted,
                    fmt::format("the answers of one epoch are {} bytes, more than 4 GiB",
                                payload.size()))
          .WithHint("set 'millrace.epoch.bytes' lower, or 'lookup.cache' to PARTIAL");
    }
    MR_RETURN_IF_ERROR(files_.Append(epoch_, payload));
    appended_ = true;
  }
  MR_RETURN_IF_ERROR(files_.Sync());
  added_.clear();
  appended_ = false;
  return Status::Ok();
}

Status AnswerJournal::ForgetUpTo(model::Epoch epoch) {
  MR_ASSIGN_OR_RETURN(const bool all, files_.ForgetUpTo(epoch));
  if (all) found_.clear();
  return Status::Ok();
}

}  // namespace millrace::state
