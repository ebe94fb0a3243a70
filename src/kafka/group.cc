#include "kafka/group.h"

#include <algorithm>

namespace millrace::kafka {

namespace {
JoinGroupResponse JoinError(ErrorCode error, const std::string& member_id) {
  JoinGroupResponse response;
  response.error_code = error;
  response.member_id = member_id;
  return response;
}

SyncGroupResponse SyncError(ErrorCode error) {
  SyncGroupResponse response;
  response.error_code = error;
  return response;
}
}  // namespace

const std::string* Group::Member::MetadataFor(const std::string& protocol) const {
  for (const auto& offered : protocols) {
    if (offered.name == protocol) return &offered.metadata.value;
  }
  return nullptr;
}

bool Group::SameProtocols(const Member& member, const JoinGroupRequest& request) {
  return std::equal(member.protocols.begin(), member.protocols.end(), request.protocols.begin(),
                    request.protocols.end(), [](const auto& a, const auto& b) {
                      return a.name == b.name && a.metadata == b.metadata;
                    });
}

// Whether some protocol of the request is spoken by all other members.
bool Group::Supports(const JoinGroupRequest& request) const {
  if (request.protocol_type.empty() || request.protocols.empty()) return false;
  const auto asks = [&](const std::string& id) {
    return id == request.member_id ||
           (request.group_instance_id && instances_.count(*request.group_instance_id) &&
            instances_.at(*request.group_instance_id) == id);
  };
  const bool alone = std::all_of(members_.begin(), members_.end(),
                                 [&](const auto& entry) { return asks(entry.first); });
  if (alone) return true;
  if (request.protocol_type != protocol_type_) return false;
  return std::any_of(request.protocols.begin(), request.protocols.end(), [&](const auto& offered) {
    return std::all_of(members_.begin(), members_.end(), [&](const auto& entry) {
      return asks(entry.first) || entry.second.MetadataFor(offered.name) != nullptr;
    });
  });
}

void Group::Join(const JoinGroupRequest& request, const MemberIdentity& identity, int64_t now_ms,
                 JoinDone done) {
  const std::string& member_id = request.member_id;
  if (!Supports(request)) {
    done(JoinError(kInconsistentGroupProtocol, member_id));
    return;
  }
  if (member_id.empty()) {
    if (request.group_instance_id) {
      JoinStatic(request, identity, now_ms, std::move(done));
    } else if (identity.id_must_be_known) {
      pending_ids_[identity.new_member_id] = now_ms + request.session_timeout_ms;
      done(JoinError(kMemberIdRequired, identity.new_member_id));
    } else {
      AddOrUpdate(identity.new_member_id, request, identity, now_ms, std::move(done));
    }
    return;
  }
  if (pending_ids_.erase(member_id) > 0) {
    AddOrUpdate(member_id, request, identity, now_ms, std::move(done));
    return;
  }
  if (const ErrorCode error = CheckMember(member_id, request.group_instance_id); error != kNone) {
    done(JoinError(error, member_id));
    return;
  }
  Member& member = members_.at(member_id);
  const bool same = SameProtocols(member, request);
  const bool known_answer = same && (state_ == State::kCompletingRebalance ||
                                     (state_ == State::kStable && member_id != leader_));
  if (known_answer) {
    if (member.join) member.join(JoinError(kRebalanceInProgress, member_id));
    member.join = std::move(done);
    AnswerJoin(member_id, member, now_ms);
    return;
  }
  AddOrUpdate(member_id, request, identity, now_ms, std::move(done));
}

// A static member that starts again takes its old place, under a new id.
void Group::JoinStatic(const JoinGroupRequest& request, const MemberIdentity& identity,
                       int64_t now_ms, JoinDone done) {
  const std::string id = identity.new_member_id;
  const auto instance = instances_.find(*request.group_instance_id);
  if (instance == instances_.end()) {
    AddOrUpdate(id, request, identity, now_ms, std::move(done));
    return;
  }
  const std::string old_id = instance->second;
  auto node = members_.extract(old_id);
  Member& member = node.mapped();
  if (member.join) member.join(JoinError(kFencedInstanceId, old_id));
  if (member.sync) member.sync(SyncError(kFencedInstanceId));
  member.join = nullptr;
  member.sync = nullptr;
  const bool keeps =
      state_ == State::kStable && leader_ != old_id && SameProtocols(member, request);
  node.key() = id;
  members_.insert(std::move(node));
  instance->second = id;
  if (leader_ == old_id) leader_ = id;
  if (keeps) {
    changed_ = true;
    members_.at(id).join = std::move(done);
    AnswerJoin(id, members_.at(id), now_ms);
    return;
  }
  AddOrUpdate(id, request, identity, now_ms, std::move(done));
}

void Group::AddOrUpdate(const std::string& member_id, const JoinGroupRequest& request,
                        const MemberIdentity& identity, int64_t now_ms, JoinDone done) {
  Member& member = members_[member_id];
  if (member.join) member.join(JoinError(kRebalanceInProgress, member_id));
  member.join = std::move(done);
  member.instance_id = request.group_instance_id;
  if (member.instance_id) instances_[*member.instance_id] = member_id;
  member.client_id = identity.client_id;
  member.host = identity.host;
  member.session_timeout_ms = request.session_timeout_ms;
  member.rebalance_timeout_ms =
      request.rebalance_timeout_ms >= 0 ? request.rebalance_timeout_ms : request.session_timeout_ms;
  member.protocols = request.protocols;
  protocol_type_ = request.protocol_type;
  if (leader_.empty()) leader_ = member_id;
  if (state_ == State::kPreparingRebalance) {
    MaybeCompleteJoin(now_ms);
  } else {
    PrepareRebalance(now_ms);
  }
}

void Group::PrepareRebalance(int64_t now_ms) {
  int64_t longest_ms = 0;
  for (auto& [id, member] : members_) {
    longest_ms = std::max<int64_t>(longest_ms, member.rebalance_timeout_ms);
    if (member.sync) AnswerSync(member, kRebalanceInProgress, now_ms);
  }
  state_ = State::kPreparingRebalance;
  rebalance_deadline_ms_ = now_ms + longest_ms;
  MaybeCompleteJoin(now_ms);
}

void Group::MaybeCompleteJoin(int64_t now_ms) {
  const bool all = std::all_of(members_.begin(), members_.end(),
                               [](const auto& entry) { return bool(entry.second.join); });
  if (all && pending_ids_.empty()) CompleteJoin(now_ms);
}

void Group::CompleteJoin(int64_t now_ms) {
  // Static members have until the end of their session to come back.
  for (auto it = members_.begin(); it != members_.end();) {
    const bool gone = !it->second.join && !it->second.instance_id;
    it = gone ? members_.erase(it) : std::next(it);
  }
  generation_++;
  if (members_.empty()) {
    state_ = State::kEmpty;
    changed_ = true;
    leader_.clear();
    protocol_.clear();
    return;
  }
  const auto joined = std::find_if(members_.begin(), members_.end(),
                                   [](const auto& entry) { return bool(entry.second.join); });
  if (joined == members_.end()) {  // only static ones, all away
    rebalance_deadline_ms_ = now_ms + members_.begin()->second.rebalance_timeout_ms;
    return;
  }
  const auto leader = members_.find(leader_);
  if (leader == members_.end() || !leader->second.join) leader_ = joined->first;
  protocol_ = ChooseProtocol();
  state_ = State::kCompletingRebalance;
  for (auto& [id, member] : members_) {
    member.assignment.clear();
    if (member.join) AnswerJoin(id, member, now_ms);
  }
}

// Each member votes for the first of its protocols that all speak.
std::string Group::ChooseProtocol() const {
  const auto common = [&](const std::string& name) {
    return std::all_of(members_.begin(), members_.end(), [&](const auto& entry) {
      return entry.second.MetadataFor(name) != nullptr;
    });
  };
  std::map<std::string, int> votes;
  for (const auto& [id, member] : members_) {
    for (const auto& offered : member.protocols) {
      if (!common(offered.name)) continue;
      votes[offered.name]++;
      break;
    }
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == votes.end() ? "" : most->first;
}

JoinGroupResponse Group::JoinAnswer(const std::string& member_id) const {
  JoinGroupResponse response;
  response.generation_id = generation_;
  response.protocol_type = protocol_type_;
  response.protocol_name = protocol_;
  response.leader = leader_;
  response.member_id = member_id;
  if (member_id != leader_) return response;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = member.MetadataFor(protocol_);
    response.members.push_back({id, member.instance_id, {metadata ? *metadata : ""}});
  }
  return response;
}

void Group::AnswerJoin(const std::string& member_id, Member& member, int64_t now_ms) {
  member.deadline_ms = now_ms + member.session_timeout_ms;
  std::exchange(member.join, nullptr)(JoinAnswer(member_id));
}

void Group::AnswerSync(Member& member, ErrorCode error, int64_t now_ms) {
  member.deadline_ms = now_ms + member.session_timeout_ms;
  SyncGroupResponse response = SyncError(error);
  response.protocol_type = protocol_type_;
  response.protocol_name = protocol_;
  if (error == kNone) response.assignment.value = member.assignment;
  std::exchange(member.sync, nullptr)(std::move(response));
}

ErrorCode Group::CheckMember(const std::string& member_id,
                             const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    const auto instance = instances_.find(*instance_id);
    if (instance == instances_.end()) return kUnknownMemberId;
    if (instance->second != member_id) return kFencedInstanceId;
  }
  return members_.count(member_id) > 0 ? kNone : kUnknownMemberId;
}

