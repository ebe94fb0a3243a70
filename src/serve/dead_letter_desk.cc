#include "serve/dead_letter_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "env/clock.h"
#include "format/decoder.h"
#include "job/job.h"
#include "serve/event_validator.h"
#include "serve/letter_editor.h"

namespace millrace::serve {

using project::AuditAction;
using project::AuditEntry;
using project::LetterId;
using project::LetterMark;
using Action = DeskRequest::Action;

namespace {

constexpr int64_t kBytesPerCall = 8 << 20;
constexpr int64_t kBlockBytes = 1 << 20;

int64_t NowMs() {
  return env::Clock::System()->WallMicros() / 1000;
}

std::string JsonBytes(const char* name, const std::string& bytes) {
  if (IsValidUtf8(bytes)) return fmt::format(",\"{}\":{}", name, JsonQuote(bytes));
  return fmt::format(",\"{}_base64\":\"{}\"", name, Base64(bytes));
}

// `{"id":…,"state":…,` before the fields that the letter has by itself.
std::string WithMark(const LetterId& id, const LetterMark& mark, std::string_view letter_json) {
  std::string out = fmt::format("{{\"id\":\"{}\",\"state\":\"{}\",\"attempts\":{}", id.ToString(),
                                LetterStateName(mark.state), mark.attempts);
  if (mark.time_ms >= 0) {
    out += fmt::format(
        ",\"last\":{{\"time_ms\":{},\"who\":{},\"reason\":{},\"topic\":{},"
        "\"partition\":{},\"offset\":{}}}",
        mark.time_ms, JsonQuote(mark.who), JsonQuote(mark.reason),
        mark.topic.empty() ? "null" : JsonQuote(mark.topic),
        mark.partition < 0 ? "null" : std::to_string(mark.partition),
        mark.offset < 0 ? "null" : std::to_string(mark.offset));
  }
  if (mark.edited_value) out += JsonBytes("edited_value", *mark.edited_value);
  letter_json.remove_prefix(1);  // its '{'
  return out + "," + std::string(letter_json);
}

std::string SettledText(const LetterMark& mark) {
  if (mark.state == project::LetterState::kDiscarded) {
    return fmt::format("was discarded already: {}", mark.reason);
  }
  return fmt::format("was replayed already, to {} {}/{}", mark.topic, mark.partition,
                     mark.offset < 0 ? "?" : std::to_string(mark.offset));
}

}  // namespace

struct DeadLetterDesk::Work {
  LetterId id;
  model::DeadLetter letter;
  LetterMark mark;
  std::string value = {};  // what is to be sent, as an event
  std::optional<std::string> record = {};  // what is sent for it, unless that is the event itself
  std::optional<std::string> key = {};
  int partition = -1;
  bool refused = false;
  std::string reason = {};  // why it is refused, or (of an edit) would be
  bool counts = false;      // as an attempt: refused by today's validation
  bool edited = false;
  int64_t offset = -1;

  void Refuse(std::string why) {
    refused = true;
    reason = std::move(why);
  }
};

DeadLetterDesk::DeadLetterDesk(log::Log& log, project::DeadLetterBook& book,
                               duck::Warehouse& warehouse, TopicSchemaFinder schema_of)
    : log_(log),
      book_(book),
      warehouse_(warehouse),
      schema_of_(std::move(schema_of)),
      sender_(log, book) {}

Status DeadLetterDesk::FinishBegun() {
  std::lock_guard<std::mutex> lock(mutex_);
  MR_RETURN_IF_ERROR(book_.Follow());
  return sender_.Finish();
}

// Calls `visit` for each letter until it returns false.
Status DeadLetterDesk::ReadLetters(
    int partition, int64_t from, int64_t to,
    const std::function<bool(const LetterId&, std::string_view)>& visit) {
  bool more = true;
  while (more && from < to) {
    MR_ASSIGN_OR_RETURN(from,
                        log_.Read(job::kDeadLetterTopic, partition, from, to, kBlockBytes,
                                  [&](std::span<const model::Record> records) {
                                    for (const model::Record& record : records) {
                                      if (more)
                                        more = visit({partition, record.offset}, record.value);
                                    }
                                  }));
  }
  return Status::Ok();
}

Result<std::vector<DeadLetterDesk::Work>> DeadLetterDesk::Select(const DeskRequest& request,
                                                                 std::string& next) {
  std::vector<Work> works;
  int64_t bytes = 0;
  Status fault;
  MR_ASSIGN_OR_RETURN(log::TopicInfo info, log_.Describe(job::kDeadLetterTopic));
  auto take = [&](const LetterId& id, std::string_view json) {
    auto letter = project::ParseDeadLetter(json);
    if (!letter.ok()) {
      if (!request.filtered) fault = letter.status();
      return true;
    }
    Work work{id, std::move(*letter), book_.MarkOf(id)};
    if (request.filtered &&
        (!request.filter.Matches(work.letter) || (work.mark.settled() && !request.again))) {
      return true;
    }
    if (works.size() >= request.limit || bytes >= kBytesPerCall) {
      next = works.back().id.ToString();
      return false;
    }
    bytes += static_cast<int64_t>(work.letter.payload.size());
    works.push_back(std::move(work));
    return true;
  };
  for (const LetterId& id : request.ids) {
    if (request.after && id <= *request.after) continue;
    auto at = log_.DescribePartition(job::kDeadLetterTopic, id.partition);
    if (!at.ok() || id.offset < at->start_offset || id.offset >= at->end_offset) {
      return Status(Code::kNotFound, fmt::format("there is no dead letter {}", id.ToString()))
          .WithHint("retention may have taken it; see: millrace dlq ls");
    }
    MR_RETURN_IF_ERROR(ReadLetters(id.partition, id.offset, id.offset + 1, take));
    MR_RETURN_IF_ERROR(fault);
    if (!next.empty()) return works;
  }
  for (int p = 0; request.filtered && p < info.config.partitions && next.empty(); p++) {
    if (request.after && p < request.after->partition) continue;
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_.DescribePartition(job::kDeadLetterTopic, p));
    int64_t from = at.start_offset;
    if (request.after && p == request.after->partition) {
      from = std::max(from, request.after->offset + 1);
    }
    MR_RETURN_IF_ERROR(ReadLetters(p, from, at.end_offset, take));
  }
  return works;
}

