#include "kafka/consumer_group.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

#include "kafka/group_record.h"

namespace millrace::kafka {

namespace {

constexpr int32_t kJoins = 0;
constexpr int32_t kLeavesForAWhile = -2;
constexpr int64_t kCountEveryMs = 1000;

bool Includes(const Partitions& whole, const Partitions& part) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

bool Meet(const Partitions& a, const Partitions& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& one) { return b.contains(one); });
}

void SetPattern(ConsumerGroup::Member& member, const std::string& regex) {
  member.topic_regex = regex;
  member.pattern.reset();
  if (!regex.empty()) member.pattern = std::make_shared<const re2::RE2>(regex, re2::RE2::Quiet);
}

ConsumerMemberRecord RecordOf(const ConsumerGroup::Member& member) {
  ConsumerMemberRecord record;
  record.instance_id = member.instance_id;
  record.rack_id = member.rack_id;
  record.client_id = member.client_id;
  record.host = member.host;
  record.rebalance_timeout_ms = member.rebalance_timeout_ms;
  record.topics = member.topics;
  record.topic_regex = member.topic_regex;
  record.assignor = member.assignor;
  record.state = static_cast<int8_t>(member.state);
  record.away = member.away;
  record.epoch = member.epoch;
  record.epoch_before = member.epoch_before;
  record.target = ByTopic(member.target);
  record.assigned = ByTopic(member.assigned);
  record.revoking = ByTopic(member.revoking);
  return record;
}

ConsumerGroup::Member MemberOf(const ConsumerMemberRecord& record, int64_t now_ms) {
  ConsumerGroup::Member member;
  member.instance_id = record.instance_id;
  member.rack_id = record.rack_id;
  member.client_id = record.client_id;
  member.host = record.host;
  member.rebalance_timeout_ms = record.rebalance_timeout_ms;
  member.topics = record.topics;
  SetPattern(member, record.topic_regex);
  member.assignor = record.assignor;
  member.state = static_cast<ConsumerGroup::Member::State>(record.state);
  member.away = record.away;
  member.epoch = record.epoch;
  member.epoch_before = record.epoch_before;
  member.target = PartitionsOf(record.target);
  member.assigned = PartitionsOf(record.assigned);
  member.revoking = PartitionsOf(record.revoking);
  member.deadline_ms = now_ms + (member.instance_id ? ConsumerGroup::kSessionTimeoutMs : kReturnMs);
  member.revoke_deadline_ms = now_ms + member.rebalance_timeout_ms;
  return member;
}

}  // namespace

BeatAnswer ConsumerGroup::Refuse(ErrorCode error, std::string message) const {
  return {error, std::move(message), "", 0, std::nullopt};
}

BeatAnswer ConsumerGroup::Beat(const MemberBeat& beat, const TopicView& topics, int64_t now_ms) {
  if (beat.epoch < kLeavesForAWhile) return Refuse(kInvalidRequest, "no such member epoch");
  if (beat.assignor && *beat.assignor != kUniform && *beat.assignor != kRange) {
    return Refuse(kUnsupportedAssignor, "the assignors are uniform and range");
  }
  if (beat.topic_regex && !re2::RE2(*beat.topic_regex, re2::RE2::Quiet).ok()) {
    return Refuse(kInvalidRegularExpression,
                  "\"" + *beat.topic_regex + "\" is not a regular expression of RE2");
  }
  if (beat.epoch == kJoins) return Join(beat, topics, now_ms);
  if (beat.epoch < 0) return Leave(beat, topics, now_ms);

  const auto found = members_.find(beat.member_id);
  if (found == members_.end()) return Refuse(kUnknownMemberId, "the member has to join again");
  Member& member = found->second;
  // The answer that moved the member on may have been lost.
  const bool repeats =
      beat.epoch == member.epoch_before && beat.owned && Includes(member.assigned, *beat.owned);
  if (member.away || (beat.epoch != member.epoch && !repeats)) {
    return Refuse(kFencedMemberEpoch, "the member's epoch is " + std::to_string(member.epoch));
  }
  member.deadline_ms = now_ms + kSessionTimeoutMs;
  if (Update(member, beat)) {
    changed_.insert(found->first);
    Retarget(topics);
  }
  const Partitions before = member.assigned;
  Reconcile(found->first, member, beat.owned, now_ms);
  BeatAnswer answer{kNone, "", beat.member_id, member.epoch, std::nullopt};
  const bool whole = beat.topics.has_value() && beat.owned.has_value();  // it asks for everything
  if (whole || repeats || member.assigned != before) answer.assignment = member.assigned;
  return answer;
}