void Group::Sync(const SyncGroupRequest& request, int64_t now_ms, SyncDone done) {
  ErrorCode error = CheckMember(request.member_id, request.group_instance_id);
  const bool other_protocol = (request.protocol_type && *request.protocol_type != protocol_type_) ||
                              (request.protocol_name && *request.protocol_name != protocol_);
  if (error == kNone && request.generation_id != generation_) error = kIllegalGeneration;
  if (error == kNone && other_protocol) error = kInconsistentGroupProtocol;
  if (error == kNone && state_ == State::kPreparingRebalance) error = kRebalanceInProgress;
  if (error != kNone) {
    done(SyncError(error));
    return;
  }
  Member& member = members_.at(request.member_id);
  if (member.sync) AnswerSync(member, kRebalanceInProgress, now_ms);
  member.sync = std::move(done);
  if (state_ == State::kStable) {
    AnswerSync(member, kNone, now_ms);
    return;
  }
  if (request.member_id != leader_) return;
  for (const auto& assignment : request.assignments) {
    const auto to = members_.find(assignment.member_id);
    if (to != members_.end()) to->second.assignment = assignment.assignment.value;
  }
  state_ = State::kStable;
  changed_ = true;
  for (auto& [id, waiting] : members_) {
    if (waiting.sync) AnswerSync(waiting, kNone, now_ms);
  }
}

