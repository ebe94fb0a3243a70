// FindCoordinator and InitProducerId: what a client asks before it joins a group or writes with
// sequences or in transactions.
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

void HandleFindCoordinator(Services& services, const FindCoordinatorRequest& request,
                           const CallPtr& call) {
  constexpr int8_t kTransaction = 1;
  FindCoordinatorResponse response;
  const auto find = [&](const std::string& key) {
    FindCoordinatorResponse::Coordinator coordinator;
    coordinator.key = key;
    const ErrorCode refused =
        request.key_type == kTransaction
            ? CheckTransactionalId(services, call, AclOperation::kDescribe, key)
            : CheckGroup(services, call, AclOperation::kDescribe, key);
    if (refused != kNone) {
      coordinator.error_code = refused;
      coordinator.error_message = "the client may not describe it";
    } else if (request.key_type >= 0 && request.key_type <= kTransaction) {
      coordinator.node_id = kNodeId;
      coordinator.host = call->endpoint().host;
      coordinator.port = call->endpoint().port;
    } else {
      coordinator.error_code = kInvalidRequest;
      coordinator.error_message = "only groups and transactions have a coordinator here";
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
  response.error_code =
      request.transactional_id
          ? CheckTransactionalId(services, call, AclOperation::kWrite, *request.transactional_id)
          : CheckIdempotence(services, call);
  if (response.error_code != kNone) {
    call->Answer(response);
    return;
  }
  if (request.transactional_id) {
    constexpr int kKnowsFenced = 4;
    const TransactionalProducer producer{*request.transactional_id, request.producer_id,
                                         request.producer_epoch};
    services.in_background([&services, call, producer, timeout = request.transaction_timeout_ms] {
      services.transactions.Init(
          producer, timeout, [call](ErrorCode error, int64_t id, int16_t epoch) {
            InitProducerIdResponse answer;
            const bool fenced = error == kProducerFenced && call->version() < kKnowsFenced;
            answer.error_code = fenced ? kInvalidProducerEpoch : error;
            answer.producer_id = id;
            answer.producer_epoch = epoch;
            call->Answer(answer);
          });
    });
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
