// Quotas: counts bytes against what their clients may move, and says how long one has to wait.
//
// Contract: any thread. Quotas are declared in millrace.yml, which wins, or over the port and kept
// in the SecurityFile. The most specific one counts: of user and client id, of the user, of the
// client id; a name before "everyone else". Under one for "everyone else" each has the whole rate.
// A second's worth may come at once. Without quotas Charge costs a look at two empty lists.
// Source: Kafka's documentation, "Quotas"; KIP-219 (answer at once, then do not read for a while).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "kafka/security/quota.h"
#include "kafka/security/security_file.h"

namespace millrace::kafka {

enum class Traffic { kProduce, kFetch };

class Quotas {
 public:
  // `file` outlives this.
  Quotas(SecurityFile& file, std::vector<Quota> declared)
      : file_(file), declared_(std::move(declared)) {}

  // Counts the bytes; how long the client has to be silent now, at most kThrottleMaxMs.
  int32_t Charge(Traffic traffic, const std::string& user, const std::string& client_id,
                 int64_t bytes, int64_t now_ms);

  std::vector<Quota> List() const;
  bool IsDeclared(const QuotaEntity& entity) const;
  // Limits of 0 take a quota away. Blocks for the disk.
  Status Set(const std::vector<Quota>& quotas);

  static constexpr int32_t kThrottleMaxMs = 30'000;

 private:
  struct Bucket {
    double bytes = 0;  // above what was allowed so far
    int64_t at_ms = 0;
  };
  using Key = std::tuple<Traffic, QuotaEntity>;  // with real names

  SecurityFile& file_;
  const std::vector<Quota> declared_;
  std::mutex mutex_;
  std::map<Key, Bucket> buckets_;
};

}  // namespace millrace::kafka
