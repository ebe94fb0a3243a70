// CRC-32C (Castagnoli), the checksum of Kafka's record batches.
// Source: RFC 3720 appendix B.4 (polynomial and test vectors); combining interleaved parts by a
// linear operator as in M. Adler, "Computing a CRC in a crazy way" (zlib's crc32_combine).
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::log {

// Of `bytes`; 0 for none. Uses SSE4.2 where the processor has it (about 15 GB/s).
uint32_t Crc32c(std::string_view bytes);

// The same, always by table: for processors without SSE4.2, and to test the other against.
uint32_t Crc32cByTable(std::string_view bytes);

}  // namespace millrace::log
