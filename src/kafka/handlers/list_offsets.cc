// ListOffsets and OffsetForLeaderEpoch: positions by time, and where the log ends.
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr int64_t kLatest = -1;
constexpr int64_t kEarliest = -2;
constexpr int64_t kMaxTimestamp = -3;

// The time of the record at `offset`, or of the first behind it.
Result<int64_t> TimestampAt(log::Log& log, const std::string& topic, int partition,
                            int64_t offset) {
  int64_t timestamp_ms = -1;
  const auto visit = [&](std::span<const model::Record> records) {
    if (timestamp_ms == -1 && !records.empty()) timestamp_ms = records.front().timestamp_ms;
  };
  MR_RETURN_IF_ERROR(log.Read(topic, partition, offset, offset + 1, 1, visit).status());
  return timestamp_ms;
}

Status Find(log::Log& log, const std::string& topic, int64_t timestamp, bool committed,
            ListOffsetsResponse::Partition& to) {
  MR_ASSIGN_OR_RETURN(const auto info, log.DescribePartition(topic, to.index));
  to.leader_epoch = kLeaderEpoch;
  const int64_t end = committed ? info.stable_offset : info.end_offset;
  if (timestamp == kLatest || timestamp == kEarliest) {
    to.offset = timestamp == kLatest ? end : info.start_offset;
    return {};
  }
  if (timestamp == kMaxTimestamp) timestamp = info.newest_timestamp_ms;
  if (end == info.start_offset) return {};
  MR_ASSIGN_OR_RETURN(const int64_t offset, log.OffsetForTime(topic, to.index, timestamp));
  if (offset >= end) return {};  // -1: nothing so late
  MR_ASSIGN_OR_RETURN(to.timestamp, TimestampAt(log, topic, to.index, offset));
  to.offset = offset;
  return {};
}

}  // namespace

void HandleListOffsets(Services& services, const ListOffsetsRequest& request, const CallPtr& call) {
  constexpr int8_t kReadCommitted = 1;
  const bool committed = request.isolation_level == kReadCommitted;
  ListOffsetsResponse response;
  for (const auto& topic : request.topics) {
    auto& to_topic = response.topics.emplace_back();
    to_topic.name = topic.name;
    const ErrorCode refused = CheckTopic(services, call, AclOperation::kDescribe, topic.name);
    for (const auto& partition : topic.partitions) {
      auto& to = to_topic.partitions.emplace_back();
      to.index = partition.index;
      to.error_code = refused;
      if (refused != kNone) continue;
      const bool special_known = partition.timestamp >= kMaxTimestamp;
      const Status status =
          special_known ? Find(services.log, topic.name, partition.timestamp, committed, to)
                        : Status(Code::kUnsupported, "a special timestamp that is not known");
      to.error_code = ErrorOf(status);
      if (partition.current_leader_epoch > kLeaderEpoch) to.error_code = kUnknownLeaderEpoch;
      if (to.offset >= 0) to.old_style_offsets.push_back(to.offset);
    }
  }
  call->Answer(response);
}

void HandleOffsetForLeaderEpoch(Services& services, const OffsetForLeaderEpochRequest& request,
                                const CallPtr& call) {
  OffsetForLeaderEpochResponse response;
  for (const auto& topic : request.topics) {
    auto& to_topic = response.topics.emplace_back();
    to_topic.name = topic.name;
    const ErrorCode refused = CheckTopic(services, call, AclOperation::kDescribe, topic.name);
    for (const auto& partition : topic.partitions) {
      auto& to = to_topic.partitions.emplace_back();
      to.index = partition.index;
      to.error_code = refused;
      if (refused != kNone) continue;
      const auto info = services.log.DescribePartition(topic.name, partition.index);
      to.error_code = ErrorOf(info.status());
      if (partition.current_leader_epoch > kLeaderEpoch) to.error_code = kUnknownLeaderEpoch;
      if (to.error_code != kNone || partition.leader_epoch != kLeaderEpoch) continue;
      to.leader_epoch = kLeaderEpoch;
      to.end_offset = info->end_offset;
    }
  }
  call->Answer(response);
}

}  // namespace millrace::kafka
