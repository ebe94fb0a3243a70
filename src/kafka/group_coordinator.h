// GroupCoordinator: all consumer groups that have members, of either protocol. Offsets are
// OffsetStore's. A group is of the protocol of its first member until it is empty.
//
// Contract: any thread. Callbacks are called once, under its lock or from the log's committer, and
// must only pass the answer on. Who is in a group is kept in the OffsetStore: an answer that tells
// a member its partitions comes when that is on stable storage, so that members stay what they are
// through a restart. A rebalance of the classic protocol that it interrupts begins anew.
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
#include "kafka/offset_store.h"

namespace millrace::kafka {

using BeatDone = std::function<void(const BeatAnswer&)>;

class GroupCoordinator {
 public:
  static constexpr int32_t kHeartbeatIntervalMs = 1000;  // of KIP-848's members

  // `start_us` makes member ids unlike those of earlier runs; `store` outlives this.
  GroupCoordinator(int64_t start_us, TopicView topics, OffsetStore& store)
      : start_us_(start_us), topics_(std::move(topics)), store_(store) {}

  // Takes over the groups of earlier runs, before the first client.
  void Recover(int64_t now_ms);

  void Join(const JoinGroupRequest& request, MemberIdentity identity, int64_t now_ms,
            JoinDone done);
  void Sync(const SyncGroupRequest& request, int64_t now_ms, SyncDone done);
  ErrorCode Heartbeat(const HeartbeatRequest& request, int64_t now_ms);
  LeaveGroupResponse Leave(const LeaveGroupRequest& request, int version, int64_t now_ms);
  ErrorCode CheckCommit(const OffsetCommitRequest& request, int64_t now_ms);
  // KIP-848.
  void Beat(const std::string& group_id, MemberBeat beat, int64_t now_ms, BeatDone done);
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
  using Answers = std::vector<std::function<void()>>;
  // A write of what changed, and the answers that come when it has ended: those that tell of it,
  // and those that were due meanwhile, which may.
  class Writing {
   public:
    explicit Writing(Answers answers) : answers_(std::move(answers)) {}
    // False when it has ended already.
    bool Add(Answers& answers);
    void End();

   private:
    std::mutex mutex_;
    bool ended_ = false;
    Answers answers_;
  };
  using Groups = std::map<std::string, std::unique_ptr<Group>>;
  using ConsumerGroups = std::map<std::string, ConsumerGroup>;

  Group* Find(const std::string& group_id);
  ConsumerGroup* FindConsumers(const std::string& group_id);
  BeatAnswer BeatLocked(const std::string& group_id, MemberBeat beat, int64_t now_ms,
                        std::vector<KeptChange>& changes);
  void RecoverConsumers(int64_t now_ms);
  // What changed of a group that is to be kept.
  static std::vector<KeptChange> ChangesOf(const std::string& group_id, Group& group);
  // Gives the answers that wait, once the changes are on stable storage.
  void Keep(std::vector<KeptChange> changes);

  const int64_t start_us_;
  const TopicView topics_;
  OffsetStore& store_;
  mutable std::mutex mutex_;
  ConsumerGroups consumers_;  // none of them in groups_
  Groups groups_;
  Answers answers_;                   // that wait for Keep
  std::shared_ptr<Writing> writing_;  // the newest
  int64_t next_member_ = 1;
};

}  // namespace millrace::kafka
