// Group: one consumer group's members and their rebalances (the classic protocol).
//
//              member joins, leaves or is lost
//   Empty -----------------> PreparingRebalance <-----------------+
//     ^                          | everyone has joined, or the    |
//     | nobody is left           | rebalance timeout is over      |
//     +--------------------------+                                |
//                                v                                |
//                         CompletingRebalance --------------------+
//                                | the leader's SyncGroup         |
//                                v                                |
//                              Stable ----------------------------+
//
// Contract: not thread-safe; no I/O; time comes in as monotonic ms. Answers to JoinGroup and
// SyncGroup come through callbacks, each called exactly once, unless the group is destroyed first.
// Source: Kafka protocol guide, "Group Membership API"; KIP-345 (static members), KIP-394 (member
// id required).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "kafka/error_codes.h"
#include "kafka/group_record.h"
#include "kafka/messages/groups.h"

namespace millrace::kafka {

using JoinDone = std::function<void(JoinGroupResponse)>;
using SyncDone = std::function<void(SyncGroupResponse)>;

// Who asks.
struct MemberIdentity {
  std::string client_id;
  std::string host;
  std::string new_member_id;     // for one that has none yet
  bool id_must_be_known = true;  // it has to join again with the id that it was given (KIP-394)
};

class Group {
 public:
  enum class State { kEmpty, kPreparingRebalance, kCompletingRebalance, kStable };

  explicit Group(std::string id) : id_(std::move(id)) {}

  void Join(const JoinGroupRequest& request, const MemberIdentity& identity, int64_t now_ms,
            JoinDone done);
  void Sync(const SyncGroupRequest& request, int64_t now_ms, SyncDone done);
  ErrorCode Heartbeat(const HeartbeatRequest& request, int64_t now_ms);
  // By member id, or by instance id when that is empty.
  ErrorCode Leave(const std::string& member_id, const std::optional<std::string>& instance_id,
                  int64_t now_ms);
  // Whether someone of this generation may commit offsets; without member and generation only while
  // the group is empty.
  ErrorCode CheckCommit(int32_t generation, const std::string& member_id,
                        const std::optional<std::string>& instance_id, int64_t now_ms);
  // Drops members that were silent for too long, ends rebalances that took too long.
  void Tick(int64_t now_ms);

  // Goes on with the members that a server had which is gone; only before anybody joins.
  void Restore(GroupRecord record, int64_t now_ms);
  // Whether what is to be kept has changed since this was asked last.
  bool TakeChanged() { return std::exchange(changed_, false); }
  // Of a stable group; otherwise nothing is to be kept (a rebalance that does not end is begun
  // anew).
  std::optional<GroupRecord> Record() const;

  DescribeGroupsResponse::Group Describe() const;
  const char* StateName() const;
  State state() const { return state_; }
  const std::string& protocol_type() const { return protocol_type_; }
  // Nobody is in it or about to be.
  bool idle() const { return members_.empty() && pending_ids_.empty(); }

 private:
  struct Member {
    std::optional<std::string> instance_id;
    std::string client_id;
    std::string host;
    int32_t session_timeout_ms = 0;
    int32_t rebalance_timeout_ms = 0;
    std::vector<JoinGroupRequest::Protocol> protocols;
    std::string assignment;
    int64_t deadline_ms = 0;  // counts while no answer is waited for
    JoinDone join;
    SyncDone sync;

    bool waits() const { return join || sync; }
    const std::string* MetadataFor(const std::string& protocol) const;
  };
  using Members = std::map<std::string, Member>;

  ErrorCode CheckMember(const std::string& member_id,
                        const std::optional<std::string>& instance_id) const;
  bool Supports(const JoinGroupRequest& request) const;
  void JoinStatic(const JoinGroupRequest& request, const MemberIdentity& identity, int64_t now_ms,
                  JoinDone done);
  void AddOrUpdate(const std::string& member_id, const JoinGroupRequest& request,
                   const MemberIdentity& identity, int64_t now_ms, JoinDone done);
  void PrepareRebalance(int64_t now_ms);
  void MaybeCompleteJoin(int64_t now_ms);
  void CompleteJoin(int64_t now_ms);
  void Remove(Members::iterator member, int64_t now_ms);
  std::string ChooseProtocol() const;
  JoinGroupResponse JoinAnswer(const std::string& member_id) const;
  void AnswerJoin(const std::string& member_id, Member& member, int64_t now_ms);
  void AnswerSync(Member& member, ErrorCode error, int64_t now_ms);
  static bool SameProtocols(const Member& member, const JoinGroupRequest& request);

  const std::string id_;
  State state_ = State::kEmpty;
  int32_t generation_ = 0;
  std::string protocol_type_;
  std::string protocol_;
  std::string leader_;
  Members members_;
  std::map<std::string, std::string> instances_;  // instance id -> member id
  std::map<std::string, int64_t> pending_ids_;    // given out, not yet used; until when
  int64_t rebalance_deadline_ms_ = 0;
  bool changed_ = false;
};

}  // namespace millrace::kafka
