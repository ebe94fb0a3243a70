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

PendingAppends::PendingAppends(BuilderPool* pool, ProducerStates durable)
    : pool_(pool), durable_(std::move(durable)) {}

PendingAppends::Producer& PendingAppends::PendingOf(int64_t producer_id) {
  auto [it, is_new] = producers_.try_emplace(producer_id);
  Producer& producer = it->second;
  const auto durable = is_new && producer_id >= 0 ? durable_.find(producer_id) : durable_.end();
  if (durable != durable_.end()) {
    producer.next_sequence = durable->second.next_sequence;
    producer.epoch = durable->second.epoch;
    producer.recent = durable->second.recent;
    producer.known = true;
  }
  return producer;
}

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
  Producer& producer = PendingOf(producer_id);
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
    producer.known |= !records.empty();
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

Status PendingAppends::AddBatch(std::string_view bytes, const BatchHeader& header,
                                AppendCallback* done, SequenceFault* fault) {
  AppendGroup::Completion completion;
  const auto refuse = [&](SequenceFault what, const std::string& why) {
    *fault = what;
    return Status(Code::kFailedPrecondition,
                  "producer " + std::to_string(header.producer_id) + " sends " + why);
  };
  Producer& producer = PendingOf(header.producer_id);
  bool duplicate = false;
  if (header.producer_id >= 0) {
    const auto same = [&](const ProducerBatch& batch) {
      return (batch.sequence & INT32_MAX) == header.base_sequence &&
             batch.count == header.record_count;
    };
    if (producer.known && header.producer_epoch < producer.epoch) {
      return refuse(SequenceFault::kStaleEpoch, "epoch " + std::to_string(header.producer_epoch) +
                                                    ", but epoch " +
                                                    std::to_string(producer.epoch) + " has begun");
    }
    const bool begins = !producer.known || header.producer_epoch > producer.epoch;
    // Nothing of a transaction that has ended is sent again, but a client that dropped records of
    // one that it aborted may give their sequences to others: those are no duplicates.
    if (header.control()) producer.recent.clear();
    if (header.control() && producer.known && begins) {
      producer.next_sequence = 0;
      producer.epoch = header.producer_epoch;
    }
    duplicate = !header.control() && !begins &&
                std::any_of(producer.recent.begin(), producer.recent.end(), same);
    const auto expected = static_cast<int32_t>(producer.next_sequence & INT32_MAX);
    const bool follows =
        begins ? !producer.known || header.base_sequence == 0 : header.base_sequence == expected;
    if (!duplicate && !follows && !header.control()) {
      return refuse(SequenceFault::kGap, "sequence " + std::to_string(header.base_sequence) +
                                             ", but the log expects " +
                                             std::to_string(begins ? 0 : expected));
    }
    if (!duplicate && !header.control()) {
      if (begins) {
        producer.recent.clear();
        producer.next_sequence = header.base_sequence;
        producer.epoch = header.producer_epoch;
        producer.known = true;
      }
      producer.recent.push_back({producer.next_sequence, -1, header.record_count});
      if (producer.recent.size() > ProducerState::kRecentMax) {
        producer.recent.erase(producer.recent.begin());
      }
      producer.next_sequence += header.record_count;
    }
  }
  completion.done = std::move(*done);
  if (duplicate) {
    completion.duplicate_producer_id = header.producer_id;
    completion.duplicate_sequence = header.base_sequence;
    completion.duplicate_count = header.record_count;
  } else {
    auto builder = pool_->Take();
    builder->Adopt(bytes, header);
    completion.batch = static_cast<int>(group_.batches.size());
    group_.batches.push_back(std::move(builder));
    producer.open_batch = -1;  // later records go behind this batch
  }
  group_.completions.push_back(std::move(completion));
  group_.payload_bytes += std::ssize(bytes);
  return {};
}

AppendGroup PendingAppends::Take() {
  group_number_++;
  return std::exchange(group_, AppendGroup());
}

void PendingAppends::Committed(AppendGroup& group, int64_t now_ms) {
  for (const auto& batch : group.batches) {
    ProducerState* producer = AccountProducer(durable_, *ParseBatchHeader(batch->finished()));
    if (producer != nullptr) producer->last_used_ms = now_ms;
  }
  for (auto& completion : group.completions) {
    const auto producer = durable_.find(completion.duplicate_producer_id);
    if (completion.duplicate_producer_id < 0 || producer == durable_.end()) continue;
    const ProducerBatch* original =
        producer->second.FindRecent(completion.duplicate_sequence, completion.duplicate_count);
    if (original != nullptr) completion.known_offset = original->base_offset;
  }
}

void PendingAppends::ForgetClients(int64_t silent_since_ms) {
  std::erase_if(durable_, [&](const auto& entry) {
    const bool forget =
        entry.first < kClientProducerIdEnd && entry.second.last_used_ms < silent_since_ms;
    // One that waits to be committed keeps what is pending.
    if (forget && group_.empty()) producers_.erase(entry.first);
    return forget;
  });
}

AppendGroup PendingAppends::Failed() {
  producers_.clear();
  return Take();
}

int64_t PendingAppends::NextSequence(int64_t producer_id) const {
  const auto it = durable_.find(producer_id);
  return it == durable_.end() ? 0 : it->second.next_sequence;
}

}  // namespace millrace::log