BeatAnswer ConsumerGroup::Join(const MemberBeat& beat, const TopicView& topics, int64_t now_ms) {
  const bool subscribes = beat.topics.has_value() || beat.topic_regex.has_value();
  if (beat.member_id.empty() || beat.rebalance_timeout_ms <= 0 || !subscribes) {
    return Refuse(kInvalidRequest, "who joins says a member id, a subscription and a timeout");
  }
  if (beat.owned && !beat.owned->empty()) {
    return Refuse(kInvalidRequest, "who joins owns nothing yet");
  }
  Member joined;
  if (beat.instance_id) {
    const auto earlier = std::find_if(members_.begin(), members_.end(), [&](const auto& entry) {
      return entry.second.instance_id == beat.instance_id && entry.first != beat.member_id;
    });
    if (earlier != members_.end()) {
      if (!earlier->second.away) {
        return Refuse(kUnreleasedInstanceId,
                      "instance \"" + *beat.instance_id + "\" is a member already");
      }
      // It takes its place again, with the partitions that nobody else got meanwhile.
      joined.target = earlier->second.target;
      joined.topics = earlier->second.topics;
      joined.topic_regex = earlier->second.topic_regex;
      joined.pattern = earlier->second.pattern;
      joined.assignor = earlier->second.assignor;
      Remove(earlier);
      members_.emplace(beat.member_id, joined);
    }
  }
  const auto [entry, is_new] = members_.try_emplace(beat.member_id, std::move(joined));
  Member& member = entry->second;
  // A member that joins again has let go of everything.
  Release(member.assigned);
  Release(member.revoking);
  member.assigned.clear();
  member.revoking.clear();
  member.state = Member::State::kStable;
  member.epoch = member.epoch_before = 0;
  member.client_id = beat.client_id;
  member.host = beat.host;
  member.deadline_ms = now_ms + kSessionTimeoutMs;
  changed_.insert(entry->first);
  if (Update(member, beat) || is_new) Retarget(topics);
  Reconcile(entry->first, member, Partitions(), now_ms);
  return {kNone, "", beat.member_id, member.epoch, member.assigned};
}

BeatAnswer ConsumerGroup::Leave(const MemberBeat& beat, const TopicView& topics, int64_t now_ms) {
  const auto found = members_.find(beat.member_id);
  if (found == members_.end()) return Refuse(kUnknownMemberId, "nobody of that id is a member");
  if (beat.epoch == kLeavesForAWhile && found->second.instance_id) {
    found->second.away = true;
    changed_.insert(found->first);
    found->second.deadline_ms = now_ms + kSessionTimeoutMs;
  } else {
    Remove(found);
    Retarget(topics);
  }
  return {kNone, "", beat.member_id, beat.epoch, std::nullopt};
}

bool ConsumerGroup::Update(Member& member, const MemberBeat& beat) {
  if (beat.instance_id) member.instance_id = beat.instance_id;
  if (beat.rack_id) member.rack_id = beat.rack_id;
  if (beat.rebalance_timeout_ms > 0) member.rebalance_timeout_ms = beat.rebalance_timeout_ms;
  bool changed = false;
  if (beat.assignor && *beat.assignor != member.assignor) {
    member.assignor = *beat.assignor;
    changed = true;
  }
  if (beat.topics && *beat.topics != member.topics) {
    member.topics = *beat.topics;
    changed = true;
  }
  if (beat.topic_regex && *beat.topic_regex != member.topic_regex) {
    SetPattern(member, *beat.topic_regex);
    changed = true;
  }
  return changed;
}

void ConsumerGroup::Reconcile(const std::string& id, Member& member,
                              const std::optional<Partitions>& owned, int64_t now_ms) {
  if (member.state == Member::State::kUnrevoked) {
    if (!owned || Meet(*owned, member.revoking)) return;
    Release(member.revoking);
    member.revoking.clear();
    member.state = Member::State::kStable;
    changed_.insert(id);
  } else if (member.state == Member::State::kStable && member.epoch == epoch_) {
    return;
  }
  Partitions kept;
  for (const TopicPartition& partition : member.assigned) {
    (member.target.contains(partition) ? kept : member.revoking).insert(partition);
  }
  if (!member.revoking.empty()) {
    member.assigned = std::move(kept);
    member.state = Member::State::kUnrevoked;
    member.revoke_deadline_ms = now_ms + member.rebalance_timeout_ms;
    changed_.insert(id);
    return;
  }
  const size_t had = member.assigned.size();
  for (const TopicPartition& partition : member.target) {
    if (owners_.try_emplace(partition, id).first->second == id) member.assigned.insert(partition);
  }
  if (member.epoch != epoch_ || member.assigned.size() != had) changed_.insert(id);
  if (member.epoch != epoch_) member.epoch_before = member.epoch;
  member.epoch = epoch_;
  member.state =
      member.assigned == member.target ? Member::State::kStable : Member::State::kUnreleased;
}

void ConsumerGroup::Release(const Partitions& partitions) {
  for (const TopicPartition& partition : partitions) owners_.erase(partition);
}

void ConsumerGroup::Remove(Members::iterator member) {
  Release(member->second.assigned);
  Release(member->second.revoking);
  changed_.insert(member->first);
  members_.erase(member);
}

std::set<std::string> ConsumerGroup::TopicsOf(const Member& member, const TopicView& topics) const {
  std::set<std::string> found(member.topics.begin(), member.topics.end());
  if (member.pattern) {
    for (std::string& name : topics.names()) {
      if (re2::RE2::FullMatch(name, *member.pattern)) found.insert(std::move(name));
    }
  }
  return found;
}

