// The list of what this server understands: one row per API.
#pragma once

#include <cstdint>
#include <span>

#include "kafka/call.h"

namespace millrace::kafka {

struct Services;

enum ApiKey : int16_t {
  kProduceKey = 0,
  kSaslHandshakeKey = 17,
  kApiVersionsKey = 18,
  kSaslAuthenticateKey = 36,
};

struct Api {
  int16_t key;
  const char* name;
  int16_t min_version;
  int16_t max_version;
  int16_t flexible_from;  // first version with compact fields and tags (KIP-482)
  void (*handle)(Services& services, const CallPtr& call);
};

std::span<const Api> AllApis();
// Null for an API that is not there.
const Api* FindApi(int16_t key);

}  // namespace millrace::kafka
