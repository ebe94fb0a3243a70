#include "kafka/security/authorizer.h"

#include <algorithm>

namespace millrace::kafka {

namespace {

bool IsFor(const Acl& acl, std::string_view principal, std::string_view host) {
  return (acl.principal == principal || acl.principal == kEveryUser) &&
         (acl.host == host || acl.host == kEveryHost);
}

// What an ACL that allows `given` allows as well.
bool Implies(AclOperation given, AclOperation wanted) {
  if (given == wanted || given == AclOperation::kAll) return true;
  if (wanted == AclOperation::kDescribe) {
    return given == AclOperation::kRead || given == AclOperation::kWrite ||
           given == AclOperation::kDelete || given == AclOperation::kAlter;
  }
  return wanted == AclOperation::kDescribeConfigs && given == AclOperation::kAlterConfigs;
}

bool Denies(const Acl& acl, AclOperation wanted) {
  return acl.permission == AclPermission::kDeny &&
         (acl.operation == wanted || acl.operation == AclOperation::kAll);
}

}  // namespace

void Authorizer::ForEach(const std::function<void(const Acl&)>& visit) const {
  for (const Acl& acl : options_.declared) visit(acl);
  const auto content = file_.content();
  for (const Acl& acl : content->acls) visit(acl);
}

bool Authorizer::Allows(std::string_view principal, std::string_view host, AclOperation operation,
                        AclResource resource, std::string_view name) const {
  if (options_.super_users.contains(std::string(principal))) return true;
  bool allowed = false;
  bool denied = false;
  bool said = false;
  ForEach([&](const Acl& acl) {
    if (!acl.Covers(resource, name)) return;
    said = true;
    if (!IsFor(acl, principal, host)) return;
    denied |= Denies(acl, operation);
    allowed |= acl.permission == AclPermission::kAllow && Implies(acl.operation, operation);
  });
  if (denied) return false;
  return allowed || (!said && options_.allow_without_acl);
}

bool Authorizer::AllowsSome(std::string_view principal, std::string_view host,
                            AclOperation operation, AclResource resource) const {
  if (options_.super_users.contains(std::string(principal))) return true;
  std::vector<Acl> allowing;
  bool all_denied = false;
  ForEach([&](const Acl& acl) {
    if (acl.resource != resource || !IsFor(acl, principal, host)) return;
    const bool everything = acl.pattern == AclPattern::kLiteral && acl.name == kEveryName;
    all_denied |= everything && Denies(acl, operation);
    if (acl.permission == AclPermission::kAllow && Implies(acl.operation, operation)) {
      allowing.push_back(acl);
    }
  });
  if (all_denied) return false;
  // What allows one name must not be denied for it, nor for all names that begin so.
  return options_.allow_without_acl ||
         std::any_of(allowing.begin(), allowing.end(), [&](const Acl& acl) {
           return (acl.pattern == AclPattern::kLiteral && acl.name == kEveryName) ||
                  Allows(principal, host, operation, resource, acl.name);
         });
}

std::vector<Acl> Authorizer::Find(const AclFilter& filter) const {
  std::vector<Acl> found;
  ForEach([&](const Acl& acl) {
    if (filter.Takes(acl)) found.push_back(acl);
  });
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

Status Authorizer::Add(const std::vector<Acl>& acls) {
  return file_.Change([&](SecurityContent& content) {
    for (const Acl& acl : acls) {
      const auto& all = content.acls;
      if (std::find(all.begin(), all.end(), acl) == all.end()) content.acls.push_back(acl);
    }
  });
}

Result<std::vector<std::vector<Acl>>> Authorizer::Remove(const std::vector<AclFilter>& filters) {
  std::vector<std::vector<Acl>> taken(filters.size());
  MR_RETURN_IF_ERROR(file_.Change([&](SecurityContent& content) {
    for (size_t i = 0; i < filters.size(); i++) {
      for (const Acl& acl : content.acls) {
        if (filters[i].Takes(acl)) taken[i].push_back(acl);
      }
    }
    std::erase_if(content.acls, [&](const Acl& acl) {
      return std::any_of(filters.begin(), filters.end(),
                         [&](const AclFilter& filter) { return filter.Takes(acl); });
    });
  }));
  return taken;
}

}  // namespace millrace::kafka
