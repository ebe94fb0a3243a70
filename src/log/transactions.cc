#include "log/transactions.h"

#include <algorithm>

#include "log/crc32c.h"
#include "log/wire.h"

namespace millrace::log {

namespace {
constexpr int16_t kMarkerAttributes = 16 | 32;  // transactional, control
constexpr size_t kMarkerKeyBytes = 4;
constexpr size_t kMarkerValueBytes = 6;
}  // namespace

std::string EncodeMarker(const TransactionMarker& marker, int64_t timestamp_ms) {
  char key[kMarkerKeyBytes];
  StoreBig<int16_t>(key, 0);
  StoreBig<int16_t>(key + 2, marker.commit ? 1 : 0);
  constexpr char kValue[kMarkerValueBytes] = {};
  BatchBuilder builder;
  builder.Reset(-1, 0);
  builder.Add({.key = std::string_view(key, sizeof(key)),
               .value = std::string_view(kValue, sizeof(kValue))},
              timestamp_ms);
  std::string bytes(builder.Finish(0));
  StoreBig<int16_t>(bytes.data() + kBatchAttributesAt, kMarkerAttributes);
  StoreBig<int64_t>(bytes.data() + kBatchProducerIdAt, marker.producer_id);
  StoreBig<int16_t>(bytes.data() + kBatchProducerEpochAt, marker.producer_epoch);
  StoreBig<uint32_t>(bytes.data() + kBatchCrcAt,
                     Crc32c(std::string_view(bytes).substr(kBatchAttributesAt)));
  return bytes;
}

std::optional<bool> MarkerCommits(std::string_view batch, const BatchHeader& header) {
  if (!header.control() || header.compressed()) return std::nullopt;
  RecordCursor cursor(batch, header);
  model::Record record;
  if (!cursor.Next(&record) || record.key.size() < kMarkerKeyBytes) return std::nullopt;
  const auto type = LoadBig<int16_t>(record.key.data() + 2);
  if (type != 0 && type != 1) return std::nullopt;
  return type == 1;
}

bool IsAborted(const BatchHeader& batch, const std::vector<AbortedTransaction>& aborted) {
  if (!batch.transactional()) return false;
  return std::any_of(aborted.begin(), aborted.end(), [&](const AbortedTransaction& one) {
    return one.producer_id == batch.producer_id && one.first_offset <= batch.base_offset &&
           batch.base_offset < one.last_offset;
  });
}

void PartitionTransactions::Account(const BatchHeader& header, std::optional<bool> commits) {
  if (!header.transactional() || header.producer_id < 0) return;
  if (!header.control()) {
    open_.try_emplace(header.producer_id, header.base_offset);
    return;
  }
  if (!commits) return;
  const auto open = open_.find(header.producer_id);
  if (open == open_.end()) return;  // it wrote nothing here, or has ended already
  if (!*commits) {
    aborted_.push_back({header.producer_id, open->second, header.base_offset});
  }
  open_.erase(open);
}

int64_t PartitionTransactions::StableOffset(int64_t end) const {
  for (const auto& [producer, first_offset] : open_) end = std::min(end, first_offset);
  return end;
}

std::vector<AbortedTransaction> PartitionTransactions::Aborted(int64_t from, int64_t to) const {
  std::vector<AbortedTransaction> found;
  // They lie in the order of their ends.
  auto at = std::lower_bound(
      aborted_.begin(), aborted_.end(), from,
      [](const AbortedTransaction& a, int64_t offset) { return a.last_offset < offset; });
  for (; at != aborted_.end(); ++at) {
    if (at->first_offset < to) found.push_back(*at);
  }
  return found;
}

void PartitionTransactions::Forget(int64_t start_offset) {
  std::erase_if(aborted_,
                [&](const AbortedTransaction& a) { return a.last_offset < start_offset; });
}

}  // namespace millrace::log
