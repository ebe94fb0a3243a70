// Compaction of a partition: log/compaction.h, applied to all segments but the newest.
//
// Files: what is left of a run of segments is written to `<base offset>.compacted`, and renamed to
// `<base offset>-<end offset>.swap` once it is durable; from then on it counts: it replaces the
// segments of these offsets, also when a crash comes between.
//
// Markers of transactions stay for one compaction more than the records that they hide, and are
// forgotten first: so no reader ever knows of an aborted transaction without meeting its end.
#include <algorithm>

#include "log/batch_reader.h"
#include "log/compaction.h"
#include "log/compression.h"
#include "log/partition.h"
#include "log/swap_files.h"

namespace millrace::log {

namespace {

constexpr size_t kBlockBytes = 1 << 20;
constexpr int64_t kOffsetsPerSegmentMax = 1LL << 31;  // an index counts them in 32 bits

class KeepNewest : public Keep {
 public:
  KeepNewest(const NewestRecords& newest, std::vector<AbortedTransaction> aborted)
      : newest_(newest), aborted_(std::move(aborted)) {}

  bool Batch(const BatchHeader& header) const override {
    return header.control() ? header.base_offset >= compacted_before : !IsAborted(header, aborted_);
  }
  bool Record(const model::Record& record) const override {
    if (record.offset >= decided_before || !record.has_key) return true;
    if (!newest_.IsNewest(record.key, record.offset)) return false;
    // Everything that a tombstone hides went with the compaction before.
    return record.has_value || record.offset >= compacted_before ||
           record.timestamp_ms >= tombstones_since_ms;
  }

  int64_t compacted_before = 0;  // by earlier compactions
  int64_t decided_before = 0;    // the newest records of all keys before it are known
  int64_t tombstones_since_ms = 0;

