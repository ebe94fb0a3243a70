// Acl: one permission of a user, and what finds such.
//
// Source: Kafka's documentation, "Authorization and ACLs"; KIP-290 (prefixes). Numbers are those of
// Kafka's protocol.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::kafka {

enum class AclResource : int8_t {
  kAny = 1,  // in filters
  kTopic = 2,
  kGroup = 3,
  kCluster = 4,
  kTransactionalId = 5,
};

enum class AclPattern : int8_t {
  kAny = 1,    // in filters
  kMatch = 2,  // in filters: every pattern that the name falls under
  kLiteral = 3,
  kPrefixed = 4,
};

enum class AclOperation : int8_t {
  kAny = 1,  // in filters
  kAll = 2,
  kRead = 3,
  kWrite = 4,
  kCreate = 5,
  kDelete = 6,
  kAlter = 7,
  kDescribe = 8,
  kClusterAction = 9,
  kDescribeConfigs = 10,
  kAlterConfigs = 11,
  kIdempotentWrite = 12,
};

enum class AclPermission : int8_t {
  kAny = 1,  // in filters
  kDeny = 2,
  kAllow = 3,
};

constexpr const char* kClusterName = "kafka-cluster";
constexpr const char* kEveryName = "*";  // of a literal pattern
constexpr const char* kEveryUser = "User:*";
constexpr const char* kEveryHost = "*";

struct Acl {
  AclResource resource = AclResource::kTopic;
  std::string name;
  AclPattern pattern = AclPattern::kLiteral;
  std::string principal;  // "User:alice"
  std::string host = kEveryHost;
  AclOperation operation = AclOperation::kAll;
  AclPermission permission = AclPermission::kAllow;

  auto operator<=>(const Acl&) const = default;

  // Whether it is about this resource.
  bool Covers(AclResource kind, std::string_view wanted) const;
  // Why it cannot be declared; null when it can.
  const char* Fault() const;
};

struct AclFilter {
  AclResource resource = AclResource::kAny;
  std::optional<std::string> name;
  AclPattern pattern = AclPattern::kAny;
  std::optional<std::string> principal;
  std::optional<std::string> host;
  AclOperation operation = AclOperation::kAny;
  AclPermission permission = AclPermission::kAny;

  bool Takes(const Acl& acl) const;
};

}  // namespace millrace::kafka