ErrorCode Group::Heartbeat(const HeartbeatRequest& request, int64_t now_ms) {
  const ErrorCode error = CheckMember(request.member_id, request.group_instance_id);
  if (error != kNone) return error;
  if (request.generation_id != generation_) return kIllegalGeneration;
  Member& member = members_.at(request.member_id);
  member.deadline_ms = now_ms + member.session_timeout_ms;
  return state_ == State::kPreparingRebalance ? kRebalanceInProgress : kNone;
}

ErrorCode Group::Leave(const std::string& member_id, const std::optional<std::string>& instance_id,
                       int64_t now_ms) {
  std::string id = member_id;
  if (instance_id && id.empty()) {
    const auto instance = instances_.find(*instance_id);
    if (instance == instances_.end()) return kUnknownMemberId;
    id = instance->second;
  }
  if (pending_ids_.erase(id) > 0) {
    if (state_ == State::kPreparingRebalance) MaybeCompleteJoin(now_ms);
    return kNone;
  }
  if (const ErrorCode error = CheckMember(id, instance_id); error != kNone) return error;
  Remove(members_.find(id), now_ms);
  return kNone;
}

void Group::Remove(Members::iterator member, int64_t now_ms) {
  auto node = members_.extract(member);
  Member& gone = node.mapped();
  if (gone.join) gone.join(JoinError(kUnknownMemberId, node.key()));
  if (gone.sync) gone.sync(SyncError(kUnknownMemberId));
  if (gone.instance_id) instances_.erase(*gone.instance_id);
  if (leader_ == node.key()) leader_ = members_.empty() ? "" : members_.begin()->first;
  if (state_ == State::kPreparingRebalance) {
    MaybeCompleteJoin(now_ms);
  } else if (state_ != State::kEmpty) {
    PrepareRebalance(now_ms);
  }
}

