#include "kafka/error_codes.h"

namespace millrace::kafka {

ErrorCode ErrorOf(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return kNone;
    case Code::kNotFound:
      return kUnknownTopicOrPartition;
    case Code::kAlreadyExists:
      return kTopicAlreadyExists;
    case Code::kInvalidArgument:
      return kOffsetOutOfRange;
    case Code::kCorruption:
    case Code::kIo:
    case Code::kResourceExhausted:
      return kStorageError;
    case Code::kUnsupported:
      return kInvalidRequest;
    case Code::kCancelled:
    case Code::kUnavailable:
      return kCoordinatorNotAvailable;
    default:
      return kUnknownServerError;
  }
}

ErrorCode ErrorOfAppend(const log::AppendResult& result) {
  if (result.fault == log::SequenceFault::kGap) return kOutOfOrderSequence;
  if (result.fault == log::SequenceFault::kStaleEpoch) return kInvalidProducerEpoch;
  switch (result.status.code()) {
    case Code::kCorruption:
      return kCorruptMessage;
    case Code::kInvalidArgument:
      return kMessageTooLarge;
    case Code::kUnsupported:
      return kInvalidRecord;
    case Code::kCancelled:
    case Code::kResourceExhausted:  // clients send it again
      return kRequestTimedOut;
    default:
      return ErrorOf(result.status);
  }
}

std::string MessageOf(const Status& status) {
  return status.hint().empty() ? status.message() : status.message() + "; " + status.hint();
}

}  // namespace millrace::kafka
