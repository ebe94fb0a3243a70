// Retention: whole segments go, oldest first; the newest only after a roll made it an older one.
#include <algorithm>

#include "log/partition.h"

namespace millrace::log {

void Partition::ApplyRetention(int64_t now_ms) {
  const int64_t retention_ms = removes_ ? retention_ms_.load() : -1;
  const int64_t retention_bytes = removes_ ? retention_bytes_.load() : -1;
  int64_t deleted_before;
  {
    std::lock_guard lock(state_mutex_);
    deleted_before = deleted_before_;
  }
  const auto expired = [&](Segment& segment) {
    if (retention_ms < 0) return false;
    const auto newest = segment.MaxTimestamp();
    return newest.ok() && *newest < now_ms - retention_ms;
  };
  while (true) {
    const auto segments = SegmentList();
    if (segments.empty()) break;
    const auto& oldest = segments.front();
    if (segments.size() == 1) {
      const bool roll = oldest->durable_bytes() > 0 && expired(*oldest);
      if (!roll || !RollForRetention().ok()) break;
      continue;
    }
    int64_t kept_bytes = 0;
    for (size_t i = 1; i < segments.size(); i++) kept_bytes += segments[i]->durable_bytes();
    const bool over = retention_bytes >= 0 && kept_bytes >= retention_bytes;
    const bool empty = segments[1]->base_offset() <= deleted_before;
    if (!over && !empty && !expired(*oldest)) break;
    if (!empty && segments[1]->base_offset() > held_from_) break;
    if (!DropOldest(oldest)) break;
  }
  RemoveDropped();
}

Result<int64_t> Partition::DeleteRecords(int64_t before) {
  {
    const auto commit_lock = LockForCommit();
    if (deleted_) return DeletedError();
    const int64_t start = StartOffsetLocked();  // changed under the commit lock only
    if (before > end_offset_) return OutOfRange(before, start, end_offset_);
    if (before <= start) return start;
    const int64_t earlier = deleted_before_;
    {
      std::lock_guard lock(state_mutex_);
      deleted_before_ = before;
    }
    if (Status status = WriteState(); !status.ok()) {
      std::lock_guard lock(state_mutex_);
      deleted_before_ = earlier;
      return status;
    }
  }
  ApplyRetention(context_.clock->WallMicros() / 1000);
  return before;
}

Status Partition::RollForRetention() {
  const auto commit_lock = LockForCommit();
  // A commit may have added records while we waited for it; then there is nothing to do.
  if (deleted_ || needs_cut_ || segments_.size() != 1 || segments_.back()->durable_bytes() == 0) {
    return Status(Code::kFailedPrecondition, "the segment is in use");
  }
  auto next = NewSegment(end_offset_, 0);
  MR_ASSIGN_OR_RETURN(const auto file, next->File(env::OpenMode::kCreate));
  MR_RETURN_IF_ERROR(file->Truncate(0));
  if (context_.fsync) MR_RETURN_IF_ERROR(context_.files->SyncDirectory(directory_));
  {
    std::lock_guard lock(state_mutex_);
    segments_.push_back(std::move(next));
  }
  WriteStateIfPossible();
  return {};
}

bool Partition::DropOldest(const std::shared_ptr<Segment>& segment) {
  const auto commit_lock = LockForCommit();
  std::lock_guard lock(state_mutex_);
  const bool busy = deleted_ || unfinished_swap_;
  if (busy || segments_.size() < 2 || segments_.front() != segment) return false;
  segments_.erase(segments_.begin());
  std::lock_guard dropped_lock(dropped_mutex_);
  dropped_.push_back(segment);
  return true;
}

// In order, and one by one onto the disk: a crash must not leave a hole between segments.
void Partition::RemoveDropped() {
  std::lock_guard lock(dropped_mutex_);
  while (!dropped_.empty()) {
    const Segment& segment = *dropped_.front();
    for (const auto* suffix : {".log", ".index", ".timeindex"}) {
      Status status = context_.files->Remove(segment.Path(suffix));
      // Tried again at the next pass.
      if (!status.ok() && status.code() != Code::kNotFound) return;
    }
    if (context_.fsync && !context_.files->SyncDirectory(directory_).ok()) return;
    dropped_.erase(dropped_.begin());
  }
}

}  // namespace millrace::log
