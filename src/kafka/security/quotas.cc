#include "kafka/security/quotas.h"

#include <algorithm>

namespace millrace::kafka {

namespace {

constexpr size_t kBucketsMax = 10'000;

const Quota* FindQuota(std::span<const Quota> quotas, const QuotaEntity& entity) {
  const auto found = std::find_if(quotas.begin(), quotas.end(),
                                  [&](const Quota& quota) { return quota.entity == entity; });
  return found == quotas.end() ? nullptr : &*found;
}

// Whom a quota for this client may be for, the most specific first.
std::vector<QuotaEntity> Candidates(const std::string& user, const std::string& client_id) {
  constexpr const char* kEveryoneElse = "";
  return {{user, client_id},          {user, kEveryoneElse},          {user, std::nullopt},
          {kEveryoneElse, client_id}, {kEveryoneElse, kEveryoneElse}, {kEveryoneElse, std::nullopt},
          {std::nullopt, client_id},  {std::nullopt, kEveryoneElse}};
}

}  // namespace

int32_t Quotas::Charge(Traffic traffic, const std::string& user, const std::string& client_id,
                       int64_t bytes, int64_t now_ms) {
  const auto content = file_.content();
  if (declared_.empty() && content->quotas.empty()) return 0;
  for (const QuotaEntity& entity : Candidates(user, client_id)) {
    const Quota* quota = FindQuota(declared_, entity);
    if (quota == nullptr) quota = FindQuota(content->quotas, entity);
    if (quota == nullptr) continue;
    const double rate = traffic == Traffic::kProduce ? quota->limits.producer_byte_rate
                                                     : quota->limits.consumer_byte_rate;
    if (rate <= 0) continue;
    QuotaEntity own = entity;
    if (own.user) own.user = user;
    if (own.client_id) own.client_id = client_id;
    std::lock_guard lock(mutex_);
    if (buckets_.size() > kBucketsMax) {
      std::erase_if(buckets_, [&](const auto& entry) {
        return now_ms - entry.second.at_ms > kThrottleMaxMs;
      });
    }
    Bucket& bucket = buckets_[{traffic, own}];
    const double allowed = rate * static_cast<double>(now_ms - bucket.at_ms) / 1000;
    bucket.bytes = std::max(0.0, bucket.bytes - allowed) + static_cast<double>(bytes);
    bucket.at_ms = now_ms;
    const double wait_ms = (bucket.bytes - rate) / rate * 1000;
    return static_cast<int32_t>(std::clamp<double>(wait_ms, 0, kThrottleMaxMs));
  }
  return 0;
}

std::vector<Quota> Quotas::List() const {
  std::vector<Quota> all = declared_;
  const auto content = file_.content();
  for (const Quota& quota : content->quotas) {
    if (!IsDeclared(quota.entity)) all.push_back(quota);
  }
  return all;
}

bool Quotas::IsDeclared(const QuotaEntity& entity) const {
  return FindQuota(declared_, entity) != nullptr;
}

Status Quotas::Set(const std::vector<Quota>& quotas) {
  return file_.Change([&](SecurityContent& content) {
    for (const Quota& quota : quotas) {
      std::erase_if(content.quotas,
                    [&](const Quota& other) { return other.entity == quota.entity; });
      if (!(quota.limits == QuotaLimits())) content.quotas.push_back(quota);
    }
  });
}

}  // namespace millrace::kafka
