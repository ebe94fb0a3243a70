// TransactionRecord: what is kept, durably, of one transactional id.
//
// Format of a value with key {int16 1001, string transactional id} in `__consumer_offsets`,
// integers big-endian, strings and arrays with int16 and int32 lengths: int16 0; int64 producer id;
// int16 epoch, int16 epoch before it that the same producer had (-1: none); int32 timeout ms; int8
// status (Kafka's numbers); int64 start ms; int64 update ms; partitions {topic, int32}; offsets
// {group, topic, int32 partition, int64 offset, int32 leader epoch, metadata}.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "kafka/offset_store.h"

namespace millrace::kafka {

enum class TransactionStatus : int8_t {
  kEmpty = 0,
  kOngoing = 1,
  kPrepareCommit = 2,  // decided; markers may be missing
  kPrepareAbort = 3,
  kCompleteCommit = 4,
  kCompleteAbort = 5,
};

// As Kafka calls it: "Ongoing", "PrepareCommit", …
const char* TransactionStatusName(TransactionStatus status);

struct TransactionRecord {
  int64_t producer_id = -1;  // -1: none was given out yet
  int16_t epoch = -1;
  int16_t last_epoch = -1;  // that the producer had when it asked for this one; -1: a new producer
  int32_t timeout_ms = 0;
  TransactionStatus status = TransactionStatus::kEmpty;
  int64_t started_ms = 0;  // wall clock
  int64_t updated_ms = 0;
  std::set<TopicPartition> partitions;          // that it writes to
  std::map<std::string, GroupOffsets> offsets;  // by group, once it commits

  bool open() const { return status == TransactionStatus::kOngoing || decided(); }
  bool decided() const {
    return status == TransactionStatus::kPrepareCommit ||
           status == TransactionStatus::kPrepareAbort;
  }
};

std::string EncodeTransaction(const TransactionRecord& record);
std::optional<TransactionRecord> DecodeTransaction(std::string_view bytes);

}  // namespace millrace::kafka
