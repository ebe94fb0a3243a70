// DescribeAcls, CreateAcls, DeleteAcls: the permissions that are kept by the server. Those of
// millrace.yml are described, but not changed.
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr const char* kNoAcls = "millrace.yml does not turn permissions on (kafka: acls)";

AclFilter FilterOf(const AclFilterMessage& message) {
  return {static_cast<AclResource>(message.resource_type),
          message.resource_name,
          static_cast<AclPattern>(message.pattern_type),
          message.principal,
          message.host,
          static_cast<AclOperation>(message.operation),
          static_cast<AclPermission>(message.permission)};
}

// kNone when the client may ask for permissions with this operation on the cluster.
ErrorCode Refusal(const Services& services, const CallPtr& call, AclOperation operation) {
  return services.authorizer == nullptr ? kSecurityDisabled
                                        : CheckCluster(services, call, operation);
}

std::optional<std::string> WhyRefused(ErrorCode error) {
  return error == kSecurityDisabled ? kNoAcls : "this needs a permission on the cluster";
}

}  // namespace

void HandleDescribeAcls(Services& services, const DescribeAclsRequest& request,
                        const CallPtr& call) {
  DescribeAclsResponse response;
  response.error_code = Refusal(services, call, AclOperation::kDescribe);
  if (response.error_code != kNone) {
    response.error_message = WhyRefused(ErrorCode{response.error_code});
    call->Answer(response);
    return;
  }
  for (const Acl& acl : services.authorizer->Find(FilterOf(request))) {
    const auto type = static_cast<int8_t>(acl.resource);
    const auto pattern = static_cast<int8_t>(acl.pattern);
    auto& resources = response.resources;
    if (resources.empty() || resources.back().type != type || resources.back().name != acl.name ||
        resources.back().pattern_type != pattern) {
      resources.push_back({type, acl.name, pattern, {}});
    }
    resources.back().acls.push_back({acl.principal, acl.host, static_cast<int8_t>(acl.operation),
                                     static_cast<int8_t>(acl.permission)});
  }
  call->Answer(response);
}

void HandleCreateAcls(Services& services, const CreateAclsRequest& request, const CallPtr& call) {
  const ErrorCode refused = Refusal(services, call, AclOperation::kAlter);
  CreateAclsResponse response;
  std::vector<Acl> acls;
  for (const auto& creation : request.creations) {
    const Acl acl{static_cast<AclResource>(creation.resource_type),
                  creation.resource_name,
                  static_cast<AclPattern>(creation.pattern_type),
                  creation.principal,
                  creation.host,
                  static_cast<AclOperation>(creation.operation),
                  static_cast<AclPermission>(creation.permission)};
    auto& result = response.results.emplace_back();
    if (refused != kNone) {
      result = {refused, WhyRefused(refused)};
    } else if (const char* fault = acl.Fault(); fault != nullptr) {
      result = {kInvalidRequest, fault};
    } else {
      acls.push_back(acl);
    }
  }
  if (acls.empty()) {
    call->Answer(response);
    return;
  }
  services.in_background([&services, call, response, acls]() mutable {
    const Status status = services.authorizer->Add(acls);
    for (auto& result : response.results) {
      if (result.error_code == kNone && !status.ok()) result = {ErrorOf(status), MessageOf(status)};
    }
    call->Answer(response);
  });
}

void HandleDeleteAcls(Services& services, const DeleteAclsRequest& request, const CallPtr& call) {
  const ErrorCode refused = Refusal(services, call, AclOperation::kAlter);
  DeleteAclsResponse response;
  response.results.resize(request.filters.size());
  if (refused != kNone) {
    for (auto& result : response.results) result = {refused, WhyRefused(refused), {}};
    call->Answer(response);
    return;
  }
  std::vector<AclFilter> filters;
  for (const auto& filter : request.filters) filters.push_back(FilterOf(filter));
  services.in_background([&services, call, response, filters]() mutable {
    const auto taken = services.authorizer->Remove(filters);
    for (size_t i = 0; i < filters.size(); i++) {
      auto& result = response.results[i];
      if (!taken.ok()) {
        result = {ErrorOf(taken.status()), MessageOf(taken.status()), {}};
        continue;
      }
      for (const Acl& acl : (*taken)[i]) {
        result.acls.push_back({kNone, std::nullopt, static_cast<int8_t>(acl.resource), acl.name,
                               static_cast<int8_t>(acl.pattern), acl.principal, acl.host,
                               static_cast<int8_t>(acl.operation),
                               static_cast<int8_t>(acl.permission)});
      }
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
