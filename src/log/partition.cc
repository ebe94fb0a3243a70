#include "log/partition.h"

#include <algorithm>

#include "base/units.h"
#include "log/committer.h"

namespace millrace::log {

Partition::Partition(const PartitionContext& context, std::string topic, int number,
                     std::string directory, const TopicConfig& config, PartitionState state)
    : context_(context),
      topic_(std::move(topic)),
      number_(number),
      name_(topic_ + "-" + std::to_string(number)),
      directory_(std::move(directory)),
      pending_(context.builders, std::move(state.producers)),
      deleted_before_(state.start_offset),
      compacted_before_(state.compacted_before),
      end_offset_(state.end_offset),
      max_timestamp_ms_(state.max_timestamp_ms),
      transactions_(std::move(state.transactions)) {
  SetConfig(config);
}

std::shared_ptr<Segment> Partition::NewSegment(int64_t base_offset, int64_t durable_bytes) {
  return std::make_shared<Segment>(context_.files, context_.open_files, directory_, base_offset,
                                   durable_bytes);
}

void Partition::SetConfig(const TopicConfig& config) {
  segment_bytes_ = config.segment_bytes;
  retention_ms_ = config.retention_ms;
  retention_bytes_ = config.retention_bytes;
  removes_ = config.cleanup.remove;
  compacts_ = config.cleanup.compact;
  compaction_lag_ms_ = config.compaction_lag_ms;
  tombstones_ms_ = config.tombstones_ms;
}

Status Partition::DeletedError() const {
  return Status(Code::kNotFound, "topic \"" + topic_ + "\" has been deleted");
}

void Partition::Append(std::span<const NewRecord> records, const ProducerSequence& sequence,
                       AppendCallback done) {
  int64_t payload_bytes = 0;
  for (const NewRecord& record : records) {
    const int64_t bytes = PayloadBytes(record);
    if (bytes > kRecordBytesMax) {
      done({Status(Code::kInvalidArgument, "a record of " + FormatBytes(bytes) +
                                               " is too large for topic \"" + topic_ +
                                               "\"; the limit is " + FormatBytes(kRecordBytesMax)),
            -1});
      return;
    }
    if (compacts_ && !record.key) {
      done({KeyMissing().Annotate("topic \"" + topic_ + "\""), -1});
      return;
    }
    payload_bytes += bytes;
  }
  if (Status status = context_.committer->Reserve(payload_bytes); !status.ok()) {
    done({std::move(status), -1});
    return;
  }
  Status status;
  bool wake = false;
  {
    const int64_t now_ms = context_.clock->WallMicros() / 1000;
    std::lock_guard lock(pending_mutex_);
    status = pending_.Add(records, now_ms, sequence, payload_bytes, &done);
    if (status.ok()) wake = !std::exchange(queued_, true);
  }
  if (wake) context_.committer->Enqueue(shared_from_this());
  if (!status.ok()) {
    context_.committer->Release(payload_bytes);
    done({std::move(status).Annotate("partition \"" + name_ + "\""), -1});
  }
}

void Partition::AppendBatch(std::string_view batch, AppendCallback done) {
  auto header = CheckProducedBatch(batch, compacts_);
  if (header.ok()) {
    AppendEncoded(batch, *header, std::move(done));
  } else {
    done({std::move(header).status().Annotate("partition \"" + name_ + "\""), -1});
  }
}

void Partition::AppendMarker(const TransactionMarker& marker, AppendCallback done) {
  const std::string batch = EncodeMarker(marker, context_.clock->WallMicros() / 1000);
  AppendEncoded(batch, *ParseBatchHeader(batch), std::move(done));
}

void Partition::AppendEncoded(std::string_view batch, const BatchHeader& header,
                              AppendCallback done) {
  AppendResult refused;
  refused.status = context_.committer->Reserve(std::ssize(batch));
  if (!refused.status.ok()) {
    refused.status = std::move(refused.status).Annotate("partition \"" + name_ + "\"");
    done(refused);
    return;
  }
  bool wake = false;
  {
    std::lock_guard lock(pending_mutex_);
    refused.status = pending_.AddBatch(batch, header, &done, &refused.fault);
    if (refused.status.ok()) wake = !std::exchange(queued_, true);
  }
  if (wake) context_.committer->Enqueue(shared_from_this());
  if (!refused.status.ok()) {
    context_.committer->Release(std::ssize(batch));
    refused.status = std::move(refused.status).Annotate("partition \"" + name_ + "\"");
    done(refused);
  }
}

Result<int64_t> Partition::NextSequence(int64_t producer_id) const {
  std::lock_guard lock(pending_mutex_);
  return pending_.NextSequence(producer_id);
}

Result<PartitionInfo> Partition::Describe() const {
  std::lock_guard lock(state_mutex_);
  if (deleted_) return DeletedError();
  PartitionInfo info;
  info.start_offset = StartOffsetLocked();
  info.end_offset = end_offset_;
  info.stable_offset = StableOffsetLocked();
  for (const auto& segment : segments_) info.size_bytes += segment->durable_bytes();
  if (info.end_offset > info.start_offset && max_timestamp_ms_ != INT64_MIN) {
    info.newest_timestamp_ms = max_timestamp_ms_;
  }
  info.deleted_before = deleted_before_;
  return info;
}

Result<std::vector<OffsetRange>> Partition::ClosedSegments() const {
  std::lock_guard lock(state_mutex_);
  if (deleted_) return DeletedError();
  const int64_t start = StartOffsetLocked();
  const int64_t stable = StableOffsetLocked();
  std::vector<OffsetRange> closed;
  for (size_t i = 0; i + 1 < segments_.size(); i++) {
    const int64_t end = segments_[i + 1]->base_offset();
    if (end > stable) break;
    if (end > start) closed.push_back({std::max(segments_[i]->base_offset(), start), end});
  }
  return closed;
}

int64_t Partition::StartOffsetLocked() const {
  return std::max(segments_.front()->base_offset(), deleted_before_);
}

int64_t Partition::StableOffsetLocked() const {
  // Retention may take away what a transaction wrote before it ends.
  return std::max(transactions_.StableOffset(end_offset_), StartOffsetLocked());
}

std::vector<AbortedTransaction> Partition::Aborted(int64_t from, int64_t to) const {
  std::lock_guard lock(state_mutex_);
  return transactions_.Aborted(from, to);
}

AppendGroup Partition::Take() {
  std::lock_guard lock(pending_mutex_);
  queued_ = false;
  return pending_.Take();
}

Status Partition::OpenForWrite(WrittenSegment& written) {
  MR_RETURN_IF_ERROR(written.segment->PrepareIndex());
  const auto mode = file_exists_ ? env::OpenMode::kWrite : env::OpenMode::kCreate;
  if (!file_exists_) directory_dirty_ = true;
  MR_ASSIGN_OR_RETURN(written.file, written.segment->File(mode));
  file_exists_ = true;
  return {};
}

// Completes the newest segment and starts the next.
Status Partition::Roll(int64_t base_offset) {
  if (context_.fsync) MR_RETURN_IF_ERROR(written_.back().file->Sync());
  WrittenSegment next;
  next.segment = NewSegment(base_offset, 0);
  file_exists_ = false;
  written_.push_back(std::move(next));
  MR_RETURN_IF_ERROR(OpenForWrite(written_.back()));
  return written_.back().file->Truncate(0);
}

Status Partition::Write(AppendGroup& group) {
  if (deleted_) return DeletedError();  // changed under the commit lock only
  if (needs_cut_) MR_RETURN_IF_ERROR(Cut());
  if (group.batches.empty()) return {};
  const int64_t limit = segment_bytes_;
  int64_t offset = end_offset_;
  written_.push_back({segments_.back(), nullptr, segments_.back()->durable_bytes(), {}});
  MR_RETURN_IF_ERROR(OpenForWrite(written_.back()));

  std::vector<std::string_view> parts;
  int64_t start = written_.back().end_position;  // of the parts
  const auto flush = [&]() -> Status {
    if (parts.empty()) return {};
    MR_RETURN_IF_ERROR(written_.back().file->WriteAt(start, parts));
    parts.clear();
    return {};
  };
  for (const auto& batch : group.batches) {
    const std::string_view bytes = batch->Finish(offset);
    const auto size = static_cast<int64_t>(bytes.size());
    if (written_.back().end_position > 0 && written_.back().end_position + size > limit) {
      MR_RETURN_IF_ERROR(flush());
      MR_RETURN_IF_ERROR(Roll(offset));
      start = 0;
    }
    WrittenSegment& written = written_.back();
    BatchHeader header = *ParseBatchHeader(bytes);
    written.batches.push_back({header, written.end_position, MarkerCommits(bytes, header)});
    written.end_position += size;
    parts.push_back(bytes);
    group.base_offsets.push_back(offset);
    offset = header.end_offset();
  }
  return flush();
}

Status Partition::Sync() {
  if (written_.empty() || !context_.fsync) return {};
  if (directory_dirty_) {
    MR_RETURN_IF_ERROR(context_.files->SyncDirectory(directory_));
    directory_dirty_ = false;
  }
  return written_.back().file->Sync();
}

void Partition::Publish(AppendGroup& group) {
  int64_t end_offset = end_offset_;
  int64_t max_timestamp_ms = max_timestamp_ms_;
  for (const WrittenSegment& written : written_) {
    for (const auto& [header, position, commits] : written.batches) {
      written.segment->AddToIndex(header, position);
      if (!header.control()) {
        max_timestamp_ms = std::max(max_timestamp_ms, header.max_timestamp_ms);
      }
      end_offset = header.end_offset();
    }
  }
  {
    // Sequences first: who sees a record can rely on NextSequence to count it.
    std::lock_guard lock(pending_mutex_);
    pending_.Committed(group, context_.clock->WallMicros() / 1000);
  }
  std::lock_guard lock(state_mutex_);
  for (const WrittenSegment& written : written_) {
    for (const auto& batch : written.batches) transactions_.Account(batch.header, batch.commits);
  }
  for (size_t i = 0; i < written_.size(); i++) {
    written_[i].segment->Grow(written_[i].end_position);
    if (i == 0) continue;
    segments_.push_back(written_[i].segment);
    rolled_ = true;
  }
  end_offset_ = end_offset;
  max_timestamp_ms_ = max_timestamp_ms;
  written_.clear();
}

AppendGroup Partition::Abort() {
  if (!deleted_) {
    needs_cut_ = true;
    // A failure is remembered by needs_cut_, and comes up again with the next commit.
    (void)Cut().ok();
  }
  std::lock_guard lock(pending_mutex_);
  return pending_.Failed();
}

// Brings the files back to what is durable and known to readers.
Status Partition::Cut() {
  for (size_t i = written_.size(); i > 1; i--) {
    Status status = context_.files->Remove(written_[i - 1].segment->path());
    if (!status.ok() && status.code() != Code::kNotFound) return status;
  }
  const auto& newest = segments_.back();
  if (written_.size() > 1) {
    // A removed segment that came back after a crash would stand where other records are by then.
    MR_RETURN_IF_ERROR(context_.files->SyncDirectory(directory_));
    written_.resize(1);
    file_exists_ = true;
  }
  const auto file = newest->File(env::OpenMode::kWrite);
  if (!file.ok() && file.status().code() == Code::kNotFound && newest->durable_bytes() == 0) {
    file_exists_ = false;
  } else {
    MR_RETURN_IF_ERROR(file.status());
    MR_RETURN_IF_ERROR((*file)->Truncate(newest->durable_bytes()));
  }
  written_.clear();
  needs_cut_ = false;
  return {};
}

void Partition::FinishCommit() {
  std::vector<std::shared_ptr<Segment>> full;
  {
    const auto lock = LockForCommit();
    if (!rolled_ || deleted_) return;
    rolled_ = false;
    // Usually one; older ones have nothing left to write.
    full = segments_;
    full.pop_back();
    for (size_t i = full.size() - std::min<size_t>(full.size(), 4); i < full.size(); i++) {
      full[i]->PersistIndex();
    }
    WriteStateIfPossible();
  }
}

Status Partition::WriteState() {
  PartitionState state;
  state.segment_base = segments_.back()->base_offset();
  state.position = segments_.back()->durable_bytes();
  state.end_offset = end_offset_;
  state.max_timestamp_ms = max_timestamp_ms_;
  state.start_offset = deleted_before_;
  state.compacted_before = compacted_before_;
  {
    std::lock_guard lock(state_mutex_);
    transactions_.Forget(StartOffsetLocked());
    state.transactions = transactions_;
  }
  {
    constexpr int64_t kClientSilenceMs = 24 * 3600 * 1000;
    std::lock_guard lock(pending_mutex_);
    pending_.ForgetClients(context_.clock->WallMicros() / 1000 - kClientSilenceMs);
    state.producers = pending_.durable();
  }
  MR_RETURN_IF_ERROR(env::ReplaceFile(*context_.files, directory_ + "/partition.state",
                                      EncodePartitionState(state)));
  state_position_ = state.position;
  return {};
}

void Partition::WriteStateIfPossible() {
  // Without a new state recovery reads more, that is all.
  (void)WriteState().ok();
}

void Partition::Checkpoint(int64_t growth_bytes_min) {
  const auto lock = LockForCommit();
  if (deleted_ || segments_.back()->durable_bytes() - state_position_ < growth_bytes_min) return;
  segments_.back()->PersistIndex();
  WriteStateIfPossible();
}

void Partition::MarkDeleted() {
  {
    const auto commit_lock = LockForCommit();
    std::lock_guard lock(state_mutex_);
    deleted_ = true;
  }
  std::lock_guard compaction_lock(compaction_mutex_);  // which sees it, and ends
  std::lock_guard dropped_lock(dropped_mutex_);
  dropped_.clear();
}

}  // namespace millrace::log