// What no validation needs to be asked for.
Status DeadLetterDesk::Refuse(const DeskRequest& request, std::vector<Work>& works) {
  bool sends = request.action == Action::kRetry || request.action == Action::kReplay;
  for (Work& work : works) {
    work.edited = request.action == Action::kReplay && work.mark.edited_value.has_value();
    work.value = work.edited ? *work.mark.edited_value : work.letter.payload;
    if (work.mark.settled() && !request.again) {
      work.Refuse(SettledText(work.mark) + "; --again does it once more");
    } else if (request.action == Action::kDiscard) {
      continue;
    } else if (work.letter.topic.empty() || !log_.Describe(work.letter.topic).ok()) {
      work.Refuse(
          fmt::format("it came from \"{}\", which is no topic of the log", work.letter.topic));
    } else if (sends && work.letter.kind == model::RowErrorKind::kLate && !request.late) {
      work.Refuse("it was late, and would be late again; --late sends it all the same");
    }
  }
  return Status::Ok();
}

Status DeadLetterDesk::Edit(const DeskRequest& request, std::vector<Work>& works) {
  auto make = [&]() -> Result<LetterEditor> {
    if (request.value) return LetterEditor::ForValue(*request.value);
    if (!request.patch.empty()) return LetterEditor::ForPatch(request.patch);
    return LetterEditor::ForAssignments(request.set, warehouse_);
  };
  MR_ASSIGN_OR_RETURN(LetterEditor editor, make());
  for (Work& work : works) {
    if (work.refused) continue;
    // A second edit goes on from the first.
    if (work.mark.edited_value) work.value = *work.mark.edited_value;
    std::shared_ptr<const TopicSchema> schema = schema_of_(work.letter.topic);
    auto edited = editor.Apply(work.value, schema ? &schema->schema : nullptr);
    if (edited.ok()) {
      work.value = std::move(*edited);
      work.edited = true;
    } else {
      std::string hint = edited.status().hint();
      work.Refuse(edited.status().message() + (hint.empty() ? "" : "; " + hint));
    }
  }
  return Status::Ok();
}

Status DeadLetterDesk::Validate(std::vector<Work>& works, bool edits) {
  std::map<std::string, std::vector<Work*>> by_topic;
  for (Work& work : works) {
    if (!work.refused) by_topic[work.letter.topic].push_back(&work);
  }
  for (const auto& [topic, some] : by_topic) MR_RETURN_IF_ERROR(ValidateTopic(topic, some, edits));
  return Status::Ok();
}

