#include "project/dead_letter_book.h"

#include <algorithm>

#include "base/strings.h"
#include "env/diag.h"
#include "job/job.h"

namespace millrace::project {

namespace {
constexpr int64_t kBlockBytes = 1 << 20;
}

const char* LetterStateName(LetterState state) {
  constexpr const char* kNames[] = {"open",     "edited",          "replaying",
                                    "replayed", "edited+replayed", "discarded"};
  return kNames[static_cast<size_t>(state)];
}

Status DeadLetterBook::FollowTopic(const std::string& topic, std::map<int, int64_t>& next,
                                   const std::function<void(std::string_view)>& take) {
  auto info = log_.Describe(topic);
  if (!info.ok()) return Status::Ok();  // nothing was written yet
  for (int p = 0; p < info->config.partitions; p++) {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_.DescribePartition(topic, p));
    int64_t& from = next[p];
    from = std::max(from, at.start_offset);
    while (from < at.end_offset) {
      MR_ASSIGN_OR_RETURN(from, log_.Read(topic, p, from, at.end_offset, kBlockBytes,
                                          [&](std::span<const model::Record> records) {
                                            for (const model::Record& r : records) take(r.value);
                                          }));
    }
  }
  return Status::Ok();
}

Status DeadLetterBook::Follow() {
  std::lock_guard<std::mutex> lock(mutex_);
  MR_RETURN_IF_ERROR(FollowTopic(job::kDeadLetterTopic, next_letter_, [&](std::string_view json) {
    auto letter = ParseDeadLetter(json);
    if (!letter.ok()) {
      letters_[{"", "unreadable", ""}]++;
      return;
    }
    letters_[{letter->topic, model::RowErrorKindName(letter->kind), letter->stage}]++;
  }));
  return FollowTopic(kDeadLetterAuditTopic, next_entry_, [&](std::string_view json) {
    auto entry = AuditEntry::Parse(json);
    if (entry.ok()) {
      Take(std::move(*entry));
    } else {
      diag::Error("dead letters: {} {}", entry.status().message(),
                  JsonQuote(entry.status().detail()));
    }
  });
}

void DeadLetterBook::Take(AuditEntry entry) {
  LetterMark& mark = marks_[entry.id];
  mark.time_ms = entry.time_ms;
  mark.who = entry.who;
  mark.reason = entry.reason;
  switch (entry.action) {
    case AuditAction::kEdit:
      mark.state = LetterState::kEdited;
      mark.edited_value = std::move(entry.after);
      return;
    case AuditAction::kReplay:
      mark.state = LetterState::kReplaying;
      begun_[entry.id] = std::move(entry);
      return;
    case AuditAction::kRefused:
      mark.attempts++;
      return;
    case AuditAction::kAbandoned:
      mark.attempts++;
      mark.state = mark.edited_value ? LetterState::kEdited : LetterState::kOpen;
      begun_.erase(entry.id);
      return;
    case AuditAction::kReplayed:
      mark.attempts++;
      mark.state = entry.edited ? LetterState::kEditedReplayed : LetterState::kReplayed;
      mark.topic = entry.topic;
      mark.partition = entry.partition;
      mark.offset = entry.offset;
      mark.edited_value.reset();
      begun_.erase(entry.id);
      break;
    case AuditAction::kDiscard:
      mark.state = LetterState::kDiscarded;
      mark.edited_value.reset();
      break;
  }
  settled_[{entry.topic, entry.kind, LetterStateName(mark.state)}]++;
}

Status DeadLetterBook::Write(std::span<const AuditEntry> entries) {
  std::vector<std::string> keys, values;
  for (const AuditEntry& entry : entries) {
    keys.push_back(entry.id.ToString());
    values.push_back(entry.ToJson());
  }
  std::vector<log::NewRecord> records(entries.size());
  for (size_t i = 0; i < entries.size(); i++) {
    records[i].key = keys[i];
    records[i].value = values[i];
  }
  if (!records.empty()) {
    MR_RETURN_IF_ERROR(log_.AppendAndWait(kDeadLetterAuditTopic, 0, records).status());
  }
  return Follow();
}

LetterMark DeadLetterBook::MarkOf(const LetterId& id) const {
  std::lock_guard<std::mutex> lock(mutex_);
  auto found = marks_.find(id);
  return found == marks_.end() ? LetterMark() : found->second;
}

std::vector<AuditEntry> DeadLetterBook::Begun() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<AuditEntry> entries;
  for (const auto& [id, entry] : begun_) entries.push_back(entry);
  return entries;
}

namespace {
template <typename Map>
std::vector<LetterCount> ListOf(const Map& counts) {
  std::vector<LetterCount> list;
  for (const auto& [key, count] : counts) {
    list.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), count});
  }
  return list;
}
}  // namespace

std::vector<LetterCount> DeadLetterBook::Letters() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ListOf(letters_);
}

std::vector<LetterCount> DeadLetterBook::Settled() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return ListOf(settled_);
}

}  // namespace millrace::project
