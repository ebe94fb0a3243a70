// How keys of operators lie in a job's store: operator id (4 bytes, big endian) ++ operator's key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::state {

constexpr size_t kOperatorIdBytes = 4;

inline void WriteOperatorId(uint32_t operator_id, char* to) {
  for (size_t i = 0; i < kOperatorIdBytes; i++)
    to[i] = static_cast<char>(operator_id >> (24 - 8 * i));
}

inline std::string FullKey(uint32_t operator_id, std::string_view key) {
  std::string full(kOperatorIdBytes, '\0');
  WriteOperatorId(operator_id, full.data());
  full.append(key);
  return full;
}

// The smallest key that is greater than every key that starts with `prefix`.
inline std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty())
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace millrace::state