PartitionCounts ConsumerGroup::CountPartitions(const TopicView& topics) const {
  PartitionCounts counts;
  for (const auto& [id, member] : members_) {
    for (const std::string& topic : TopicsOf(member, topics)) {
      if (counts.contains(topic)) continue;
      const int32_t partitions = topics.partitions(topic);
      if (partitions > 0) counts[topic] = partitions;
    }
  }
  return counts;
}

void ConsumerGroup::Retarget(const TopicView& topics) {
  epoch_++;
  epoch_changed_ = true;
  counts_ = CountPartitions(topics);
  Subscribers subscribers;
  for (const auto& [id, member] : members_) {
    subscribers[id] = {TopicsOf(member, topics), member.target};
  }
  Assignment assignment = assignor() == kRange ? AssignRanges(subscribers, counts_)
                                               : AssignUniformly(subscribers, counts_);
  for (auto& [id, member] : members_) {
    if (member.target == assignment[id]) continue;
    member.target = std::move(assignment[id]);
    changed_.insert(id);
  }
}

std::vector<KeptChange> ConsumerGroup::TakeChanges(const std::string& id) {
  std::vector<KeptChange> changes;
  if (std::exchange(epoch_changed_, false)) {
    ConsumerGroupRecord record;
    record.epoch = epoch_;
    for (const auto& [topic, partitions] : counts_) record.topics.push_back({topic, partitions});
    auto& change = changes.emplace_back(KeptChange{{KeptKind::kConsumerGroup, id, ""}, {}});
    if (!members_.empty()) change.record = EncodeStored(std::move(record));
  }
  for (const std::string& member_id : std::exchange(changed_, {})) {
    auto& change = changes.emplace_back(KeptChange{{KeptKind::kConsumerMember, id, member_id}, {}});
    const auto found = members_.find(member_id);
    if (found == members_.end()) continue;
    change.record = EncodeStored(RecordOf(found->second));
  }
  return changes;
}

Status ConsumerGroup::Restore(std::string_view record) {
  ConsumerGroupRecord kept;
  if (!DecodeStored(record, &kept) || kept.version != 0) {
    return Status(Code::kCorruption, "the group's record is damaged");
  }
  epoch_ = kept.epoch;
  for (const auto& topic : kept.topics) counts_[topic.name] = topic.partitions;
  return {};
}

Status ConsumerGroup::RestoreMember(const std::string& member_id, std::string_view record,
                                    int64_t now_ms) {
  ConsumerMemberRecord kept;
  const auto last = static_cast<int8_t>(Member::State::kUnreleased);
  if (!DecodeStored(record, &kept) || kept.version != 0 || kept.state < 0 || kept.state > last) {
    return Status(Code::kCorruption, "the record of member \"" + member_id + "\" is damaged");
  }
  Member member = MemberOf(kept, now_ms);
  // Records that were too many for one batch may be of different times.
  bool fits = member.epoch <= epoch_;
  for (const Partitions* held : {&member.assigned, &member.revoking}) {
    for (const auto& partition : *held) fits = fits && !owners_.contains(partition);
  }
  if (!fits) {
    return Status(Code::kCorruption,
                  "the record of member \"" + member_id + "\" contradicts others");
  }
  for (const Partitions* held : {&member.assigned, &member.revoking}) {
    for (const auto& partition : *held) owners_[partition] = member_id;
  }
  members_[member_id] = std::move(member);
  return {};
}

std::string ConsumerGroup::assignor() const {
  const auto wants_ranges = std::count_if(members_.begin(), members_.end(), [](const auto& entry) {
    return entry.second.assignor == kRange;
  });
  return std::string(static_cast<size_t>(wants_ranges) * 2 > members_.size() ? kRange : kUniform);
}

ErrorCode ConsumerGroup::CheckCommit(int32_t epoch, const std::string& member_id) const {
  if (epoch < 0 && members_.empty()) return kNone;
  const auto found = members_.find(member_id);
  if (found == members_.end()) return kUnknownMemberId;
  return epoch == found->second.epoch ? kNone : kStaleMemberEpoch;
}

void ConsumerGroup::Tick(const TopicView& topics, int64_t now_ms) {
  bool changed = false;
  for (auto it = members_.begin(); it != members_.end();) {
    const Member& member = it->second;
    const bool silent = now_ms >= member.deadline_ms;
    const bool holds_on = member.state == Member::State::kUnrevoked && !member.away &&
                          now_ms >= member.revoke_deadline_ms;
    const auto next = std::next(it);
    if (silent || holds_on) {
      Remove(it);
      changed = true;
    }
    it = next;
  }
  if (now_ms >= next_count_ms_) {
    next_count_ms_ = now_ms + kCountEveryMs;
    changed |= CountPartitions(topics) != counts_;
  }
  if (changed) Retarget(topics);
}

const char* ConsumerGroup::StateName() const {
  if (members_.empty()) return "Empty";
  const bool stable = std::all_of(members_.begin(), members_.end(), [&](const auto& entry) {
    return entry.second.state == Member::State::kStable && entry.second.epoch == epoch_;
  });
  return stable ? "Stable" : "Reconciling";
}

}  // namespace millrace::kafka
