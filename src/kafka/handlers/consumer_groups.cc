// ConsumerGroupHeartbeat and ConsumerGroupDescribe: groups whose partitions the server assigns.
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"
#include "kafka/topic_ids.h"

namespace millrace::kafka {

namespace {

// Partitions of topics that are gone are left out: nobody has them any more.
Partitions NamesOf(const log::Log& log, const std::vector<AssignedTopic>& topics) {
  Partitions found;
  for (const AssignedTopic& topic : topics) {
    const auto info = FindTopic(log, topic.id);
    if (!info) continue;
    for (const int32_t partition : topic.partitions) found.insert({info->name, partition});
  }
  return found;
}

ConsumerGroupHeartbeatResponse::Assignment ById(const log::Log& log, const Partitions& partitions) {
  ConsumerGroupHeartbeatResponse::Assignment assignment;
  for (auto& [topic, numbers] : ByTopic(partitions)) {
    const auto info = log.Describe(topic);
    if (info.ok()) assignment.topics.push_back({IdOf(*info), std::move(numbers)});
  }
  return assignment;
}

ConsumerGroupDescribeResponse::Assignment Named(const log::Log& log, const Partitions& partitions) {
  ConsumerGroupDescribeResponse::Assignment assignment;
  for (auto& [topic, numbers] : ByTopic(partitions)) {
    const auto info = log.Describe(topic);
    if (info.ok()) assignment.topics.push_back({IdOf(*info), topic, std::move(numbers)});
  }
  return assignment;
}

// kNone, or the first topic's error that the client may not see.
ErrorCode CheckTopics(const Services& services, const CallPtr& call,
                      const std::optional<std::vector<std::string>>& topics) {
  if (!topics) return kNone;
  for (const std::string& topic : *topics) {
    const ErrorCode refused = CheckTopic(services, call, AclOperation::kDescribe, topic);
    if (refused != kNone) return refused;
  }
  return kNone;
}

ConsumerGroupDescribeResponse::Group Describe(const log::Log& log, const std::string& id,
                                              const ConsumerGroup& group) {
  ConsumerGroupDescribeResponse::Group to;
  to.group_id = id;
  to.state = group.StateName();
  to.epoch = to.assignment_epoch = group.epoch();
  to.assignor = group.assignor();
  for (const auto& [member_id, member] : group.members()) {
    auto& described = to.members.emplace_back();
    described.member_id = member_id;
    described.instance_id = member.instance_id;
    described.rack_id = member.rack_id;
    described.member_epoch = member.epoch;
    described.client_id = member.client_id;
    described.client_host = member.host;
    described.topics = member.topics;
    if (!member.topic_regex.empty()) described.topic_regex = member.topic_regex;
    described.assigned = Named(log, member.assigned);
    described.target = Named(log, member.target);
  }
  return to;
}

ConsumerGroupHeartbeatResponse ResponseOf(const log::Log& log, const BeatAnswer& answer) {
  ConsumerGroupHeartbeatResponse response;
  response.error_code = answer.error;
  if (answer.error != kNone) {
    response.error_message = answer.message;
    return response;
  }
  response.member_id = answer.member_id;
  response.member_epoch = answer.epoch;
  response.heartbeat_interval_ms = GroupCoordinator::kHeartbeatIntervalMs;
  if (answer.assignment) response.assignment = ById(log, *answer.assignment);
  return response;
}

}  // namespace

void HandleConsumerGroupHeartbeat(Services& services, const ConsumerGroupHeartbeatRequest& request,
                                  const CallPtr& call) {
  ConsumerGroupHeartbeatResponse response;
  response.error_code = CheckGroup(services, call, AclOperation::kRead, request.group_id);
  if (response.error_code == kNone) {
    response.error_code = CheckTopics(services, call, request.topics);
  }
  if (response.error_code != kNone) {
    call->Answer(response);
    return;
  }
  MemberBeat beat;
  beat.member_id = request.member_id;
  beat.epoch = request.member_epoch;
  beat.client_id = call->client_id();
  beat.host = call->session().address;
  beat.instance_id = request.instance_id;
  beat.rack_id = request.rack_id;
  beat.rebalance_timeout_ms = request.rebalance_timeout_ms;
  beat.topics = request.topics;
  beat.topic_regex = request.topic_regex;
  beat.assignor = request.assignor;
  if (request.owned) beat.owned = NamesOf(services.log, *request.owned);
  services.groups.Beat(request.group_id, std::move(beat), services.now_ms(),
                       [call, &log = services.log](const BeatAnswer& answer) {
                         auto told = ResponseOf(log, answer);
                         call->Answer(told);
                       });
}

void HandleConsumerGroupDescribe(Services& services, const ConsumerGroupDescribeRequest& request,
                                 const CallPtr& call) {
  ConsumerGroupDescribeResponse response;
  for (const std::string& id : request.groups) {
    auto& group = response.groups.emplace_back();
    group.group_id = id;
    group.error_code = CheckGroup(services, call, AclOperation::kDescribe, id);
    if (group.error_code != kNone) continue;
    const bool found = services.groups.Visit(
        id, [&](const ConsumerGroup& known) { group = Describe(services.log, id, known); });
    if (found) continue;
    group.error_code = kGroupIdNotFound;
    group.error_message = "no group \"" + id + "\" whose partitions the server assigns";
  }
  call->Answer(response);
}

}  // namespace millrace::kafka
