#include "log/partition_state.h"

#include <algorithm>

#include "log/crc32c.h"
#include "log/wire.h"

namespace millrace::log {

namespace {
constexpr std::string_view kMagicStart = "MRS";  // and the version, a digit
constexpr size_t kMagicSize = 4;
constexpr char kVersion = '4';
constexpr size_t kCrc = 4;

template <typename T>
void Put(std::string& bytes, T value) {
  char raw[sizeof(T)];
  StoreBig<T>(raw, value);
  bytes.append(raw, sizeof(T));
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename T>
  T Get() {
    if (bytes_.size() < sizeof(T)) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    const T value = LoadBig<T>(bytes_.data());
    bytes_.remove_prefix(sizeof(T));
    return value;
  }
  bool failed() const { return failed_; }
  bool at_end() const { return bytes_.empty() && !failed_; }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};
}  // namespace

void ProducerState::Begin(int16_t new_epoch) {
  epoch = new_epoch;
  next_sequence = 0;
  recent.clear();
}

void ProducerState::Account(const BatchHeader& header) {
  if (header.producer_epoch != epoch) Begin(header.producer_epoch);
  next_sequence += (header.base_sequence - next_sequence) & INT32_MAX;
  recent.push_back({next_sequence, header.base_offset, header.record_count});
  if (recent.size() > kRecentMax) recent.erase(recent.begin());
  next_sequence += header.record_count;
}

const ProducerBatch* ProducerState::FindRecent(int32_t sequence, int32_t count) const {
  for (const ProducerBatch& batch : recent) {
    if ((batch.sequence & INT32_MAX) == sequence && batch.count == count) return &batch;
  }
  return nullptr;
}

ProducerState* AccountProducer(ProducerStates& producers, const BatchHeader& header) {
  if (header.producer_id < 0) return nullptr;
  if (header.control()) {  // it has no sequence, but may begin an epoch
    const auto found = producers.find(header.producer_id);
    if (found == producers.end()) return nullptr;
    if (header.producer_epoch > found->second.epoch) found->second.Begin(header.producer_epoch);
    found->second.recent.clear();
    return &found->second;
  }
  if (header.base_sequence < 0) return nullptr;
  ProducerState& producer = producers[header.producer_id];
  producer.Account(header);
  return &producer;
}

void PartitionState::Account(const BatchHeader& header, int64_t batch_position,
                             std::optional<bool> commits) {
  position = batch_position + header.size_bytes;
  end_offset = header.end_offset();
  if (header.record_count > 0 && !header.control()) {
    max_timestamp_ms = std::max(max_timestamp_ms, header.max_timestamp_ms);
  }
  AccountProducer(producers, header);
  transactions.Account(header, commits);
}

std::string EncodePartitionState(const PartitionState& state) {
  std::string bytes(kMagicStart);
  bytes += kVersion;
  Put(bytes, state.segment_base);
  Put(bytes, state.position);
  Put(bytes, state.end_offset);
  Put(bytes, state.max_timestamp_ms);
  Put(bytes, state.start_offset);
  Put(bytes, state.compacted_before);
  Put(bytes, static_cast<int32_t>(state.producers.size()));
  for (const auto& [id, producer] : state.producers) {
    Put(bytes, id);
    Put(bytes, producer.next_sequence);
    Put(bytes, producer.epoch);
    Put(bytes, producer.last_used_ms);
    Put(bytes, static_cast<int32_t>(producer.recent.size()));
    for (const ProducerBatch& batch : producer.recent) {
      Put(bytes, batch.sequence);
      Put(bytes, batch.base_offset);
      Put(bytes, batch.count);
    }
  }
  Put(bytes, static_cast<int32_t>(state.transactions.open().size()));
  for (const auto& [producer_id, first_offset] : state.transactions.open()) {
    Put(bytes, producer_id);
    Put(bytes, first_offset);
  }
  Put(bytes, static_cast<int32_t>(state.transactions.aborted().size()));
  for (const AbortedTransaction& aborted : state.transactions.aborted()) {
    Put(bytes, aborted.producer_id);
    Put(bytes, aborted.first_offset);
    Put(bytes, aborted.last_offset);
  }
  Put(bytes, Crc32c(bytes));
  return bytes;
}

std::optional<PartitionState> DecodePartitionState(std::string_view bytes) {
  if (bytes.size() < kMagicSize + kCrc || !bytes.starts_with(kMagicStart)) return std::nullopt;
  const char version = bytes[kMagicSize - 1];
  if (version < '1' || version > kVersion) return std::nullopt;
  const std::string_view body = bytes.substr(0, bytes.size() - kCrc);
  if (LoadBig<uint32_t>(bytes.data() + body.size()) != Crc32c(body)) return std::nullopt;
  Reader reader(body.substr(kMagicSize));
  PartitionState state;
  state.segment_base = reader.Get<int64_t>();
  state.position = reader.Get<int64_t>();
  state.end_offset = reader.Get<int64_t>();
  state.max_timestamp_ms = reader.Get<int64_t>();
  if (version > '1') state.start_offset = reader.Get<int64_t>();
  if (version > '3') state.compacted_before = reader.Get<int64_t>();
  for (auto left = reader.Get<int32_t>(); left > 0 && !reader.failed(); left--) {
    ProducerState& producer = state.producers[reader.Get<int64_t>()];
    producer.next_sequence = reader.Get<int64_t>();
    if (version == '1') continue;
    producer.epoch = reader.Get<int16_t>();
    producer.last_used_ms = reader.Get<int64_t>();
    for (auto batches = reader.Get<int32_t>(); batches > 0 && !reader.failed(); batches--) {
      ProducerBatch batch;
      batch.sequence = reader.Get<int64_t>();
      batch.base_offset = reader.Get<int64_t>();
      batch.count = reader.Get<int32_t>();
      producer.recent.push_back(batch);
    }
  }
  if (version > '2') {
    for (auto left = reader.Get<int32_t>(); left > 0 && !reader.failed(); left--) {
      const auto producer_id = reader.Get<int64_t>();
      state.transactions.Restore(producer_id, reader.Get<int64_t>());
    }
    for (auto left = reader.Get<int32_t>(); left > 0 && !reader.failed(); left--) {
      AbortedTransaction aborted;
      aborted.producer_id = reader.Get<int64_t>();
      aborted.first_offset = reader.Get<int64_t>();
      aborted.last_offset = reader.Get<int64_t>();
      state.transactions.Restore(aborted);
    }
  }
  if (!reader.at_end()) return std::nullopt;
  return state;
}

}  // namespace millrace::log
