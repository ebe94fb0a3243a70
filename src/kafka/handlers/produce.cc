// Produce: batches go into the log as they are; the answer goes out when the last is durable.

#include <atomic>

#include "env/diag.h"
#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"
#include "kafka/throttle.h"
#include "log/compression.h"
#include "log/internal_topics.h"
#include "log/record_batch.h"

namespace millrace::kafka {

namespace {

constexpr size_t kMagicAt = 16;
constexpr char kMagic = 2;

// Ends the call once every batch has its result.
struct Pending {
  Pending(Services& s, CallPtr c, size_t parts, bool quiet)
      : services(s), call(std::move(c)), remaining(parts), answers(!quiet) {}

  void Done(ProduceResponse::Partition& to, const std::string& topic,
            const log::AppendResult& result) {
    to.error_code = ErrorOfAppend(result);
    if (result.status.ok()) {
      to.base_offset = result.base_offset;
      const auto info = services.log.DescribePartition(topic, to.index);
      if (info.ok()) to.log_start_offset = info->start_offset;
    } else {
      to.error_message = MessageOf(result.status);
      failed = true;
    }
    End();
  }
  void Refuse(ProduceResponse::Partition& to, ErrorCode error, const char* why) {
    to.error_code = error;
    to.error_message = why;
    failed = true;
    End();
  }
  void Refuse(ProduceResponse::Partition& to,
              std::vector<ProduceResponse::RecordError> record_errors) {
    to.record_errors = std::move(record_errors);
    Refuse(to, kInvalidRecord, "the topic is strict, and some records are not of its subject");
  }
  void End() {
    if (remaining.fetch_sub(1) > 1) return;
    if (answers) {
      call->Answer(response);
    } else if (failed) {
      // The only sign that a client gets which wants no answers.
      call->Close("records of a Produce request with acks=0 could not be stored");
    } else {
      call->AnswerNothing();
    }
  }

  Services& services;
  const CallPtr call;
  std::atomic<size_t> remaining;
  const bool answers;
  std::atomic<bool> failed{false};
  ProduceResponse response;
};

// What a strict topic does not take of a batch, record by record. A batch that cannot be read has
// no such faults: the log refuses it.
std::vector<ProduceResponse::RecordError> FindFaults(const RecordCheck& check,
                                                     const std::string& topic,
                                                     std::string_view batch) {
  std::vector<ProduceResponse::RecordError> faults;
  const auto header = log::CheckProducedBatch(batch);
  if (!header.ok()) return faults;
  log::Buffer inflated;
  const auto plain = log::PlainRecords(batch, *header, inflated);
  if (!plain.ok()) return faults;
  log::RecordCursor cursor(*plain, *header);
  model::Record record;
  for (int32_t index = 0; cursor.Next(&record); index++) {
    if (auto fault = check.fault(topic, record)) faults.push_back({index, std::move(fault)});
  }
  return faults;
}

void Append(Services& services, const std::optional<std::string>& transactional_id,
            std::string_view batch, const std::shared_ptr<Pending>& pending,
            const std::string& topic, ProduceResponse::Partition& to) {
  const auto done = [pending, &to, &topic](const log::AppendResult& result) {
    pending->Done(to, topic, result);
  };
  const RecordCheck& check = services.options.record_check;
  if (check.applies && check.applies(topic)) {
    auto faults = FindFaults(check, topic, batch);
    if (!faults.empty()) return pending->Refuse(to, std::move(faults));
  }
  const auto header = log::ParseBatchHeader(batch);
  if (transactional_id) {
    const ErrorCode refused =
        services.transactions.Append(*transactional_id, topic, to.index, batch, done);
    if (refused != kNone) pending->Refuse(to, refused, "not a batch of an open transaction");
  } else if (header && header->transactional()) {
    pending->Refuse(to, kInvalidTxnState, "a batch of a transaction, without transactional id");
  } else {
    services.log.AppendBatch(topic, to.index, batch, done);
  }
}

}  // namespace

void HandleProduce(Services& services, const ProduceRequest& request, const CallPtr& call) {
  size_t parts = 1;  // ours, until everything is handed over
  for (const auto& topic : request.topics) parts += topic.partitions.size();
  auto pending = std::make_shared<Pending>(services, call, parts, request.acks == 0);
  // All places first: they must not move while answers come in.
  for (const auto& topic : request.topics) {
    auto& to = pending->response.topics.emplace_back();
    to.name = topic.name;
    for (const auto& partition : topic.partitions)
      to.partitions.emplace_back().index = partition.index;
  }
  const ErrorCode refused =
      request.transactional_id
          ? CheckTransactionalId(services, call, AclOperation::kWrite, *request.transactional_id)
          : kNone;
  int64_t bytes = 0;
  const bool acks_known = request.acks >= -1 && request.acks <= 1;
  for (size_t t = 0; t < request.topics.size(); t++) {
    const ErrorCode topic_refused =
        refused != kNone ? refused
                         : CheckTopic(services, call, AclOperation::kWrite, request.topics[t].name);
    for (size_t p = 0; p < request.topics[t].partitions.size(); p++) {
      const std::string_view records = request.topics[t].partitions[p].records;
      const std::string& topic = pending->response.topics[t].name;
      auto& to = pending->response.topics[t].partitions[p];
      bytes += std::ssize(records);
      if (!acks_known) {
        pending->Refuse(to, kInvalidRequiredAcks, "acks must be 0, 1 or -1 (all)");
      } else if (topic_refused != kNone) {
        pending->Refuse(to, topic_refused, "the client may not write this");
      } else if (log::IsInternalTopic(topic)) {
        pending->Refuse(to, kInvalidTopic, "this topic is written by the server only");
      } else if (records.size() > kMagicAt && records[kMagicAt] != kMagic) {
        pending->Refuse(to, kUnsupportedForMessageFormat,
                        "only record batches of format v2 are stored");
      } else {
        Append(services, request.transactional_id, records, pending, topic, to);
      }
    }
  }
  pending->response.throttle_time_ms = Throttle(services, call, Traffic::kProduce, bytes);
  pending->End();
}

}  // namespace millrace::kafka
