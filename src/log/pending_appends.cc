#include "log/pending_appends.h"

#include <algorithm>

namespace millrace::log {

namespace {
constexpr size_t kIdleBuilders = 32;
constexpr size_t kIdleCapacityMax = 2 << 20;  // larger buffers came from one huge record
}  // namespace

std::unique_ptr<BatchBuilder> BuilderPool::Take() {
  std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<BatchBuilder>();
  auto builder = std::move(idle_.back());
  idle_.pop_back();
  return builder;
}

void BuilderPool::Give(std::unique_ptr<BatchBuilder> builder) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleBuilders && builder->capacity() <= kIdleCapacityMax) {
    idle_.push_back(std::move(builder));
  }
}

PendingAppends::PendingAppends(BuilderPool* pool, ProducerSequences durable)
    : pool_(pool), durable_(std::move(durable)) {}

BatchBuilder* PendingAppends::OpenBatch(Producer& producer, int64_t producer_id, int64_t sequence) {
  auto builder = pool_->Take();
  builder->Reset(producer_id, sequence);
  producer.group = group_number_;
  producer.open_batch = static_cast<int>(group_.batches.size());
  group_.batches.push_back(std::move(builder));
  return group_.batches.back().get();
}

Status PendingAppends::Add(std::span<const NewRecord> records, int64_t now_ms,
                           const ProducerSequence& sequence, int64_t payload_bytes,
                           AppendCallback* done) {
  const bool idempotent = sequence.producer_id >= 0;
  const int64_t producer_id = idempotent ? sequence.producer_id : -1;
  auto [it, is_new] = producers_.try_emplace(producer_id);
  Producer& producer = it->second;
  if (is_new && idempotent) producer.next_sequence = NextSequence(producer_id);
  const int64_t expected = producer.next_sequence;
  if (idempotent && sequence.base_sequence > expected) {
    return Status(Code::kFailedPrecondition,
                  "producer " + std::to_string(producer_id) + " sends sequence " +
                      std::to_string(sequence.base_sequence) + ", but the log expects " +
                      std::to_string(expected))
        .WithHint("send the records between them again first; NextSequence tells where to start");
  }
  if (idempotent) {
    const auto known = static_cast<size_t>(
        std::min<int64_t>(expected - sequence.base_sequence, static_cast<int64_t>(records.size())));
    records = records.subspan(known);
    producer.next_sequence += static_cast<int64_t>(records.size());
  }

  AppendGroup::Completion completion;
  completion.done = std::move(*done);
  BatchBuilder* batch = nullptr;
  if (producer.group == group_number_ && producer.open_batch >= 0) {
    batch = group_.batches[static_cast<size_t>(producer.open_batch)].get();
    // Only whole appends may join a batch that others stand behind: their records are contiguous.
    constexpr int64_t kRecordOverhead = 32;
    const auto more = payload_bytes + static_cast<int64_t>(records.size()) * kRecordOverhead;
    if (batch->size_bytes() + more > kBatchBytesMax) batch = nullptr;
  }
  int64_t next = expected;
  for (const NewRecord& record : records) {
    if (batch == nullptr ||
        (batch->count() > 0 && batch->size_bytes() + PayloadBytes(record) > kBatchBytesMax)) {
      batch = OpenBatch(producer, producer_id, next);
    }
    if (completion.batch < 0) {
      completion.batch = producer.open_batch;
      completion.record_in_batch = batch->count();
    }
    batch->Add(record, record.timestamp_ms == 0 ? now_ms : record.timestamp_ms);
    next++;
  }
  group_.completions.push_back(std::move(completion));
  group_.payload_bytes += payload_bytes;
  return {};
}

AppendGroup PendingAppends::Take() {
  group_number_++;
  return std::exchange(group_, AppendGroup());
}

void PendingAppends::Committed(const AppendGroup& group) {
  for (const auto& batch : group.batches) {
    if (batch->producer_id() < 0) continue;
    durable_[batch->producer_id()] = batch->base_sequence() + batch->count();
  }
}

AppendGroup PendingAppends::Failed() {
  producers_.clear();
  return Take();
}

int64_t PendingAppends::NextSequence(int64_t producer_id) const {
  const auto it = durable_.find(producer_id);
  return it == durable_.end() ? 0 : it->second;
}

}  // namespace millrace::log
