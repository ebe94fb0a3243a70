#include "log/partition_state.h"

#include <algorithm>

#include "log/crc32c.h"
#include "log/wire.h"

namespace millrace::log {

namespace {
constexpr std::string_view kMagic = "MRS1";
constexpr size_t kFixed = 40;
constexpr size_t kProducer = 16;
constexpr size_t kCrc = 4;
}  // namespace

void PartitionState::Account(const BatchHeader& header, int64_t batch_position) {
  position = batch_position + header.size_bytes;
  end_offset = header.end_offset();
  if (header.record_count > 0) {
    max_timestamp_ms = std::max(max_timestamp_ms, header.max_timestamp_ms);
  }
  if (header.producer_id < 0 || header.base_sequence < 0) return;
  int64_t& next = producers[header.producer_id];
  const int64_t forward = (header.base_sequence - next) & INT32_MAX;
  next += forward + header.record_count;
}

std::string EncodePartitionState(const PartitionState& state) {
  std::string bytes(kFixed + state.producers.size() * kProducer + kCrc, '\0');
  char* p = bytes.data();
  kMagic.copy(p, kMagic.size());
  StoreBig<int64_t>(p + 4, state.segment_base);
  StoreBig<int64_t>(p + 12, state.position);
  StoreBig<int64_t>(p + 20, state.end_offset);
  StoreBig<int64_t>(p + 28, state.max_timestamp_ms);
  StoreBig<int32_t>(p + 36, static_cast<int32_t>(state.producers.size()));
  p += kFixed;
  for (const auto& [id, next] : state.producers) {
    StoreBig<int64_t>(p, id);
    StoreBig<int64_t>(p + 8, next);
    p += kProducer;
  }
  StoreBig<uint32_t>(p, Crc32c(std::string_view(bytes).substr(0, bytes.size() - kCrc)));
  return bytes;
}

std::optional<PartitionState> DecodePartitionState(std::string_view bytes) {
  if (bytes.size() < kFixed + kCrc || !bytes.starts_with(kMagic)) return std::nullopt;
  const std::string_view body = bytes.substr(0, bytes.size() - kCrc);
  if (LoadBig<uint32_t>(bytes.data() + body.size()) != Crc32c(body)) return std::nullopt;
  const char* p = bytes.data();
  PartitionState state;
  state.segment_base = LoadBig<int64_t>(p + 4);
  state.position = LoadBig<int64_t>(p + 12);
  state.end_offset = LoadBig<int64_t>(p + 20);
  state.max_timestamp_ms = LoadBig<int64_t>(p + 28);
  const int32_t count = LoadBig<int32_t>(p + 36);
  if (count < 0 || body.size() != kFixed + static_cast<size_t>(count) * kProducer) {
    return std::nullopt;
  }
  p += kFixed;
  for (int32_t i = 0; i < count; i++, p += kProducer) {
    state.producers[LoadBig<int64_t>(p)] = LoadBig<int64_t>(p + 8);
  }
  return state;
}

}  // namespace millrace::log
