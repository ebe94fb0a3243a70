// GroupCoordinator: all consumer groups that have members. Offsets are OffsetStore's.
//
// Contract: any thread. Callbacks are called under its lock and must only pass the answer on.
// Member ids and generations live in memory: after a restart clients get UNKNOWN_MEMBER_ID and join
// again.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kafka/group.h"

namespace millrace::kafka {

class GroupCoordinator {
 public:
  // `start_us` makes member ids unlike those of earlier runs.
  explicit GroupCoordinator(int64_t start_us) : start_us_(start_us) {}

  void Join(const JoinGroupRequest& request, MemberIdentity identity, int64_t now_ms,
            JoinDone done);
  void Sync(const SyncGroupRequest& request, int64_t now_ms, SyncDone done);
  ErrorCode Heartbeat(const HeartbeatRequest& request, int64_t now_ms);
  LeaveGroupResponse Leave(const LeaveGroupRequest& request, int version, int64_t now_ms);
  ErrorCode CheckCommit(const OffsetCommitRequest& request, int64_t now_ms);
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

  const int64_t start_us_;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Group>> groups_;
  int64_t next_member_ = 1;
};

}  // namespace millrace::kafka
