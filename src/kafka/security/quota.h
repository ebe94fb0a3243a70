// Quota: what a user or a kind of client may move in a second.
//
// Source: Kafka's documentation, "Quotas"; KIP-13, KIP-124.
#pragma once

#include <compare>
#include <optional>
#include <string>

namespace millrace::kafka {

// "" stands for everyone who has no quota of his own; nullopt: it does not matter.
struct QuotaEntity {
  std::optional<std::string> user;
  std::optional<std::string> client_id;
  auto operator<=>(const QuotaEntity&) const = default;
};

// Bytes a second; 0: no limit.
struct QuotaLimits {
  double producer_byte_rate = 0;
  double consumer_byte_rate = 0;
  bool operator==(const QuotaLimits&) const = default;
};

struct Quota {
  QuotaEntity entity;
  QuotaLimits limits;
};

}  // namespace millrace::kafka
