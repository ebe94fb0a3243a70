// What a handler asks before it serves an item: kNone, or the error that its answer has for it.
// Without permissions in millrace.yml everything is allowed.
#pragma once

#include <string>

#include "kafka/call.h"
#include "kafka/services.h"

namespace millrace::kafka {

ErrorCode CheckTopic(const Services& services, const CallPtr& call, AclOperation operation,
                     const std::string& topic);
ErrorCode CheckGroup(const Services& services, const CallPtr& call, AclOperation operation,
                     const std::string& group);
ErrorCode CheckTransactionalId(const Services& services, const CallPtr& call,
                               AclOperation operation, const std::string& id);
ErrorCode CheckCluster(const Services& services, const CallPtr& call, AclOperation operation);
// To make a topic: a permission on the topic, or on the cluster.
ErrorCode CheckCreation(const Services& services, const CallPtr& call, const std::string& topic);
// To write with sequences: a permission on the cluster, or to write to any topic (KIP-679).
ErrorCode CheckIdempotence(const Services& services, const CallPtr& call);

}  // namespace millrace::kafka
