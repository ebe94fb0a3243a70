// ProtoCursor and the Append functions: the primitives of Protocol Buffers' wire format.
//
// Format: a message is a row of fields, in any order, each a tag (its number times 8, plus the wire
// type; a varint) and a value: a varint (0), 8 bytes (1), a length and so many bytes (2), or 4
// bytes (5); 3 and 4 begin and end a group. Fixed-size values are little endian. Source: Protocol
// Buffers' documentation, "Encoding".
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::format {

enum class WireType : uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kBytes = 2,
  kGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

// A field as it lies in a message: `bits` of a varint or fixed-size value, or `bytes`.
struct WireField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t bits = 0;
  std::string_view bytes = {};
};

// Reads from bytes that it does not own. A Read is false where the bytes end too early or are no
// such value.
class ProtoCursor {
 public:
  explicit ProtoCursor(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool done() const { return at_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  bool ReadVarint(uint64_t& bits) {
    bits = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) return false;
      const auto byte = static_cast<uint8_t>(*at_++);
      bits |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }
  template <typename T>
  bool ReadFixed(uint64_t& bits) {
    static_assert(std::endian::native == std::endian::little);
    T value;
    if (left() < sizeof value) return false;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    bits = value;
    return true;
  }
  // A value that is not of a group.
  bool ReadValue(WireType type, WireField& field) {
    switch (type) {
      case WireType::kVarint:
        return ReadVarint(field.bits);
      case WireType::kFixed64:
        return ReadFixed<uint64_t>(field.bits);
      case WireType::kFixed32:
        return ReadFixed<uint32_t>(field.bits);
      case WireType::kBytes: {
        uint64_t size = 0;
        if (!ReadVarint(size) || size > left()) return false;
        field.bytes = {at_, static_cast<size_t>(size)};
        at_ += size;
        return true;
      }
      default:
        return false;
    }
  }
  // A group is passed over, and given as a field without a value.
  bool ReadField(WireField& field) {
    if (!ReadTag(field)) return false;
    return field.type == WireType::kGroup ? SkipGroup(field.number) : ReadValue(field.type, field);
  }

 private:
  static constexpr size_t kGroupsDeep = 100;

  bool ReadTag(WireField& field) {
    uint64_t tag = 0;
    if (!ReadVarint(tag) || tag > UINT32_MAX || (tag >> 3) == 0) return false;
    field.number = static_cast<uint32_t>(tag >> 3);
    field.type = static_cast<WireType>(tag & 7);
    return true;
  }
  bool SkipGroup(uint32_t number) {
    uint32_t open[kGroupsDeep] = {number};
    for (size_t depth = 1; depth > 0;) {
      WireField inner;
      if (!ReadTag(inner)) return false;
      if (inner.type == WireType::kEndGroup) {
        if (open[--depth] != inner.number) return false;
      } else if (inner.type == WireType::kGroup) {
        if (depth == kGroupsDeep) return false;
        open[depth++] = inner.number;
      } else if (!ReadValue(inner.type, inner)) {
        return false;
      }
    }
    return true;
  }

  const char* at_;
  const char* end_;
};

inline int64_t FromZigZag(uint64_t bits) {
  return static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
}
inline uint64_t ToZigZag(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

inline void AppendVarint(uint64_t bits, std::string& out) {
  while (bits >= 0x80) {
    out += static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  out += static_cast<char>(bits);
}
inline void AppendTag(int number, WireType type, std::string& out) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | static_cast<uint64_t>(type), out);
}
template <typename T>
void AppendFixed(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
inline void AppendBytes(std::string_view bytes, std::string& out) {
  AppendVarint(bytes.size(), out);
  out += bytes;
}

}  // namespace millrace::format