 private:
  const NewestRecords& newest_;
  const std::vector<AbortedTransaction> aborted_;
};

}  // namespace

// All but the newest, as far as every transaction has ended and every record is old enough.
std::vector<std::shared_ptr<Segment>> Partition::DecidedSegments(int64_t now_ms) const {
  std::vector<std::shared_ptr<Segment>> decided;
  int64_t stable_offset = 0;
  {
    std::lock_guard lock(state_mutex_);
    if (deleted_) return {};
    stable_offset = StableOffsetLocked();
    decided = segments_;
  }
  for (size_t i = 0; i + 1 < decided.size(); i++) {
    const auto newest_ms = decided[i]->MaxTimestamp();
    const bool ready = decided[i + 1]->base_offset() <= stable_offset && newest_ms.ok() &&
                       *newest_ms <= now_ms - compaction_lag_ms_;
    if (!ready) {
      decided.resize(i + 1);
      break;
    }
  }
  if (!decided.empty()) decided.pop_back();
  return decided;
}

Status Partition::ApplyCompaction(int64_t now_ms) {
  if (!compacts_) return {};
  std::lock_guard compaction_lock(compaction_mutex_);
  MR_RETURN_IF_ERROR(FinishSwap());
  const auto segments = DecidedSegments(now_ms);
  int64_t compacted_before = 0;
  int64_t total_bytes = 0, new_bytes = 0;
  {
    const auto commit_lock = LockForCommit();
    if (deleted_) return DeletedError();
    compacted_before = compacted_before_;
    for (const auto& segment : segments) {
      total_bytes += segment->durable_bytes();
      if (segment->base_offset() >= compacted_before) new_bytes += segment->durable_bytes();
    }
    if (new_bytes == 0 || new_bytes * 2 < total_bytes) return {};
    {
      std::lock_guard lock(state_mutex_);
      transactions_.Forget(compacted_before);
    }
    // From here on recovery must not read old segments for what it wants to know of producers.
    MR_RETURN_IF_ERROR(WriteState());
  }
  NewestRecords newest(context_.compaction_keys_bytes);
  MR_ASSIGN_OR_RETURN(const int64_t decided_before,
                      ReadNewest(segments, compacted_before, &newest));
  KeepNewest keep(newest, Aborted(0, decided_before));
  keep.compacted_before = compacted_before;
  keep.decided_before = decided_before;
  keep.tombstones_since_ms = now_ms - tombstones_ms_;

  // Neighbours that fit into one segment become one.
  const std::span<const std::shared_ptr<Segment>> all(segments);
  for (size_t first = 0; first < all.size();) {
    if (all[first]->base_offset() >= decided_before) break;
    size_t count = 1;
    int64_t bytes = all[first]->durable_bytes();
    for (; first + count < all.size(); count++) {
      bytes += all[first + count]->durable_bytes();
      const bool near =
          all[first + count]->base_offset() - all[first]->base_offset() < kOffsetsPerSegmentMax / 2;
      if (bytes > segment_bytes_ || !near) break;
    }
    MR_RETURN_IF_ERROR(Rewrite(all.subspan(first, count), keep));
    first += count;
  }
  const auto commit_lock = LockForCommit();
  {
    std::lock_guard lock(state_mutex_);
    compacted_before_ = decided_before;
  }
  return WriteState();
}

Status Partition::CompactionCancelled() const {
  if (*context_.closing) return Status(Code::kCancelled, "the log is closing");
  std::lock_guard lock(state_mutex_);
  return deleted_ ? DeletedError() : Status();
}

// Learns where each key was written last from the batches at `from` and behind; returns the offset
// up to which that is known, which memory limits.
Result<int64_t> Partition::ReadNewest(const std::vector<std::shared_ptr<Segment>>& segments,
                                      int64_t from, NewestRecords* newest) const {
  Buffer buffer, inflated;
  int64_t decided_before = from;
  const auto aborted = Aborted(from, INT64_MAX);
  for (size_t i = 0; i < segments.size(); i++) {
    if (i + 1 < segments.size() && segments[i + 1]->base_offset() <= from) continue;
    const auto& segment = segments[i];
    MR_ASSIGN_OR_RETURN(const auto file, segment->File(env::OpenMode::kRead));
    BatchReader reader(*file, 0, segment->durable_bytes(), kBlockBytes, buffer);
    while (!reader.at_limit()) {
      MR_RETURN_IF_ERROR(CompactionCancelled());
      MR_ASSIGN_OR_RETURN(const auto header, reader.Header());
      if (!header) return Status(Code::kCorruption, "\"" + segment->path() + "\" is damaged");
      if (header->end_offset() > from && !header->control() && !IsAborted(*header, aborted)) {
        MR_ASSIGN_OR_RETURN(const auto batch, reader.Body(*header));
        MR_ASSIGN_OR_RETURN(const auto plain, PlainRecords(batch, *header, inflated));
        RecordCursor cursor(plain, *header);
        model::Record record;
        while (cursor.Next(&record)) {
          if (record.has_key && !newest->Add(record.key, record.offset)) return record.offset;
        }
        MR_RETURN_IF_ERROR(cursor.status());
      }
      decided_before = std::max(decided_before, header->end_offset());
      reader.Advance(*header);
    }
  }
  return decided_before;
}

Status Partition::Rewrite(std::span<const std::shared_ptr<Segment>> group, const Keep& keep) {
  const std::string path = group.front()->Path(".compacted");
  MR_ASSIGN_OR_RETURN(const auto out, context_.files->Open(path, env::OpenMode::kCreate));
  MR_RETURN_IF_ERROR(out->Truncate(0));
  SegmentRewriter rewriter(*out, group.front()->base_offset());
  Buffer buffer;
  int64_t end = group.front()->base_offset();
  int64_t bytes = 0;
  for (const auto& segment : group) {
    MR_ASSIGN_OR_RETURN(const auto file, segment->File(env::OpenMode::kRead));
    BatchReader reader(*file, 0, segment->durable_bytes(), kBlockBytes, buffer);
    while (!reader.at_limit()) {
      MR_RETURN_IF_ERROR(CompactionCancelled());
      MR_ASSIGN_OR_RETURN(const auto header, reader.Header());
      if (!header) return Status(Code::kCorruption, "\"" + segment->path() + "\" is damaged");
      MR_ASSIGN_OR_RETURN(const auto batch, reader.Body(*header));
      if (!ChecksumHolds(batch)) {
        return Status(Code::kCorruption, "\"" + segment->path() + "\" is damaged");
      }
      MR_RETURN_IF_ERROR(rewriter.Add(batch, *header, keep));
      end = header->end_offset();
      reader.Advance(*header);
    }
    bytes += segment->durable_bytes();
  }
  MR_RETURN_IF_ERROR(rewriter.Finish(end));
  if (group.size() == 1 && rewriter.size_bytes() == bytes) return context_.files->Remove(path);
  return Swap(group, end);
}

// Puts the compacted file in the place of the group's segments.
Status Partition::Swap(std::span<const std::shared_ptr<Segment>> group, int64_t end) {
  for (const auto& segment : group) MR_RETURN_IF_ERROR(segment->KeepOpen());
  {
    const auto commit_lock = LockForCommit();
    if (deleted_) return DeletedError();
    const auto first = std::find(segments_.begin(), segments_.end(), group.front());
    if (first == segments_.end()) {
      return Status(Code::kFailedPrecondition, "records were deleted meanwhile");
    }
    const SwapFile swap{directory_, group.front()->base_offset(), end};
    MR_RETURN_IF_ERROR(context_.files->Rename(group.front()->Path(".compacted"), swap.path()));
    unfinished_swap_ = swap;
  }
  return FinishSwap();
}

Status Partition::FinishSwap() {
  const auto commit_lock = LockForCommit();
  if (deleted_) return DeletedError();
  if (!unfinished_swap_) return {};
  const SwapFile& swap = *unfinished_swap_;
  MR_RETURN_IF_ERROR(CompleteSwap(*context_.files, swap, context_.fsync));
  const auto base_before = [](const std::shared_ptr<Segment>& segment, int64_t offset) {
    return segment->base_offset() < offset;
  };
  const auto first =
      std::lower_bound(segments_.begin(), segments_.end(), swap.base_offset, base_before);
  const auto end =
      std::lower_bound(segments_.begin(), segments_.end(), swap.end_offset, base_before);
  MR_ASSIGN_OR_RETURN(const int64_t bytes, context_.files->Size((*first)->path()));
  std::lock_guard lock(state_mutex_);
  *first = NewSegment(swap.base_offset, bytes);
  segments_.erase(first + 1, end);
  unfinished_swap_.reset();
  return {};
}

}  // namespace millrace::log
