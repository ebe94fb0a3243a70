// GroupCoordinator: all consumer groups that have members, of either protocol. Offsets are
// OffsetStore's. A group is of the protocol of its first member until it is empty.
//
// Contract: any thread. Callbacks are called under its lock and must only pass the answer on.
// Member ids and generations live in memory: after a restart clients get UNKNOWN_MEMBER_ID and join
// again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kafka/consumer_group.h"
#include "kafka/group.h"
#include "kafka/messages/consumer_groups.h"

namespace millrace::kafka {

class GroupCoordinator {
 public:
  static constexpr int32_t kHeartbeatIntervalMs = 1000;  // of KIP-848's members

  // `start_us` makes member ids unlike those of earlier runs.
  GroupCoordinator(int64_t start_us, TopicView topics)
      : start_us_(start_us), topics_(std::move(topics)) {}

  void Join(const JoinGroupRequest& request, MemberIdentity identity, int64_t now_ms,
            JoinDone done);
  void Sync(const SyncGroupRequest& request, int64_t now_ms, SyncDone done);
  ErrorCode Heartbeat(const HeartbeatRequest& request, int64_t now_ms);
  LeaveGroupResponse Leave(const LeaveGroupRequest& request, int version, int64_t now_ms);
  ErrorCode CheckCommit(const OffsetCommitRequest& request, int64_t now_ms);
  // KIP-848.
  BeatAnswer Beat(const std::string& group_id, MemberBeat beat, int64_t now_ms);
  // Whether a member may fetch the group's offsets; of the classic protocol, whoever it is may.
  ErrorCode CheckFetch(const std::string& group_id, const std::string& member_id, int32_t epoch);
  // Calls `visit` for the group under the lock; false when there is none of this protocol.
  bool Visit(const std::string& group_id, const std::function<void(const ConsumerGroup&)>& visit);
  void Tick(int64_t now_ms);

  // Nullopt when nobody is in it.
  std::optional<DescribeGroupsResponse::Group> Describe(const std::string& group_id) const;
  std::vector<ListGroupsResponse::Group> List() const;
  // Groups with members, which may not be deleted.
  bool HasMembers(const std::string& group_id) const;
  // Drops every group and what waits in it unanswered: the server stops.
  void Clear();

 private:
  Group* Find(const std::string& group_id);
  ConsumerGroup* FindConsumers(const std::string& group_id);

  const int64_t start_us_;
  const TopicView topics_;
  mutable std::mutex mutex_;
  std::map<std::string, ConsumerGroup> consumers_;  // none of them in groups_
  std::map<std::string, std::unique_ptr<Group>> groups_;
  int64_t next_member_ = 1;
};

}  // namespace millrace::kafka
