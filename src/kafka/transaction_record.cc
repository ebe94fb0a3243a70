#include "kafka/transaction_record.h"

#include <vector>

#include "kafka/stored_message.h"

namespace millrace::kafka {

namespace {

struct Stored {
  struct Partition {
    std::string topic;
    int32_t partition = 0;
    template <class Io>
    void Visit(Io& io) {
      io(topic, partition);
    }
  };
  struct Offset {
    std::string group;
    Partition at;
    int64_t offset = -1;
    int32_t leader_epoch = -1;
    std::string metadata;
    template <class Io>
    void Visit(Io& io) {
      io(group, at, offset, leader_epoch, metadata);
    }
  };
  int16_t version = 0;
  TransactionRecord record;
  int8_t status = 0;
  std::vector<Partition> partitions;
  std::vector<Offset> offsets;
  template <class Io>
  void Visit(Io& io) {
    io(version, record.producer_id, record.epoch, record.last_epoch, record.timeout_ms, status,
       record.started_ms, record.updated_ms, partitions, offsets);
  }
};

}  // namespace

const char* TransactionStatusName(TransactionStatus status) {
  switch (status) {
    case TransactionStatus::kEmpty:
      return "Empty";
    case TransactionStatus::kOngoing:
      return "Ongoing";
    case TransactionStatus::kPrepareCommit:
      return "PrepareCommit";
    case TransactionStatus::kPrepareAbort:
      return "PrepareAbort";
    case TransactionStatus::kCompleteCommit:
      return "CompleteCommit";
    case TransactionStatus::kCompleteAbort:
      return "CompleteAbort";
  }
  return "Unknown";
}

std::string EncodeTransaction(const TransactionRecord& record) {
  Stored stored;
  stored.record = record;
  stored.status = static_cast<int8_t>(record.status);
  for (const auto& at : record.partitions) stored.partitions.push_back({at.topic, at.partition});
  for (const auto& [group, offsets] : record.offsets) {
    for (const auto& [at, committed] : offsets) {
      stored.offsets.push_back({group,
                                {at.topic, at.partition},
                                committed.offset,
                                committed.leader_epoch,
                                committed.metadata});
    }
  }
  return EncodeStored(std::move(stored));
}

std::optional<TransactionRecord> DecodeTransaction(std::string_view bytes) {
  Stored stored;
  const auto last = static_cast<int8_t>(TransactionStatus::kCompleteAbort);
  if (!DecodeStored(bytes, &stored) || stored.version != 0 || stored.status < 0 ||
      stored.status > last) {
    return std::nullopt;
  }
  TransactionRecord record = std::move(stored.record);
  record.status = static_cast<TransactionStatus>(stored.status);
  for (const auto& at : stored.partitions) record.partitions.insert({at.topic, at.partition});
  for (const auto& offset : stored.offsets) {
    record.offsets[offset.group][{offset.at.topic, offset.at.partition}] = {
        offset.offset, offset.leader_epoch, offset.metadata, 0};
  }
  return record;
}

}  // namespace millrace::kafka
