// TopicReader: the records of a topic wherever they are: in the log, or, since retention took them,
// in its archive. Offsets go from one into the other without a gap or a double.
//
// Contract: one thread. A range that was read reads the same again, also when retention moved it in
// between.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "log/archive.h"
#include "log/log.h"

namespace millrace::log {

class TopicReader {
 public:
  // `log` outlives it.
  TopicReader(Log& log, std::string topic) : log_(log), topic_(std::move(topic)) {}

  // The oldest offset from which on everything can be read.
  Result<int64_t> Start(int partition) const;
  // As those of Log, over what the archive has, too.
  Result<int64_t> OffsetForTime(int partition, int64_t timestamp_ms) const;
  Result<int64_t> OffsetAfterBytes(int partition, int64_t from, int64_t budget_bytes) const;
  // As Log::Read; of the archive a block may be larger than max_bytes. Error kFailedPrecondition
  // when `from` lies before Start.
  Result<int64_t> Read(int partition, int64_t from, int64_t to, int64_t max_bytes,
                       const std::function<void(std::span<const model::Record>)>& visit);

 private:
  // Of what lies before `info.start_offset`.
  Result<int64_t> ArchivedFrom(int partition, const PartitionInfo& info) const;

  Log& log_;
  const std::string topic_;
  std::unique_ptr<ArchiveReader> archived_;  // since something was read of it
};

}  // namespace millrace::log
