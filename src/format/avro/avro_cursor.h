// AvroCursor and the Append functions: the primitives of Avro's binary encoding.
//
// Format: int and long are zig-zag varints; float and double little endian; bytes and strings have
// their length before them, as a long; a boolean is one byte, 0 or 1.
// Source: Apache Avro 1.11 specification, "Binary Encoding".
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::format {

// Reads from bytes that it does not own. Every Read is false, and takes nothing, where the bytes
// end too early or are not such a value.
class AvroCursor {
 public:
  explicit AvroCursor(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  size_t left() const { return static_cast<size_t>(end_ - at_); }

  bool ReadLong(int64_t& value) {
    uint64_t bits = 0;
    const char* at = at_;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at == end_) return false;
      const auto byte = static_cast<uint8_t>(*at++);
      if (shift == 63 && byte > 1) return false;
      bits |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) {
        value = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
        at_ = at;
        return true;
      }
    }
    return false;
  }
  bool ReadBoolean(bool& value) {
    if (at_ == end_ || static_cast<uint8_t>(*at_) > 1) return false;
    value = *at_++ != 0;
    return true;
  }
  // float or double
  template <typename T>
  bool ReadFloating(T& value) {
    static_assert(std::endian::native == std::endian::little);
    if (left() < sizeof(T)) return false;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool ReadFixed(int64_t size, std::string_view& value) {
    if (size < 0 || static_cast<uint64_t>(size) > left()) return false;
    value = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }
  bool ReadBytes(std::string_view& value) {
    const char* before = at_;
    int64_t size = 0;
    if (ReadLong(size) && ReadFixed(size, value)) return true;
    at_ = before;
    return false;
  }

 private:
  const char* at_;
  const char* end_;
};

inline void AppendAvroLong(int64_t value, std::string& out) {
  auto bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (bits >= 0x80) {
    out += static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  out += static_cast<char>(bits);
}
template <typename T>
void AppendAvroFloating(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void AppendAvroBytes(std::string_view bytes, std::string& out) {
  AppendAvroLong(static_cast<int64_t>(bytes.size()), out);
  out += bytes;
}

}  // namespace millrace::format
