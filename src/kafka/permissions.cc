#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

bool May(const Services& services, const CallPtr& call, AclOperation operation,
         AclResource resource, const std::string& name) {
  const Session& session = call->session();
  return services.authorizer == nullptr ||
         services.authorizer->Allows(session.principal, session.address, operation, resource, name);
}

}  // namespace

ErrorCode CheckTopic(const Services& services, const CallPtr& call, AclOperation operation,
                     const std::string& topic) {
  return May(services, call, operation, AclResource::kTopic, topic) ? kNone
                                                                    : kTopicAuthorizationFailed;
}

ErrorCode CheckGroup(const Services& services, const CallPtr& call, AclOperation operation,
                     const std::string& group) {
  return May(services, call, operation, AclResource::kGroup, group) ? kNone
                                                                    : kGroupAuthorizationFailed;
}

ErrorCode CheckTransactionalId(const Services& services, const CallPtr& call,
                               AclOperation operation, const std::string& id) {
  return May(services, call, operation, AclResource::kTransactionalId, id)
             ? kNone
             : kTransactionalIdAuthorizationFailed;
}

ErrorCode CheckCluster(const Services& services, const CallPtr& call, AclOperation operation) {
  return May(services, call, operation, AclResource::kCluster, kClusterName)
             ? kNone
             : kClusterAuthorizationFailed;
}

ErrorCode CheckCreation(const Services& services, const CallPtr& call, const std::string& topic) {
  if (CheckCluster(services, call, AclOperation::kCreate) == kNone) return kNone;
  return CheckTopic(services, call, AclOperation::kCreate, topic);
}

ErrorCode CheckIdempotence(const Services& services, const CallPtr& call) {
  const ErrorCode error = CheckCluster(services, call, AclOperation::kIdempotentWrite);
  if (error == kNone) return kNone;
  const Session& session = call->session();
  return services.authorizer->AllowsSome(session.principal, session.address, AclOperation::kWrite,
                                         AclResource::kTopic)
             ? kNone
             : error;
}

}  // namespace millrace::kafka
