// What state entries and journals are made of: numbers as they lie in memory (little endian), texts
// behind their length; and, in keys, numbers big endian, so that the order of the keys is theirs.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::state {

template <typename T>
void PutNumber(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void PutText(std::string& out, std::string_view text) {
  PutNumber(out, static_cast<uint32_t>(text.size()));
  out.append(text);
}

// Takes what PutNumber wrote off the front of `bytes`, which must hold it.
template <typename T>
T TakeNumber(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

inline std::string_view TakeText(std::string_view& bytes) {
  const auto size = TakeNumber<uint32_t>(bytes);
  const std::string_view text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return text;
}

// The lowest `width` bytes of the number.
inline void PutBigEndian(std::string& key, uint64_t number, int width) {
  for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
    key += static_cast<char>(number >> shift);
  }
}

inline uint64_t FromBigEndian(std::string_view bytes) {
  uint64_t number = 0;
  for (char byte : bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

}  // namespace millrace::state
