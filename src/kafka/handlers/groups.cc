// The APIs of a consumer group's members, and those that list, describe and delete groups.
#include <algorithm>

#include "base/strings.h"
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

// Whether the client may not be a member of the group; then it has been told.
template <class Response>
bool Refused(const Services& services, const std::string& group, const CallPtr& call) {
  Response response;
  response.error_code = CheckGroup(services, call, AclOperation::kRead, group);
  if (response.error_code == kNone) return false;
  call->Answer(response);
  return true;
}

}  // namespace

void HandleJoinGroup(Services& services, const JoinGroupRequest& request, const CallPtr& call) {
  constexpr int kIdMustBeKnownSince = 4;
  if (Refused<JoinGroupResponse>(services, request.group_id, call)) return;
  MemberIdentity identity;
  identity.client_id = call->client_id();
  identity.host = call->session().address;
  identity.id_must_be_known = call->version() >= kIdMustBeKnownSince;
  services.groups.Join(request, std::move(identity), services.now_ms(),
                       [call](JoinGroupResponse response) { call->Answer(response); });
}

void HandleSyncGroup(Services& services, const SyncGroupRequest& request, const CallPtr& call) {
  if (Refused<SyncGroupResponse>(services, request.group_id, call)) return;
  services.groups.Sync(request, services.now_ms(),
                       [call](SyncGroupResponse response) { call->Answer(response); });
}

void HandleHeartbeat(Services& services, const HeartbeatRequest& request, const CallPtr& call) {
  if (Refused<HeartbeatResponse>(services, request.group_id, call)) return;
  HeartbeatResponse response;
  response.error_code = services.groups.Heartbeat(request, services.now_ms());
  call->Answer(response);
}

void HandleLeaveGroup(Services& services, const LeaveGroupRequest& request, const CallPtr& call) {
  if (Refused<LeaveGroupResponse>(services, request.group_id, call)) return;
  LeaveGroupResponse response = services.groups.Leave(request, call->version(), services.now_ms());
  call->Answer(response);
}

void HandleDescribeGroups(Services& services, const DescribeGroupsRequest& request,
                          const CallPtr& call) {
  DescribeGroupsResponse response;
  for (const std::string& id : request.groups) {
    const ErrorCode refused = CheckGroup(services, call, AclOperation::kDescribe, id);
    if (refused != kNone) {
      auto& group = response.groups.emplace_back();
      group.group_id = id;
      group.error_code = refused;
      continue;
    }
    auto described = services.groups.Describe(id);
    if (!described) {
      described.emplace();
      described->group_id = id;
      described->state = services.offsets->Find(id).empty() ? "Dead" : "Empty";
    }
    response.groups.push_back(*std::move(described));
  }
  call->Answer(response);
}

void HandleListGroups(Services& services, const ListGroupsRequest& request, const CallPtr& call) {
  ListGroupsResponse response;
  std::vector<ListGroupsResponse::Group> all = services.groups.List();
  for (const std::string& id : services.offsets->Groups()) {
    const bool listed = std::any_of(all.begin(), all.end(),
                                    [&](const auto& group) { return group.group_id == id; });
    if (!listed) all.push_back({id, "", "Empty", "classic"});
  }
  const auto wanted = [](const std::vector<std::string>& names, const std::string& name) {
    const auto same = [&](const std::string& one) { return EqualsIgnoreCase(one, name); };
    return names.empty() || std::any_of(names.begin(), names.end(), same);
  };
  const bool sees_all = CheckCluster(services, call, AclOperation::kDescribe) == kNone;
  for (auto& group : all) {
    if (!sees_all && CheckGroup(services, call, AclOperation::kDescribe, group.group_id) != kNone) {
      continue;
    }
    if (wanted(request.states, group.state) && wanted(request.types, group.type)) {
      response.groups.push_back(std::move(group));
    }
  }
  call->Answer(response);
}

namespace {
// Answers once each group's deletion has been written down.
struct Deletion {
  CallPtr call;
  std::mutex mutex;
  size_t remaining = 1;
  DeleteGroupsResponse response;

  void End(size_t group, ErrorCode error) {
    std::lock_guard lock(mutex);
    if (group < response.groups.size()) response.groups[group].error_code = error;
    if (--remaining == 0) call->Answer(response);
  }
};
}  // namespace

void HandleDeleteGroups(Services& services, const DeleteGroupsRequest& request,
                        const CallPtr& call) {
  auto deletion = std::make_shared<Deletion>();
  deletion->call = call;
  deletion->remaining += request.groups.size();
  for (const std::string& id : request.groups) deletion->response.groups.push_back({id, kNone});
  for (size_t i = 0; i < request.groups.size(); i++) {
    const std::string& id = request.groups[i];
    const ErrorCode refused = CheckGroup(services, call, AclOperation::kDelete, id);
    if (refused != kNone) {
      deletion->End(i, refused);
    } else if (services.groups.HasMembers(id)) {
      deletion->End(i, kNonEmptyGroup);
    } else if (services.offsets->Find(id).empty()) {
      deletion->End(i, kGroupIdNotFound);
    } else {
      services.offsets->Delete(
          id, nullptr, [deletion, i](const Status& status) { deletion->End(i, ErrorOf(status)); });
    }
  }
  deletion->End(request.groups.size(), kNone);
}

}  // namespace millrace::kafka