ErrorCode Group::CheckCommit(int32_t generation, const std::string& member_id,
                             const std::optional<std::string>& instance_id, int64_t now_ms) {
  // Tools and consumers that assign partitions to themselves.
  if (generation < 0 && member_id.empty() && !instance_id) {
    return members_.empty() ? kNone : kUnknownMemberId;
  }
  if (const ErrorCode error = CheckMember(member_id, instance_id); error != kNone) return error;
  if (generation != generation_) return kIllegalGeneration;
  if (state_ == State::kCompletingRebalance) return kRebalanceInProgress;
  Member& member = members_.at(member_id);
  member.deadline_ms = now_ms + member.session_timeout_ms;
  return kNone;
}

void Group::Tick(int64_t now_ms) {
  std::erase_if(pending_ids_, [&](const auto& entry) { return entry.second <= now_ms; });
  std::vector<std::string> lost;
  for (const auto& [id, member] : members_) {
    if (!member.waits() && member.deadline_ms <= now_ms) lost.push_back(id);
  }
  for (const std::string& id : lost) {
    const auto member = members_.find(id);
    // The rebalance that an earlier one caused may have taken it away, or answered it.
    if (member != members_.end() && !member->second.waits()) Remove(member, now_ms);
  }
  if (state_ != State::kPreparingRebalance) return;
  MaybeCompleteJoin(now_ms);
  if (state_ == State::kPreparingRebalance && now_ms >= rebalance_deadline_ms_) {
    CompleteJoin(now_ms);
  }
}

void Group::Restore(GroupRecord record, int64_t now_ms) {
  generation_ = record.generation;
  protocol_type_ = std::move(record.protocol_type);
  protocol_ = record.protocol.value_or("");
  leader_ = record.leader.value_or("");
  for (GroupRecord::Member& kept : record.members) {
    Member& member = members_[kept.id];
    member.instance_id = std::move(kept.instance_id);
    if (member.instance_id) instances_[*member.instance_id] = kept.id;
    member.client_id = std::move(kept.client_id);
    member.host = std::move(kept.host);
    member.session_timeout_ms = kept.session_timeout_ms;
    member.rebalance_timeout_ms = kept.rebalance_timeout_ms;
    member.protocols = {{protocol_, std::move(kept.subscription)}};
    member.assignment = std::move(kept.assignment.value);
    const auto session_ms = int64_t{kept.session_timeout_ms};
    member.deadline_ms =
        now_ms + (member.instance_id ? session_ms : std::min(session_ms, kReturnMs));
  }
  if (!members_.empty()) state_ = State::kStable;
}

std::optional<GroupRecord> Group::Record() const {
  if (state_ != State::kStable) return std::nullopt;
  GroupRecord record;
  record.protocol_type = protocol_type_;
  record.generation = generation_;
  record.protocol = protocol_;
  record.leader = leader_;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = member.MetadataFor(protocol_);
    record.members.push_back({id,
                              member.instance_id,
                              member.client_id,
                              member.host,
                              member.rebalance_timeout_ms,
                              member.session_timeout_ms,
                              {metadata ? *metadata : ""},
                              {member.assignment}});
  }
  return record;
}

const char* Group::StateName() const {
  switch (state_) {
    case State::kEmpty:
      return "Empty";
    case State::kPreparingRebalance:
      return "PreparingRebalance";
    case State::kCompletingRebalance:
      return "CompletingRebalance";
    case State::kStable:
      return "Stable";
  }
  return "";
}

DescribeGroupsResponse::Group Group::Describe() const {
  DescribeGroupsResponse::Group described;
  described.group_id = id_;
  described.state = StateName();
  described.protocol_type = protocol_type_;
  const bool stable = state_ == State::kStable;
  if (stable) described.protocol = protocol_;
  for (const auto& [id, member] : members_) {
    const std::string* metadata = stable ? member.MetadataFor(protocol_) : nullptr;
    described.members.push_back({id,
                                 member.instance_id,
                                 member.client_id,
                                 "/" + member.host,
                                 {metadata ? *metadata : ""},
                                 {stable ? member.assignment : ""}});
  }
  return described;
}

}  // namespace millrace::kafka
