// DescribeClientQuotas and AlterClientQuotas: the quotas that are kept by the server. Those of
// millrace.yml are described, but not changed.
#include <algorithm>
#include <cmath>

#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr const char* kUser = "user";
constexpr const char* kClientId = "client-id";

struct Limit {
  const char* key;
  double QuotaLimits::*field;
};
constexpr Limit kLimits[] = {{"producer_byte_rate", &QuotaLimits::producer_byte_rate},
                             {"consumer_byte_rate", &QuotaLimits::consumer_byte_rate}};

using Component = DescribeClientQuotasRequest::Component;

bool Fits(const std::optional<std::string>& part, const Component& wanted) {
  constexpr int8_t kThisName = 0, kEveryoneElse = 1;
  if (!part) return false;
  if (wanted.match_type == kThisName) return !part->empty() && part == wanted.name;
  return wanted.match_type != kEveryoneElse || part->empty();
}

bool Fits(const QuotaEntity& entity, const DescribeClientQuotasRequest& request) {
  const auto names = [&](const char* type) {
    return std::any_of(request.components.begin(), request.components.end(),
                       [&](const Component& component) { return component.type == type; });
  };
  if (request.strict && entity.user && !names(kUser)) return false;
  if (request.strict && entity.client_id && !names(kClientId)) return false;
  return std::all_of(request.components.begin(), request.components.end(),
                     [&](const Component& component) {
                       if (component.type == kUser) return Fits(entity.user, component);
                       return component.type == kClientId && Fits(entity.client_id, component);
                     });
}

QuotaEntityPart PartOf(const char* type, const std::string& name) {
  return {type, name.empty() ? std::nullopt : std::optional(name)};
}

Result<QuotaEntity> EntityOf(const std::vector<QuotaEntityPart>& parts) {
  QuotaEntity entity;
  for (const QuotaEntityPart& part : parts) {
    if (part.type != kUser && part.type != kClientId) {
      return Status(Code::kUnsupported, "quotas are for users and client ids");
    }
    auto& to = part.type == kUser ? entity.user : entity.client_id;
    if (to || (part.name && part.name->empty())) {
      return Status(Code::kUnsupported, "whom a quota is for is named once, and not empty");
    }
    to = part.name.value_or("");
  }
  if (parts.empty()) return Status(Code::kUnsupported, "a quota is for someone");
  return entity;
}

Status Apply(const AlterClientQuotasRequest::Change& change, QuotaLimits* limits) {
  for (const Limit& limit : kLimits) {
    if (change.key != limit.key) continue;
    const bool can_be = change.remove || (std::isfinite(change.value) && change.value >= 1);
    if (!can_be) return Status(Code::kUnsupported, "a rate is 1 byte a second or more");
    limits->*limit.field = change.remove ? 0 : change.value;
    return {};
  }
  return Status(Code::kUnsupported, "there are producer_byte_rate and consumer_byte_rate");
}

// The quota as it will be.
Result<Quota> Changed(const Quotas& quotas, const AlterClientQuotasRequest::Entry& entry) {
  MR_ASSIGN_OR_RETURN(QuotaEntity entity, EntityOf(entry.entity));
  if (quotas.IsDeclared(entity)) {
    return Status(Code::kUnsupported, "this quota is declared in millrace.yml");
  }
  Quota quota{std::move(entity), {}};
  for (const Quota& known : quotas.List()) {
    if (known.entity == quota.entity) quota.limits = known.limits;
  }
  for (const auto& change : entry.changes) MR_RETURN_IF_ERROR(Apply(change, &quota.limits));
  return quota;
}

}  // namespace

void HandleDescribeClientQuotas(Services& services, const DescribeClientQuotasRequest& request,
                                const CallPtr& call) {
  DescribeClientQuotasResponse response;
  response.error_code = CheckCluster(services, call, AclOperation::kDescribeConfigs);
  if (response.error_code != kNone) {
    response.error_message = "this needs a permission on the cluster";
    call->Answer(response);
    return;
  }
  response.entries.emplace();
  for (const Quota& quota : services.quotas.List()) {
    if (!Fits(quota.entity, request)) continue;
    auto& entry = response.entries->emplace_back();
    if (quota.entity.user) entry.entity.push_back(PartOf(kUser, *quota.entity.user));
    if (quota.entity.client_id) entry.entity.push_back(PartOf(kClientId, *quota.entity.client_id));
    for (const Limit& limit : kLimits) {
      const double value = quota.limits.*limit.field;
      if (value > 0) entry.values.push_back({limit.key, value});
    }
  }
  call->Answer(response);
}

void HandleAlterClientQuotas(Services& services, const AlterClientQuotasRequest& request,
                             const CallPtr& call) {
  const ErrorCode refused = CheckCluster(services, call, AclOperation::kAlterConfigs);
  services.in_background([&services, request, call, refused] {
    AlterClientQuotasResponse response;
    for (const auto& entry : request.entries) {
      auto& to = response.entries.emplace_back();
      to.entity = entry.entity;
      to.error_code = refused;
      if (refused != kNone) {
        to.error_message = "this needs a permission on the cluster";
        continue;
      }
      const auto quota = Changed(services.quotas, entry);
      Status status = quota.status();
      if (quota.ok() && !request.validate_only) status = services.quotas.Set({*quota});
      to.error_code = ErrorOf(status);
      if (!status.ok()) to.error_message = MessageOf(status);
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
