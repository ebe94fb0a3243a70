// Entries of the decision log and the answer journal as bytes: 4 bytes length of the payload,
// little endian, 8 bytes its XXH3-64, the payload.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::state {

constexpr size_t kEntryHead = 12;

template <typename T>
void PutNumber(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void PutText(std::string& out, std::string_view text) {
  PutNumber(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

// What stands before a payload; at most 4 GiB of it.
inline std::string EntryHead(std::string_view payload) {
  std::string head;
  PutNumber(head, static_cast<uint32_t>(payload.size()));
  PutNumber(head, static_cast<uint64_t>(XXH3_64bits(payload.data(), payload.size())));
  return head;
}

// The payload of the entry that `bytes` begin with; nothing when it is cut off or damaged.
inline std::optional<std::string_view> EntryAt(std::string_view bytes) {
  if (bytes.size() < kEntryHead) return std::nullopt;
  uint32_t size = 0;
  uint64_t sum = 0;
  std::memcpy(&size, bytes.data(), sizeof size);
  std::memcpy(&sum, bytes.data() + sizeof size, sizeof sum);
  if (bytes.size() - kEntryHead < size) return std::nullopt;
  const std::string_view payload = bytes.substr(kEntryHead, size);
  if (XXH3_64bits(payload.data(), payload.size()) != sum) return std::nullopt;
  return payload;
}

}  // namespace millrace::state
