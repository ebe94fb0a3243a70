#include "serve/replay_sender.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "env/clock.h"

namespace millrace::serve {

using project::AuditAction;
using project::AuditEntry;

namespace {

// Fixed for good: the log knows it from earlier runs. Not of a client (see kClientProducerIdEnd).
constexpr int64_t kReplayProducer = log::kClientProducerIdEnd + 0x646c71;  // "dlq"
constexpr int64_t kBlockBytes = 1 << 20;

int64_t NowMs() {
  return env::Clock::System()->WallMicros() / 1000;
}

// Header names and values lie in a record as varint length and bytes.
bool HasHeader(std::string_view headers, const std::string& id) {
  std::string wanted = kLetterHeader;
  wanted += static_cast<char>(id.size() * 2);  // zigzag; ids are short
  wanted += id;
  return headers.find(wanted) != std::string_view::npos;
}

AuditEntry Ended(AuditEntry replay, AuditAction action, std::string reason) {
  replay.action = action;
  replay.time_ms = NowMs();
  replay.reason = std::move(reason);
  // The beginning tells the bytes.
  replay.before.reset();
  replay.after.reset();
  return replay;
}

}  // namespace

Status ReplaySender::Begin(std::vector<AuditEntry> replays) {
  std::map<std::pair<std::string, int>, int64_t> next;
  for (AuditEntry& replay : replays) {
    auto [it, is_new] = next.try_emplace({replay.topic, replay.partition}, 0);
    if (is_new) {
      MR_ASSIGN_OR_RETURN(it->second,
                          log_.NextSequence(replay.topic, replay.partition, kReplayProducer));
    }
    // Where to look for the record, should we not see where it went.
    MR_ASSIGN_OR_RETURN(log::PartitionInfo at,
                        log_.DescribePartition(replay.topic, replay.partition));
    replay.offset = at.end_offset;
    replay.sequence = it->second++;
  }
  return book_.Write(replays);
}

Status ReplaySender::Finish() {
  std::map<std::pair<std::string, int>, std::vector<AuditEntry>> by_partition;
  for (AuditEntry& replay : book_.Begun()) {
    by_partition[{replay.topic, replay.partition}].push_back(std::move(replay));
  }
  for (auto& [place, replays] : by_partition) {
    std::sort(replays.begin(), replays.end(),
              [](const AuditEntry& a, const AuditEntry& b) { return a.sequence < b.sequence; });
    MR_RETURN_IF_ERROR(FinishPartition(std::move(replays)));
  }
  return Status::Ok();
}

Status ReplaySender::FinishPartition(std::vector<AuditEntry> replays) {
  const std::string topic = replays.front().topic;
  const int partition = replays.front().partition;
  std::vector<AuditEntry> ended;
  auto there = log_.NextSequence(topic, partition, kReplayProducer);
  if (!there.ok()) {
    for (const AuditEntry& replay : replays) {
      ended.push_back(Ended(replay, AuditAction::kAbandoned, there.status().message()));
    }
    return book_.Write(ended);
  }
  std::vector<AuditEntry> missing;
  for (AuditEntry& replay : replays) {
    if (replay.sequence >= *there) {
      missing.push_back(std::move(replay));
      continue;
    }
    MR_ASSIGN_OR_RETURN(int64_t offset, FindRecord(replay));
    ended.push_back(Ended(replay, AuditAction::kReplayed, ""));
    ended.back().offset = offset;
  }
  if (!missing.empty() && missing.front().sequence != *there) {
    for (const AuditEntry& replay : missing) {
      ended.push_back(Ended(replay, AuditAction::kAbandoned,
                            fmt::format("topic \"{}\" was made anew meanwhile", topic)));
    }
    missing.clear();
  }
  if (!missing.empty()) {
    std::vector<std::string> ids;
    for (const AuditEntry& replay : missing) ids.push_back(replay.id.ToString());
    std::vector<log::NewRecord> records(missing.size());
    for (size_t i = 0; i < missing.size(); i++) {
      if (missing[i].key) records[i].key = *missing[i].key;
      if (missing[i].after) records[i].value = *missing[i].after;
      records[i].headers = {{kLetterHeader, ids[i]}};
    }
    auto base =
        log_.AppendAndWait(topic, partition, records, {kReplayProducer, missing.front().sequence});
    bool never = !base.ok() && base.status().code() == Code::kInvalidArgument;
    if (!base.ok() && !never) return base.status();
    for (size_t i = 0; i < missing.size(); i++) {
      ended.push_back(Ended(missing[i], never ? AuditAction::kAbandoned : AuditAction::kReplayed,
                            never ? base.status().message() : ""));
      ended.back().offset = never ? -1 : *base + static_cast<int64_t>(i);
    }
  }
  return book_.Write(ended);
}

Result<int64_t> ReplaySender::FindRecord(const AuditEntry& replay) {
  MR_ASSIGN_OR_RETURN(log::PartitionInfo at,
                      log_.DescribePartition(replay.topic, replay.partition));
  int64_t found = -1;
  int64_t from = std::max(replay.offset, at.start_offset);
  const std::string id = replay.id.ToString();
  while (from < at.end_offset && found < 0) {
    MR_ASSIGN_OR_RETURN(from, log_.Read(replay.topic, replay.partition, from, at.end_offset,
                                        kBlockBytes, [&](std::span<const model::Record> records) {
                                          for (const model::Record& record : records) {
                                            if (found < 0 && HasHeader(record.headers, id))
                                              found = record.offset;
                                          }
                                        }));
  }
  return found;
}

}  // namespace millrace::serve
