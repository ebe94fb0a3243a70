#include "kafka/server_state.h"

#include <algorithm>
#include <map>

#include "kafka/services.h"
#include "kafka/stored_message.h"
#include "kafka/topic_partitions.h"

namespace millrace::kafka {

namespace {

// What a leader of the classic protocol assigns to a member.
// Source: Kafka's ConsumerProtocolAssignment.json, whose later versions only append.
struct AssignmentBytes {
  int16_t version = 0;
  std::vector<TopicPartitions> topics;
  template <class Io>
  void Visit(Io& io) {
    io(version, topics);
  }
};

std::vector<TopicPartition> PartitionsIn(const std::string& assignment) {
  std::vector<TopicPartition> partitions;
  if (assignment.empty()) return partitions;
  AssignmentBytes bytes;
  if (!DecodeStored(assignment, &bytes))
    return partitions;  // of a client that means something else by it
  for (const auto& topic : bytes.topics) {
    for (const int32_t partition : topic.partitions) partitions.push_back({topic.name, partition});
  }
  return partitions;
}

void AddClassic(Services& services, ServerState::Group& group) {
  const auto described = services.groups.Describe(group.id);
  if (!described) return;
  group.state = described->state;
  group.assignor = described->protocol;
  for (const auto& member : described->members) {
    // Members of other protocols (Connect's workers) have no partitions.
    const bool consumer = described->protocol_type == "consumer";
    group.members.push_back(
        {member.member_id, member.group_instance_id, member.client_id, member.client_host,
         consumer ? PartitionsIn(member.assignment.value) : std::vector<TopicPartition>()});
  }
}

void AddConsumers(Services& services, ServerState::Group& group) {
  services.groups.Visit(group.id, [&](const ConsumerGroup& known) {
    group.state = known.StateName();
    group.assignor = known.assignor();
    for (const auto& [id, member] : known.members()) {
      group.members.push_back({id,
                               member.instance_id,
                               member.client_id,
                               member.host,
                               {member.assigned.begin(), member.assigned.end()}});
    }
  });
}

std::vector<ServerState::Group> GroupsOf(Services& services) {
  std::map<std::string, ServerState::Group> groups;
  for (const std::string& id : services.offsets->Groups()) {
    groups[id] = {id, "Empty", "classic", "", {}};
  }
  for (const auto& listed : services.groups.List()) {
    groups[listed.group_id] = {listed.group_id, listed.state, listed.type, "", {}};
  }
  std::vector<ServerState::Group> all;
  for (auto& [id, group] : groups) {
    if (group.protocol == "consumer") {
      AddConsumers(services, group);
    } else {
      AddClassic(services, group);
    }
    all.push_back(std::move(group));
  }
  return all;
}

void AddOffsets(Services& services, const ServerState::Group& group, ServerState& state) {
  std::map<TopicPartition, ServerState::GroupOffset> offsets;
  for (const auto& [at, committed] : services.offsets->Find(group.id)) {
    offsets[at].committed = committed.offset;
    offsets[at].commit_ms = committed.commit_ms;
  }
  for (const ServerState::Member& member : group.members) {
    for (const TopicPartition& at : member.assigned) offsets[at].client_id = member.client_id;
  }
  for (auto& [at, offset] : offsets) {
    offset.group = group.id;
    offset.at = at;
    const auto info = services.log.DescribePartition(at.topic, at.partition);
    if (info.ok()) offset.log_end = info->end_offset;
    state.offsets.push_back(std::move(offset));
  }
}

}  // namespace

std::optional<int64_t> ServerState::GroupOffset::lag() const {
  if (!committed || !log_end) return std::nullopt;
  return std::max<int64_t>(0, *log_end - *committed);
}

ServerState StateOf(Services& services) {
  ServerState state;
  state.now_ms = services.clock.WallMicros() / 1000;
  state.groups = GroupsOf(services);
  for (const ServerState::Group& group : state.groups) AddOffsets(services, group, state);
  for (const auto& [id, record] : services.transactions.Transactions()) {
    if (!record.open()) continue;
    state.transactions.push_back({id,
                                  record.producer_id,
                                  record.epoch,
                                  TransactionStatusName(record.status),
                                  record.started_ms,
                                  record.timeout_ms,
                                  {record.partitions.begin(), record.partitions.end()}});
  }
  std::lock_guard lock(services.connections_mutex);
  state.connections = services.connections;
  return state;
}

}  // namespace millrace::kafka
