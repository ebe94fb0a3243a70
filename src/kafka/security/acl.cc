#include "kafka/security/acl.h"

namespace millrace::kafka {

bool Acl::Covers(AclResource kind, std::string_view wanted) const {
  if (kind != resource) return false;
  if (pattern == AclPattern::kPrefixed) return wanted.starts_with(name);
  return name == kEveryName || name == wanted;
}

const char* Acl::Fault() const {
  if (resource < AclResource::kTopic || resource > AclResource::kTransactionalId) {
    return "permissions are for topics, groups, transactional ids and the cluster";
  }
  if (name.empty()) return "the resource has no name";
  if (resource == AclResource::kCluster && name != kClusterName) {
    return "the cluster's name is \"kafka-cluster\"";
  }
  if (pattern != AclPattern::kLiteral && pattern != AclPattern::kPrefixed) {
    return "a pattern is literal or prefixed";
  }
  if (!principal.starts_with("User:") || principal.size() == 5) {
    return "a principal is like \"User:alice\"";
  }
  if (host.empty()) return "a host is an address, or \"*\"";
  if (operation < AclOperation::kAll || operation > AclOperation::kIdempotentWrite) {
    return "there is no such operation";
  }
  if (permission != AclPermission::kAllow && permission != AclPermission::kDeny) {
    return "a permission allows or denies";
  }
  return nullptr;
}

bool AclFilter::Takes(const Acl& acl) const {
  const auto fits = [](const auto& wanted, const auto& value) {
    return !wanted || *wanted == value;
  };
  if (resource != AclResource::kAny && resource != acl.resource) return false;
  if (operation != AclOperation::kAny && operation != acl.operation) return false;
  if (permission != AclPermission::kAny && permission != acl.permission) return false;
  if (!fits(principal, acl.principal) || !fits(host, acl.host)) return false;
  if (pattern == AclPattern::kMatch) return !name || acl.Covers(acl.resource, *name);
  return fits(name, acl.name) && (pattern == AclPattern::kAny || pattern == acl.pattern);
}

}  // namespace millrace::kafka
