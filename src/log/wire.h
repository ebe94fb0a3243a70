// Numbers as they lie in record batches: big-endian integers and zigzag varints.
// Source: Kafka's documentation, "Message Format"; varints as in Protocol Buffers' sint32/sint64.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace millrace::log {

template <typename T>
T LoadBig(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (sizeof(T) == 8)
    return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  return value;
}

template <typename T>
void StoreBig(char* to, T value) {
  value = LoadBig<T>(reinterpret_cast<const char*>(&value));
  std::memcpy(to, &value, sizeof(T));
}

constexpr uint64_t ZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

constexpr size_t VarintSize(int64_t value) {
  const auto bits = static_cast<size_t>(64 - __builtin_clzll(ZigZag(value) | 1));
  return (bits + 6) / 7;
}

// Writes at most 10 bytes; returns the end.
inline char* PutVarint(char* to, int64_t value) {
  uint64_t v = ZigZag(value);
  for (; v >= 0x80; v >>= 7) *to++ = static_cast<char>(v | 0x80);
  *to++ = static_cast<char>(v);
  return to;
}

// Bytes behind their length; null has the length -1.
inline size_t NullableSize(const std::optional<std::string_view>& bytes) {
  if (!bytes) return 1;
  return VarintSize(static_cast<int64_t>(bytes->size())) + bytes->size();
}
inline char* PutBytes(char* to, std::string_view bytes) {
  to = PutVarint(to, static_cast<int64_t>(bytes.size()));
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}
inline char* PutNullable(char* to, const std::optional<std::string_view>& bytes) {
  return bytes ? PutBytes(to, *bytes) : PutVarint(to, -1);
}

// Reads a varint that starts at `from` and ends before `end`; returns the byte after it, null when
// it is cut off or longer than 10 bytes.
inline const char* GetVarint(const char* from, const char* end, int64_t* value) {
  uint64_t v = 0;
  for (int shift = 0; shift < 70 && from < end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*from++);
    v |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *value = static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
      return from;
    }
  }
  return nullptr;
}

}  // namespace millrace::log
