// DescribeTransactions, ListTransactions: which transactions there are.
#include <algorithm>
#include <array>

#include "env/clock.h"
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr std::array kStatuses = {
    TransactionStatus::kEmpty,          TransactionStatus::kOngoing,
    TransactionStatus::kPrepareCommit,  TransactionStatus::kPrepareAbort,
    TransactionStatus::kCompleteCommit, TransactionStatus::kCompleteAbort};

template <class T>
bool AsksFor(const std::vector<T>& wanted, const T& value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

bool IsState(const std::string& name) {
  return std::any_of(kStatuses.begin(), kStatuses.end(),
                     [&](auto status) { return name == TransactionStatusName(status); });
}

// Of the topics that the caller may see.
void AddTopics(const Services& services, const CallPtr& call,
               const std::set<TopicPartition>& partitions,
               DescribeTransactionsResponse::Transaction& to) {
  for (const TopicPartition& at : partitions) {
    if (to.topics.empty() || to.topics.back().name != at.topic) {
      if (CheckTopic(services, call, AclOperation::kDescribe, at.topic) != kNone) continue;
      to.topics.push_back({at.topic, {}});
    }
    to.topics.back().partitions.push_back(at.partition);
  }
}

}  // namespace

void HandleDescribeTransactions(Services& services, const DescribeTransactionsRequest& request,
                                const CallPtr& call) {
  DescribeTransactionsResponse response;
  for (const std::string& id : request.transactional_ids) {
    auto& to = response.transactions.emplace_back();
    to.transactional_id = id;
    to.error_code = CheckTransactionalId(services, call, AclOperation::kDescribe, id);
    if (to.error_code != kNone) continue;
    const auto record = services.transactions.Describe(id);
    if (!record) {
      to.error_code = kTransactionalIdNotFound;
      continue;
    }
    to.state = TransactionStatusName(record->status);
    to.timeout_ms = record->timeout_ms;
    if (record->open()) to.start_time_ms = record->started_ms;
    to.producer_id = record->producer_id;
    to.producer_epoch = record->epoch;
    AddTopics(services, call, record->partitions, to);
  }
  call->Answer(response);
}

void HandleListTransactions(Services& services, const ListTransactionsRequest& request,
                            const CallPtr& call) {
  ListTransactionsResponse response;
  for (const std::string& state : request.states) {
    if (!IsState(state)) response.unknown_states.push_back(state);
  }
  const int64_t now_ms = services.clock.WallMicros() / 1000;
  for (const auto& [id, record] : services.transactions.Transactions()) {
    const std::string state = TransactionStatusName(record.status);
    if (!AsksFor(request.states, state)) continue;
    if (!AsksFor(request.producer_ids, record.producer_id)) continue;
    const bool long_enough = request.duration_ms < 0 ||
                             (record.open() && now_ms - record.started_ms > request.duration_ms);
    if (!long_enough) continue;
    if (CheckTransactionalId(services, call, AclOperation::kDescribe, id) != kNone) continue;
    response.transactions.push_back({id, record.producer_id, state});
  }
  call->Answer(response);
}

}  // namespace millrace::kafka
