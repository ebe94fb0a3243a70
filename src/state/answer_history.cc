#include "state/answer_history.h"

#include <algorithm>

#include "state/answer_entry.h"
#include "state/entry_files.h"

namespace millrace::state {

Result<std::unique_ptr<AnswerHistory>> AnswerHistory::Open(env::FileSystem* files,
                                                           const std::string& directory) {
  std::unique_ptr<AnswerHistory> history(new AnswerHistory(files));
  history->past_ = directory + "/past";
  // In this order: a file that moves meanwhile is in both lists rather than in none.
  for (const std::string& place : {directory, history->past_}) {
    auto names = files->List(place);
    if (!names.ok() && names.status().code() != Code::kNotFound) return names.status();
    if (!names.ok()) continue;
    for (const std::string& name : *names) {
      if (name.starts_with(kAnswerFilePrefix)) history->all_.push_back({name, place + "/" + name});
    }
  }
  // The number in a name is that of the first epoch.
  auto& all = history->all_;
  std::stable_sort(all.begin(), all.end(),
                   [](const OneFile& a, const OneFile& b) { return a.name < b.name; });
  all.erase(std::unique(all.begin(), all.end(),
                        [](const OneFile& a, const OneFile& b) { return a.name == b.name; }),
            all.end());
  return history;
}

Status AnswerHistory::Read(OneFile& file) {
  auto content = env::ReadWholeFile(*files_, file.path);
  if (!content.ok() && content.status().code() == Code::kNotFound) {
    content = env::ReadWholeFile(*files_, past_ + "/" + file.name);  // it has moved
  }
  file.read = true;
  if (!content.ok() && content.status().code() == Code::kNotFound) return Status::Ok();
  MR_RETURN_IF_ERROR(content.status());
  EntryFiles::VisitPayloads(*content, [&](std::string_view payload) {
    model::Epoch epoch = 0;
    if (!TakeAnswerEpoch(payload, epoch)) return;
    for (AnswerView one; TakeAnswer(payload, one);) {
      file.answers[AnswerNameOf(one.asker, one.request)].push_back(
          {epoch, one.fetched_us, std::string(one.response)});
    }
  });
  return Status::Ok();
}

Result<std::optional<AnswerHistory::Answer>> AnswerHistory::Find(uint32_t asker,
                                                                 std::string_view request,
                                                                 model::Epoch until) {
  const std::string name = AnswerNameOf(asker, request);
  for (auto file = all_.rbegin(); file != all_.rend(); ++file) {
    if (!file->read) MR_RETURN_IF_ERROR(Read(*file));
    auto found = file->answers.find(name);
    if (found == file->answers.end()) continue;
    for (auto answer = found->second.rbegin(); answer != found->second.rend(); ++answer) {
      if (answer->epoch <= until) return std::optional<Answer>(*answer);
    }
  }
  return std::optional<Answer>();
}

Result<std::optional<model::Epoch>> AnswerHistory::NextAfter(uint32_t asker,
                                                             std::string_view request,
                                                             model::Epoch epoch) {
  const std::string name = AnswerNameOf(asker, request);
  std::optional<model::Epoch> next;
  for (auto file = all_.rbegin(); file != all_.rend(); ++file) {
    if (!file->read) MR_RETURN_IF_ERROR(Read(*file));
    auto found = file->answers.find(name);
    if (found == file->answers.end()) continue;
    for (auto answer = found->second.rbegin(); answer != found->second.rend(); ++answer) {
      if (answer->epoch <= epoch) return next;
      next = answer->epoch;
    }
  }
  return next;
}

}  // namespace millrace::state
