#include "log/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace millrace::log {

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // bits reversed

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables() {
  Tables tables{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t k = 1; k < 8; k++) {
    for (size_t i = 0; i < 256; i++) {
      tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xff];
    }
  }
  return tables;
}
constexpr Tables kTables = MakeTables();

uint32_t TableUpdate(uint32_t crc, const char* p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    word ^= crc;
    crc = 0;
    for (size_t k = 0; k < 8; k++) crc ^= kTables[7 - k][(word >> (8 * k)) & 0xff];
  }
  for (; n > 0; p++, n--) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<uint8_t>(*p)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
// Three streams hide the instruction's latency of three cycles. Their checksums are joined by
// shifting the earlier ones over the length of a stream, which is linear: a table per byte.
constexpr size_t kStream = 1360;  // three fit twice into a page

using ShiftTable = std::array<std::array<uint32_t, 256>, 4>;

ShiftTable MakeShift() {
  const std::array<char, kStream> zeros{};
  ShiftTable shift{};
  std::array<uint32_t, 32> of_bit{};
  for (size_t bit = 0; bit < 32; bit++) {
    of_bit[bit] = TableUpdate(uint32_t{1} << bit, zeros.data(), zeros.size());
  }
  for (size_t byte = 0; byte < 4; byte++) {
    for (size_t value = 0; value < 256; value++) {
      for (size_t bit = 0; bit < 8; bit++) {
        if ((value >> bit & 1) != 0) shift[byte][value] ^= of_bit[byte * 8 + bit];
      }
    }
  }
  return shift;
}

uint32_t Shift(const ShiftTable& shift, uint32_t crc) {
  return shift[0][crc & 0xff] ^ shift[1][crc >> 8 & 0xff] ^ shift[2][crc >> 16 & 0xff] ^
         shift[3][crc >> 24];
}

uint64_t Load(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}

__attribute__((target("sse4.2"))) uint32_t HardwareUpdate(uint32_t crc, const char* p, size_t n) {
  static const ShiftTable shift = MakeShift();
  for (; n >= 3 * kStream; p += 3 * kStream, n -= 3 * kStream) {
    uint64_t a = crc;
    uint64_t b = 0;
    uint64_t c = 0;
    for (size_t i = 0; i < kStream; i += 8) {
      a = _mm_crc32_u64(a, Load(p + i));
      b = _mm_crc32_u64(b, Load(p + kStream + i));
      c = _mm_crc32_u64(c, Load(p + 2 * kStream + i));
    }
    crc = Shift(shift, static_cast<uint32_t>(a)) ^ static_cast<uint32_t>(b);
    crc = Shift(shift, crc) ^ static_cast<uint32_t>(c);
  }
  uint64_t wide = crc;
  for (; n >= 8; p += 8, n -= 8) wide = _mm_crc32_u64(wide, Load(p));
  crc = static_cast<uint32_t>(wide);
  for (; n > 0; p++, n--) crc = _mm_crc32_u8(crc, static_cast<uint8_t>(*p));
  return crc;
}
#endif

}  // namespace

uint32_t Crc32cByTable(std::string_view bytes) {
  return ~TableUpdate(~uint32_t{0}, bytes.data(), bytes.size());
}

uint32_t Crc32c(std::string_view bytes) {
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2") != 0;
  if (hardware) return ~HardwareUpdate(~uint32_t{0}, bytes.data(), bytes.size());
#endif
  return Crc32cByTable(bytes);
}

}  // namespace millrace::log
