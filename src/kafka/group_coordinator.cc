#include "kafka/group_coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "env/diag.h"

namespace millrace::kafka {

namespace {
constexpr int32_t kSessionTimeoutMinMs = 1000;
constexpr int32_t kSessionTimeoutMaxMs = 1'800'000;
}  // namespace

Group* GroupCoordinator::Find(const std::string& group_id) {
  const auto it = groups_.find(group_id);
  return it == groups_.end() ? nullptr : it->second.get();
}

ConsumerGroup* GroupCoordinator::FindConsumers(const std::string& group_id) {
  const auto it = consumers_.find(group_id);
  return it == consumers_.end() ? nullptr : &it->second;
}

void GroupCoordinator::Recover(int64_t now_ms) {
  std::lock_guard lock(mutex_);
  for (const auto& [key, bytes] : store_.Kept(KeptKind::kGroup)) {
    GroupRecord record;
    if (!DecodeStored(bytes, &record) || record.version != GroupRecord::kVersion) {
      diag::Error("kafka: the record of a group is damaged, its members join again: group=\"{}\"",
                  key.id);
      continue;
    }
    const auto group = groups_.emplace(key.id, std::make_unique<Group>(key.id)).first;
    group->second->Restore(std::move(record), now_ms);
  }
  RecoverConsumers(now_ms);
}

void GroupCoordinator::RecoverConsumers(int64_t now_ms) {
  const auto report = [](const KeptKey& key, const Status& status) {
    if (status.ok()) return;
    diag::Error("kafka: {}, who joins again: group=\"{}\"", status.message(), key.id);
  };
  for (const auto& [key, record] : store_.Kept(KeptKind::kConsumerGroup)) {
    report(key, consumers_[key.id].Restore(record));
  }
  for (const auto& [key, record] : store_.Kept(KeptKind::kConsumerMember)) {
    report(key, consumers_[key.id].RestoreMember(key.member, record, now_ms));
  }
  std::erase_if(consumers_, [](const auto& entry) { return entry.second.members().empty(); });
  for (const auto& [id, group] : consumers_) groups_.erase(id);
}

std::vector<KeptChange> GroupCoordinator::ChangesOf(const std::string& group_id, Group& group) {
  if (!group.TakeChanged()) return {};
  KeptChange change{{KeptKind::kGroup, group_id, ""}, std::nullopt};
  if (auto record = group.Record()) change.record = EncodeStored(*std::move(record));
  return {std::move(change)};
}

void GroupCoordinator::Keep(std::vector<KeptChange> changes) {
  Answers answers = std::exchange(answers_, {});
  if (changes.empty()) {
    if (writing_ && writing_->Add(answers)) return;
    for (const auto& answer : answers) answer();
    return;
  }
  writing_ = std::make_shared<Writing>(std::move(answers));
  store_.Keep(std::move(changes), {}, [writing = writing_](const Status& status) {
    // The group is what it is in memory; only a restart would not know of it.
    if (!status.ok()) diag::Warn("kafka: members of a group not kept: {}", status.message());
    writing->End();
  });
}

bool GroupCoordinator::Writing::Add(Answers& answers) {
  std::lock_guard lock(mutex_);
  if (ended_) return false;
  std::move(answers.begin(), answers.end(), std::back_inserter(answers_));
  return true;
}

void GroupCoordinator::Writing::End() {
  Answers answers;
  {
    std::lock_guard lock(mutex_);
    ended_ = true;
    answers.swap(answers_);
  }
  for (const auto& answer : answers) answer();
}

void GroupCoordinator::Join(const JoinGroupRequest& request, MemberIdentity identity,
                            int64_t now_ms, JoinDone done) {
  std::lock_guard lock(mutex_);
  Group* group = Find(request.group_id);
  ErrorCode error = kNone;
  if (request.group_id.empty()) {
    error = kInvalidGroupId;
  } else if (request.session_timeout_ms < kSessionTimeoutMinMs ||
             request.session_timeout_ms > kSessionTimeoutMaxMs) {
    error = kInvalidSessionTimeout;
  } else if (FindConsumers(request.group_id) != nullptr) {
    error = kInconsistentGroupProtocol;
  } else if (group == nullptr && !request.member_id.empty()) {
    error = kUnknownMemberId;
  }
  if (error != kNone) {
    JoinGroupResponse response;
    response.error_code = error;
    response.member_id = request.member_id;
    done(std::move(response));
    return;
  }
  if (group == nullptr) {
    group = groups_.emplace(request.group_id, std::make_unique<Group>(request.group_id))
                .first->second.get();
  }
  const std::string& name =
      request.group_instance_id ? *request.group_instance_id : identity.client_id;
  identity.new_member_id = fmt::format("{}-{:x}-{}", name, start_us_, next_member_++);
  group->Join(request, identity, now_ms, std::move(done));
  Keep(ChangesOf(request.group_id, *group));
}

void GroupCoordinator::Sync(const SyncGroupRequest& request, int64_t now_ms, SyncDone done) {
  std::lock_guard lock(mutex_);
  if (Group* group = Find(request.group_id)) {
    group->Sync(request, now_ms, [this, done = std::move(done)](SyncGroupResponse response) {
      answers_.push_back([done, response = std::move(response)] { done(response); });
    });
    Keep(ChangesOf(request.group_id, *group));
    return;
  }
  SyncGroupResponse response;
  response.error_code = kUnknownMemberId;
  done(std::move(response));
}

ErrorCode GroupCoordinator::Heartbeat(const HeartbeatRequest& request, int64_t now_ms) {
  std::lock_guard lock(mutex_);
  Group* group = Find(request.group_id);
  return group == nullptr ? kUnknownMemberId : group->Heartbeat(request, now_ms);
}

LeaveGroupResponse GroupCoordinator::Leave(const LeaveGroupRequest& request, int version,
                                           int64_t now_ms) {
  std::lock_guard lock(mutex_);
  Group* group = Find(request.group_id);
  LeaveGroupResponse response;
  const auto leave = [&](const std::string& id, const std::optional<std::string>& instance) {
    return group == nullptr ? kUnknownMemberId : group->Leave(id, instance, now_ms);
  };
  if (version < 3) response.error_code = leave(request.member_id, std::nullopt);
  for (const auto& member : request.members) {  // since version 3
    response.members.push_back({member.member_id, member.group_instance_id,
                                leave(member.member_id, member.group_instance_id)});
  }
  if (group != nullptr) Keep(ChangesOf(request.group_id, *group));
  return response;
}

ErrorCode GroupCoordinator::CheckCommit(const OffsetCommitRequest& request, int64_t now_ms) {
  std::lock_guard lock(mutex_);
  if (request.group_id.empty()) return kInvalidGroupId;
  if (const ConsumerGroup* group = FindConsumers(request.group_id)) {
    return group->CheckCommit(request.generation_id, request.member_id);
  }
  if (Group* group = Find(request.group_id)) {
    return group->CheckCommit(request.generation_id, request.member_id, request.group_instance_id,
                              now_ms);
  }
  return request.generation_id < 0 ? kNone : kIllegalGeneration;
}

void GroupCoordinator::Beat(const std::string& group_id, MemberBeat beat, int64_t now_ms,
                            BeatDone done) {
  std::lock_guard lock(mutex_);
  std::vector<KeptChange> changes;
  BeatAnswer answer = BeatLocked(group_id, std::move(beat), now_ms, changes);
  answers_.push_back([done = std::move(done), answer = std::move(answer)] { done(answer); });
  Keep(std::move(changes));
}

BeatAnswer GroupCoordinator::BeatLocked(const std::string& group_id, MemberBeat beat,
                                        int64_t now_ms, std::vector<KeptChange>& changes) {
  if (group_id.empty()) return {kInvalidGroupId, "the group has no name", "", 0, std::nullopt};
  const auto classic = groups_.find(group_id);
  if (classic != groups_.end() && !classic->second->idle()) {
    return {kGroupIdNotFound, "the group has members that assign their partitions themselves", "",
            0, std::nullopt};
  }
  ConsumerGroup* group = FindConsumers(group_id);
  if (group == nullptr && beat.epoch != 0) {
    return {kUnknownMemberId, "the member has to join again", "", 0, std::nullopt};
  }
  if (group == nullptr) {
    groups_.erase(group_id);
    group = &consumers_[group_id];
  }
  if (beat.member_id.empty() && beat.epoch == 0) {  // version 0 leaves the id to us
    beat.member_id = fmt::format("{}-{:x}-{}", beat.client_id, start_us_, next_member_++);
  }
  BeatAnswer answer = group->Beat(beat, topics_, now_ms);
  changes = group->TakeChanges(group_id);
  if (group->members().empty()) consumers_.erase(group_id);
  return answer;
}

ErrorCode GroupCoordinator::CheckFetch(const std::string& group_id, const std::string& member_id,
                                       int32_t epoch) {
  std::lock_guard lock(mutex_);
  const ConsumerGroup* group = FindConsumers(group_id);
  return group == nullptr ? kNone : group->CheckCommit(epoch, member_id);
}

bool GroupCoordinator::Visit(const std::string& group_id,
                             const std::function<void(const ConsumerGroup&)>& visit) {
  std::lock_guard lock(mutex_);
  const ConsumerGroup* group = FindConsumers(group_id);
  if (group != nullptr) visit(*group);
  return group != nullptr;
}

void GroupCoordinator::Tick(int64_t now_ms) {
  std::lock_guard lock(mutex_);
  for (auto it = consumers_.begin(); it != consumers_.end();) {
    it->second.Tick(topics_, now_ms);
    Keep(it->second.TakeChanges(it->first));
    it = it->second.members().empty() ? consumers_.erase(it) : std::next(it);
  }
  for (auto it = groups_.begin(); it != groups_.end();) {
    it->second->Tick(now_ms);
    Keep(ChangesOf(it->first, *it->second));
    it = it->second->idle() ? groups_.erase(it) : std::next(it);
  }
}

std::optional<DescribeGroupsResponse::Group> GroupCoordinator::Describe(
    const std::string& group_id) const {
  std::lock_guard lock(mutex_);
  const auto it = groups_.find(group_id);
  if (it == groups_.end()) return std::nullopt;
  return it->second->Describe();
}

std::vector<ListGroupsResponse::Group> GroupCoordinator::List() const {
  std::lock_guard lock(mutex_);
  std::vector<ListGroupsResponse::Group> listed;
  for (const auto& [id, group] : groups_) {
    listed.push_back({id, group->protocol_type(), group->StateName(), "classic"});
  }
  for (const auto& [id, group] : consumers_) {
    listed.push_back({id, "consumer", group.StateName(), "consumer"});
  }
  return listed;
}

bool GroupCoordinator::HasMembers(const std::string& group_id) const {
  std::lock_guard lock(mutex_);
  if (consumers_.contains(group_id)) return true;
  const auto it = groups_.find(group_id);
  return it != groups_.end() && !it->second->idle();
}

void GroupCoordinator::Clear() {
  std::lock_guard lock(mutex_);
  groups_.clear();
  consumers_.clear();
}

}  // namespace millrace::kafka