// As the collector: decoder, NOT NULL, CHECKs; then key and partition.
Status DeadLetterDesk::ValidateTopic(const std::string& topic, const std::vector<Work*>& works,
                                     bool edits) {
  std::shared_ptr<const TopicSchema> schema = schema_of_(topic);
  MR_ASSIGN_OR_RETURN(log::TopicInfo info, log_.Describe(topic));
  MR_ASSIGN_OR_RETURN(auto validator, EventValidator::New(schema, format::NewDecoder));
  std::vector<std::string> padded;
  std::vector<std::string_view> events;
  for (const Work* work : works) {
    padded.push_back(work->value + std::string(model::kRecordPadding, '\0'));
    events.emplace_back(padded.back().data(), work->value.size());
  }
  // The strings may have moved while the vector grew.
  for (size_t i = 0; i < works.size(); i++) events[i] = {padded[i].data(), works[i]->value.size()};
  Verdict verdict;
  MR_RETURN_IF_ERROR(validator->Validate(events, verdict));
  for (const model::RowError& error : verdict.errors) {
    Work& work = *works[error.record_index];
    std::string reason = error.column.empty()
                             ? error.message
                             : fmt::format("column \"{}\": {}", error.column, error.message);
    if (edits) {
      work.reason = reason;
    } else {
      work.Refuse(reason);
      work.counts = true;
    }
  }
  for (size_t i = 0; i < works.size(); i++) {
    Work& work = *works[i];
    // The record's own key, unless the edit may have changed the column that keys it.
    const bool encoded = schema && schema->encoded_as;
    bool own =
        work.letter.key && !encoded && (!work.edited || !schema || schema->key_column.empty());
    work.key = work.letter.key;
    if (!own && verdict.keys[i]) work.key = std::string(*verdict.keys[i]);
    if (!verdict.values.empty()) work.record = std::string(verdict.values[i]);
    bool stays = work.key == work.letter.key && work.letter.partition >= 0 &&
                 work.letter.partition < info.config.partitions;
    work.partition = stays      ? work.letter.partition
                     : work.key ? log::PartitionForKey(*work.key, info.config.partitions)
                                : 0;
  }
  return Status::Ok();
}

Status DeadLetterDesk::Replay(const DeskRequest& request, std::vector<Work>& works) {
  std::vector<AuditEntry> replays;
  for (const Work& work : works) {
    if (work.refused) continue;
    AuditEntry entry{work.id, AuditAction::kReplay, NowMs(), request.who};
    entry.kind = model::RowErrorKindName(work.letter.kind);
    entry.edited = work.edited;
    entry.topic = work.letter.topic;
    entry.partition = work.partition;
    entry.key = work.key;
    entry.before = work.letter.payload;
    entry.after = work.record ? *work.record : work.value;
    replays.push_back(std::move(entry));
  }
  if (replays.empty()) return Status::Ok();
  MR_RETURN_IF_ERROR(sender_.Begin(std::move(replays)));
  MR_RETURN_IF_ERROR(sender_.Finish());
  for (Work& work : works) {
    if (work.refused) continue;
    LetterMark mark = book_.MarkOf(work.id);
    if (!mark.settled()) work.Refuse(mark.reason);
    work.offset = mark.offset;
  }
  return Status::Ok();
}

// Entries for what is neither sent nor refused before it was looked at.
Status DeadLetterDesk::WriteAudit(const DeskRequest& request, const std::vector<Work>& works) {
  std::vector<AuditEntry> entries;
  for (const Work& work : works) {
    if (work.refused && !work.counts) continue;
    AuditEntry entry{work.id, AuditAction::kRefused, NowMs(), request.who};
    entry.kind = model::RowErrorKindName(work.letter.kind);
    entry.topic = work.letter.topic;
    entry.reason = work.reason;
    if (!work.refused) {
      if (request.action == Action::kEdit) {
        entry.action = AuditAction::kEdit;
        entry.edited = true;
        entry.before = work.letter.payload;
        entry.after = work.value;
      } else if (request.action == Action::kDiscard) {
        entry.action = AuditAction::kDiscard;
        entry.reason = request.reason;
        entry.before = work.letter.payload;
      } else {
        continue;  // sent: the sender wrote it
      }
    }
    entries.push_back(std::move(entry));
  }
  return entries.empty() ? Status::Ok() : book_.Write(entries);
}

