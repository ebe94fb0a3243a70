// Murmur2 as Kafka's clients compute it, so that a key lands in the partition where they put it.
// Source: A. Appleby, MurmurHash2 (32 bit, public domain), with Kafka's seed 0x9747b28c.
// PartitionForKey is declared in log/log.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::log {

uint32_t Murmur2(std::string_view bytes);

}  // namespace millrace::log
