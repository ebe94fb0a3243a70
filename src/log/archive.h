// Archive: records that retention took from the log, kept elsewhere (Log::SetArchive).
//
// Contract: any thread; a reader belongs to one. What was read once reads the same again, until it
// is too old for the archive, too.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "log/log.h"
#include "model/record.h"

namespace millrace::log {

class ArchiveReader {
 public:
  virtual ~ArchiveReader() = default;
  // Calls `visit` for the records of a partition from `from` on, in order, in blocks, and may stop
  // before `to`; views as Log::Read. Returns the offset to continue from. Errors: kNotFound when
  // `from` is not here; those of where it lies.
  virtual Result<int64_t> Read(
      int partition, int64_t from, int64_t to,
      const std::function<void(std::span<const model::Record>)>& visit) = 0;
};

class Archive {
 public:
  virtual ~Archive() = default;
  // The first offset from which on everything before `before` is here; `before`: nothing is.
  virtual Result<int64_t> Start(const std::string& topic, int partition, int64_t before) const = 0;
  // As Log::OffsetAfterBytes, of an offset that is here.
  virtual Result<int64_t> OffsetAfterBytes(const std::string& topic, int partition, int64_t from,
                                           int64_t budget_bytes) const = 0;
  // First offset of `range`, all of which is here, whose timestamp is >= timestamp_ms; range.to
  // when there is none.
  virtual Result<int64_t> OffsetForTime(const std::string& topic, int partition, OffsetRange range,
                                        int64_t timestamp_ms) const = 0;
  virtual std::unique_ptr<ArchiveReader> NewReader(const std::string& topic) const = 0;
};

}  // namespace millrace::log
