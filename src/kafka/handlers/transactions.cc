// AddPartitionsToTxn, AddOffsetsToTxn, EndTxn: what a transaction consists of, and how it ends.
// TxnOffsetCommit stands with the other commits of offsets.
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

// Older clients know only one error for a producer whose place was taken.
ErrorCode Fenced(ErrorCode error, const CallPtr& call) {
  constexpr int kKnowsFenced = 2;
  return error == kInvalidProducerEpoch && call->version() >= kKnowsFenced ? kProducerFenced
                                                                           : error;
}

template <class Request>
TransactionalProducer ProducerOf(const Request& request) {
  return {request.transactional_id, request.producer_id, request.producer_epoch};
}

}  // namespace

void HandleAddPartitionsToTxn(Services& services, const AddPartitionsToTxnRequest& request,
                              const CallPtr& call) {
  auto response = std::make_shared<AddPartitionsToTxnResponse>();
  std::vector<TopicPartition> partitions;
  bool refused = false;
  const ErrorCode id_error =
      CheckTransactionalId(services, call, AclOperation::kWrite, request.transactional_id);
  for (const auto& topic : request.topics) {
    auto& to = response->topics.emplace_back();
    to.name = topic.name;
    const ErrorCode topic_error =
        id_error != kNone ? id_error : CheckTopic(services, call, AclOperation::kWrite, topic.name);
    const auto info = services.log.Describe(topic.name);
    for (const int32_t index : topic.partitions) {
      const bool there = info.ok() && index >= 0 && index < info->config.partitions;
      ErrorCode error = there ? kNone : kUnknownTopicOrPartition;
      if (topic.name == kOffsetsTopic) error = kTopicAuthorizationFailed;
      if (topic_error != kNone) error = topic_error;
      refused |= error != kNone;
      to.partitions.push_back({index, error});
      partitions.push_back({topic.name, index});
    }
  }
  const auto answer = [response, call](ErrorCode error) {
    for (auto& topic : response->topics) {
      for (auto& partition : topic.partitions) {
        if (partition.error_code == kNone) partition.error_code = Fenced(error, call);
      }
    }
    call->Answer(*response);
  };
  if (refused) return answer(kOperationNotAttempted);  // all or none
  services.transactions.AddPartitions(ProducerOf(request), std::move(partitions), answer);
}

void HandleAddOffsetsToTxn(Services& services, const AddOffsetsToTxnRequest& request,
                           const CallPtr& call) {
  AddOffsetsToTxnResponse refused;
  refused.error_code =
      CheckTransactionalId(services, call, AclOperation::kWrite, request.transactional_id);
  if (refused.error_code == kNone) {
    refused.error_code = CheckGroup(services, call, AclOperation::kRead, request.group_id);
  }
  if (refused.error_code != kNone) {
    call->Answer(refused);
    return;
  }
  services.transactions.AddGroup(ProducerOf(request), [call](ErrorCode error) {
    AddOffsetsToTxnResponse response;
    response.error_code = Fenced(error, call);
    call->Answer(response);
  });
}

void HandleEndTxn(Services& services, const EndTxnRequest& request, const CallPtr& call) {
  EndTxnResponse refused;
  refused.error_code =
      CheckTransactionalId(services, call, AclOperation::kWrite, request.transactional_id);
  if (refused.error_code != kNone) {
    call->Answer(refused);
    return;
  }
  services.transactions.End(ProducerOf(request), request.committed, [call](ErrorCode error) {
    EndTxnResponse response;
    response.error_code = Fenced(error, call);
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
