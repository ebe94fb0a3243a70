// FindCoordinator and InitProducerId: what a client asks before it joins a group or writes with
// sequences.
#include "kafka/handlers/handlers.h"

namespace millrace::kafka {

void HandleFindCoordinator(Services& services, const FindCoordinatorRequest& request,
                           const CallPtr& call) {
  constexpr int8_t kGroup = 0;
  FindCoordinatorResponse response;
  const auto find = [&](const std::string& key) {
    FindCoordinatorResponse::Coordinator coordinator;
    coordinator.key = key;
    if (request.key_type == kGroup) {
      coordinator.node_id = kNodeId;
      coordinator.host = services.host;
      coordinator.port = services.port;
    } else {
      coordinator.error_code = kTransactionalIdAuthorizationFailed;
      coordinator.error_message = "transactions are not served here";
    }
    return coordinator;
  };
  if (call->version() >= 4) {
    for (const std::string& key : request.keys) response.coordinators.push_back(find(key));
  } else {
    const auto found = find(request.key);
    response.error_code = found.error_code;
    response.error_message = found.error_message;
    response.node_id = found.node_id;
    response.host = found.host;
    response.port = found.port;
  }
  call->Answer(response);
}

void HandleInitProducerId(Services& services, const InitProducerIdRequest& request,
                          const CallPtr& call) {
  InitProducerIdResponse response;
  if (request.transactional_id) {
    response.error_code = kTransactionalIdAuthorizationFailed;
    call->Answer(response);
    return;
  }
  // A producer that keeps its id asks for the next epoch; a new id does as well (KIP-360).
  services.in_background([&services, call, response]() mutable {
    const auto id = services.offsets->NewProducerId();
    if (id.ok()) {
      response.producer_id = *id;
      response.producer_epoch = 0;
    } else {
      response.error_code = ErrorOf(id.status());
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
