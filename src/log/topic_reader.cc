#include "log/topic_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {

Result<int64_t> TopicReader::ArchivedFrom(int partition, const PartitionInfo& info) const {
  const int64_t start = info.start_offset;
  if (log_.archive() == nullptr || info.deleted_before >= start) return start;
  MR_ASSIGN_OR_RETURN(const int64_t from, log_.archive()->Start(topic_, partition, start));
  return std::max(from, info.deleted_before);
}

Result<int64_t> TopicReader::Start(int partition) const {
  MR_ASSIGN_OR_RETURN(const PartitionInfo info, log_.DescribePartition(topic_, partition));
  return ArchivedFrom(partition, info);
}

Result<int64_t> TopicReader::OffsetForTime(int partition, int64_t timestamp_ms) const {
  MR_ASSIGN_OR_RETURN(const PartitionInfo info, log_.DescribePartition(topic_, partition));
  MR_ASSIGN_OR_RETURN(const int64_t from, ArchivedFrom(partition, info));
  if (from < info.start_offset) {
    MR_ASSIGN_OR_RETURN(
        const int64_t found,
        log_.archive()->OffsetForTime(topic_, partition, {from, info.start_offset}, timestamp_ms));
    if (found < info.start_offset) return found;
  }
  return log_.OffsetForTime(topic_, partition, timestamp_ms);
}

Result<int64_t> TopicReader::OffsetAfterBytes(int partition, int64_t from,
                                              int64_t budget_bytes) const {
  MR_ASSIGN_OR_RETURN(const PartitionInfo info, log_.DescribePartition(topic_, partition));
  if (from >= info.start_offset || log_.archive() == nullptr) {
    return log_.OffsetAfterBytes(topic_, partition, from, budget_bytes);
  }
  return log_.archive()->OffsetAfterBytes(topic_, partition, from, budget_bytes);
}

Result<int64_t> TopicReader::Read(
    int partition, int64_t from, int64_t to, int64_t max_bytes,
    const std::function<void(std::span<const model::Record>)>& visit) {
  MR_ASSIGN_OR_RETURN(PartitionInfo info, log_.DescribePartition(topic_, partition));
  if (from >= info.start_offset) {
    auto next = log_.Read(topic_, partition, from, to, max_bytes, visit);
    if (next.ok()) return next;
    // Retention may have taken it just now.
    MR_ASSIGN_OR_RETURN(info, log_.DescribePartition(topic_, partition));
    if (from >= info.start_offset) return next;
  }
  const Archive* archive = log_.archive();
  if (archive != nullptr && from >= info.deleted_before) {
    if (!archived_) archived_ = archive->NewReader(topic_);
    auto next = archived_->Read(partition, from, std::min(to, info.start_offset), visit);
    if (next.ok() || next.status().code() != Code::kNotFound) return next;
  }
  MR_ASSIGN_OR_RETURN(const int64_t start, ArchivedFrom(partition, info));
  return Status(Code::kFailedPrecondition,
                fmt::format("topic \"{}\" partition {} no longer has records {} to {}", topic_,
                            partition, from, start - 1))
      .WithDetail("retention removed them")
      .WithHint(
          "keep records longer: 'retention' of the topic, or 'keep' of its 'parquet', in "
          "millrace.yml");
}

}  // namespace millrace::log