Result<std::string> DeadLetterDesk::Act(std::string_view request_json) {
  MR_ASSIGN_OR_RETURN(DeskRequest request, DeskRequest::Parse(request_json));
  std::lock_guard<std::mutex> lock(mutex_);
  MR_RETURN_IF_ERROR(book_.Follow());
  MR_RETURN_IF_ERROR(sender_.Finish());
  std::string next;
  MR_ASSIGN_OR_RETURN(std::vector<Work> works, Select(request, next));
  MR_RETURN_IF_ERROR(Refuse(request, works));
  if (request.action == Action::kEdit) MR_RETURN_IF_ERROR(Edit(request, works));
  if (request.action != Action::kDiscard) {
    MR_RETURN_IF_ERROR(Validate(works, request.action == Action::kEdit));
  }
  bool sends = request.action == Action::kRetry || request.action == Action::kReplay;
  if (!request.dry_run) {
    MR_RETURN_IF_ERROR(WriteAudit(request, works));
    if (sends) MR_RETURN_IF_ERROR(Replay(request, works));
  }
  constexpr const char* kDone[] = {"replayed", "replayed", "edited", "discarded"};
  constexpr const char* kWould[] = {"would replay", "would replay", "would edit", "would discard"};
  auto which = static_cast<size_t>(request.action);
  std::string list;
  int64_t done = 0;
  for (const Work& work : works) {
    done += work.refused ? 0 : 1;
    const char* outcome = work.refused ? "refused" : request.dry_run ? kWould[which] : kDone[which];
    list += fmt::format("{}{{\"id\":\"{}\",\"outcome\":\"{}\",\"reason\":{}",
                        list.empty() ? "" : ",", work.id.ToString(), outcome,
                        work.reason.empty() ? "null" : JsonQuote(work.reason));
    if (!work.refused && sends) {
      list +=
          fmt::format(",\"topic\":{},\"partition\":{},\"offset\":{}", JsonQuote(work.letter.topic),
                      work.partition, work.offset < 0 ? "null" : std::to_string(work.offset));
    }
    if (!work.refused && request.action != Action::kDiscard) list += JsonBytes("value", work.value);
    list += "}";
  }
  return fmt::format("{{\"done\":{},\"refused\":{},\"dry_run\":{},\"letters\":[{}],\"next\":{}}}",
                     done, static_cast<int64_t>(works.size()) - done, request.dry_run, list,
                     next.empty() ? "null" : JsonQuote(next));
}

Result<std::string> DeadLetterDesk::NewestJson(int64_t limit) {
  MR_RETURN_IF_ERROR(book_.Follow());
  std::vector<std::pair<int64_t, std::string>> letters;
  auto info = log_.Describe(job::kDeadLetterTopic);
  if (!info.ok()) return std::string("[]");
  for (int p = 0; p < info->config.partitions; p++) {
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at, log_.DescribePartition(job::kDeadLetterTopic, p));
    auto take = [&](const LetterId& id, std::string_view json) {
      auto letter = project::ParseDeadLetter(json);
      if (letter.ok()) letters.emplace_back(letter->time_ms, WithMark(id, book_.MarkOf(id), json));
      return true;
    };
    int64_t from = std::max(at.start_offset, at.end_offset - limit);
    MR_RETURN_IF_ERROR(ReadLetters(p, from, at.end_offset, take));
  }
  std::reverse(letters.begin(), letters.end());
  if (info->config.partitions > 1) {
    std::stable_sort(letters.begin(), letters.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
  }
  if (letters.size() > static_cast<size_t>(limit)) letters.resize(static_cast<size_t>(limit));
  std::string list;
  for (const auto& [time_ms, json] : letters) list += (list.empty() ? "" : ",") + json;
  return "[" + list + "]";
}

Result<std::string> DeadLetterDesk::LetterJson(const std::string& id_text) {
  MR_ASSIGN_OR_RETURN(LetterId id, LetterId::Parse(id_text));
  MR_RETURN_IF_ERROR(book_.Follow());
  std::string letter;
  auto at = log_.DescribePartition(job::kDeadLetterTopic, id.partition);
  if (at.ok() && id.offset >= at->start_offset && id.offset < at->end_offset) {
    MR_RETURN_IF_ERROR(ReadLetters(id.partition, id.offset, id.offset + 1,
                                   [&](const LetterId&, std::string_view json) {
                                     letter = WithMark(id, book_.MarkOf(id), json);
                                     return false;
                                   }));
  }
  if (letter.empty()) {
    return Status(Code::kNotFound, fmt::format("there is no dead letter {}", id.ToString()))
        .WithHint("retention may have taken it; see: millrace dlq ls");
  }
  std::string audit;
  MR_ASSIGN_OR_RETURN(log::PartitionInfo entries,
                      log_.DescribePartition(project::kDeadLetterAuditTopic, 0));
  for (int64_t from = entries.start_offset; from < entries.end_offset;) {
    MR_ASSIGN_OR_RETURN(from, log_.Read(project::kDeadLetterAuditTopic, 0, from, entries.end_offset,
                                        kBlockBytes, [&](std::span<const model::Record> records) {
                                          for (const model::Record& record : records) {
                                            if (record.key != id.ToString()) continue;
                                            audit += audit.empty() ? "" : ",";
                                            audit += record.value;
                                          }
                                        }));
  }
  letter.pop_back();  // its '}'
  return letter + ",\"audit\":[" + audit + "]}";
}

}  // namespace millrace::serve
