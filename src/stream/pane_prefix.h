// Where the state of a window ("pane") is stored: 'p' ++ its value, sign flipped, 8 bytes big
// endian; so panes are stored in the order of time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::stream {

constexpr std::string_view kPanesPrefix = "p";

inline std::string PanePrefix(int64_t value) {
  uint64_t ordered = static_cast<uint64_t>(value) ^ (1ULL << 63);
  std::string prefix(9, kPanesPrefix[0]);
  for (size_t i = 0; i < 8; i++) prefix[1 + i] = static_cast<char>(ordered >> (56 - 8 * i));
  return prefix;
}

// The pane whose prefix a key begins with.
inline int64_t PaneOfPrefix(std::string_view key) {
  uint64_t ordered = 0;
  for (size_t i = 0; i < 8; i++) ordered = ordered << 8 | static_cast<unsigned char>(key[1 + i]);
  return static_cast<int64_t>(ordered ^ (1ULL << 63));
}

}  // namespace millrace::stream
