// ConsumerGroup: one consumer group whose partitions the server assigns (KIP-848).
//
// Every change of members, subscriptions or topics begins a new epoch with a new target: who is to
// have which partition. Members walk to it one by one, in their heartbeats; a partition is given to
// its next owner only when the one before has said that it let go:
//
//            owns what the target takes away
//   Stable -------------------------------------> Unrevoked    its epoch stays
//     ^  ^ \                                          |
//     |  |  `--- some of the target is not free --.   | has let go
//     |  |                                        v   v
//     |  `---- all of the target is its own --- Unreleased     its epoch is the group's
//     `------------------------------------------'
//
// Contract: not thread-safe; no I/O; time comes in as monotonic ms. An answer must not be sent
// before what TakeChanges gives behind it is kept: then a restart takes nothing back that a member
// was told. Source: KIP-848, "Group Coordinator" and "Member Reconciliation".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/error_codes.h"
#include "kafka/offset_store.h"
#include "kafka/partition_assignor.h"

namespace re2 {
class RE2;
}

namespace millrace::kafka {

// What a group asks about topics.
struct TopicView {
  std::function<int32_t(const std::string&)> partitions;  // 0: there is no such topic
  std::function<std::vector<std::string>()> names;        // those that a pattern may match
};

// One heartbeat, topics by name.
struct MemberBeat {
  std::string member_id;
  int32_t epoch = 0;
  std::string client_id;
  std::string host;
  // What has not changed is missing or -1.
  std::optional<std::string> instance_id;
  std::optional<std::string> rack_id;
  int32_t rebalance_timeout_ms = -1;
  std::optional<std::vector<std::string>> topics;
  std::optional<std::string> topic_regex;
  std::optional<std::string> assignor;
  std::optional<Partitions> owned;
};

struct BeatAnswer {
  ErrorCode error = kNone;
  std::string message;  // for an error
  std::string member_id;
  int32_t epoch = 0;
  std::optional<Partitions> assignment;  // missing: as before
};

class ConsumerGroup {
 public:
  static constexpr int64_t kSessionTimeoutMs = 45'000;

  struct Member {
    enum class State { kStable, kUnrevoked, kUnreleased };
    std::optional<std::string> instance_id;
    std::optional<std::string> rack_id;
    std::string client_id;
    std::string host;
    int32_t rebalance_timeout_ms = 0;
    std::vector<std::string> topics;
    std::string topic_regex;  // "": none
    std::shared_ptr<const re2::RE2> pattern;
    std::string assignor;  // "": it does not mind
    State state = State::kStable;
    int32_t epoch = 0;
    int32_t epoch_before = 0;
    Partitions target;
    Partitions assigned;
    Partitions revoking;             // it may still read these
    int64_t deadline_ms = 0;         // of its next heartbeat
    int64_t revoke_deadline_ms = 0;  // while it revokes
    bool away = false;               // a static member that will be back
  };

  BeatAnswer Beat(const MemberBeat& beat, const TopicView& topics, int64_t now_ms);
  // Whether a member of this epoch may commit offsets; without member and epoch only while the
  // group is empty.
  ErrorCode CheckCommit(int32_t epoch, const std::string& member_id) const;
  // Drops members that were silent, or did not let go of partitions, for too long; looks now and
  // then for topics and partitions that are new or gone.
  void Tick(const TopicView& topics, int64_t now_ms);

  // What is to be kept of group `id` and has changed since this was asked last.
  std::vector<KeptChange> TakeChanges(const std::string& id);
  // Goes on with what was kept; only before anybody joins. Errors: kCorruption for damaged records,
  // whose members join again.
  Status Restore(std::string_view record);
  Status RestoreMember(const std::string& member_id, std::string_view record, int64_t now_ms);

  // "Empty", "Reconciling" or "Stable".
  const char* StateName() const;
  const std::map<std::string, Member>& members() const { return members_; }
  int32_t epoch() const { return epoch_; }
  std::string assignor() const;

 private:
  using Members = std::map<std::string, Member>;

  BeatAnswer Join(const MemberBeat& beat, const TopicView& topics, int64_t now_ms);
  BeatAnswer Leave(const MemberBeat& beat, const TopicView& topics, int64_t now_ms);
  BeatAnswer Refuse(ErrorCode error, std::string message) const;
  // Takes over what the heartbeat says about the member; whether that asks for a new target.
  static bool Update(Member& member, const MemberBeat& beat);
  void Reconcile(const std::string& id, Member& member, const std::optional<Partitions>& owned,
                 int64_t now_ms);
  void Release(const Partitions& partitions);
  void Remove(Members::iterator member);
  std::set<std::string> TopicsOf(const Member& member, const TopicView& topics) const;
  PartitionCounts CountPartitions(const TopicView& topics) const;
  // A new epoch, with a new target.
  void Retarget(const TopicView& topics);

  int32_t epoch_ = 0;
  Members members_;
  std::map<TopicPartition, std::string> owners_;  // who may read it, revoking ones included
  PartitionCounts counts_;                        // that the target was made for
  int64_t next_count_ms_ = 0;                     // when to count anew
  std::set<std::string> changed_;                 // members, also such as are gone
  bool epoch_changed_ = false;
};

}  // namespace millrace::kafka
