// DescribeUserScramCredentials and AlterUserScramCredentials (KIP-554): the users that are kept by
// the server. Those of millrace.yml are described, but not changed.
#include <map>
#include <set>

#include "kafka/handlers/handlers.h"
#include "kafka/permissions.h"

namespace millrace::kafka {

namespace {

constexpr const char* kNeedsCluster = "this needs a permission on the cluster";

using Described = DescribeUserScramCredentialsResponse::User;

std::optional<ScramHash> HashOf(int8_t mechanism) {
  for (const ScramHash hash : kScramHashes) {
    if (static_cast<int8_t>(hash) == mechanism) return hash;
  }
  return std::nullopt;
}

struct Refusal {
  ErrorCode error = kNone;
  std::string why;
};

// What a user's changes have in common with what is asked of all of them.
class Judge {
 public:
  Judge(const Users& users) : users_(users), listed_(users.List()) {}

  Refusal OfAny(const std::string& name, int8_t mechanism) {
    if (name.empty()) return {kUnacceptableCredential, "a user has a name"};
    if (users_.IsDeclared(name)) {
      return {kUnacceptableCredential, "this user is declared in millrace.yml"};
    }
    const auto hash = HashOf(mechanism);
    if (!hash) return {kUnsupportedSaslMechanism, "there are SCRAM-SHA-256 and SCRAM-SHA-512"};
    if (!seen_.insert({name, *hash}).second) {
      return {kDuplicateResource, "a credential is named twice"};
    }
    return {};
  }
  Refusal Of(const AlterUserScramCredentialsRequest::Deletion& deletion) {
    Refusal refusal = OfAny(deletion.name, deletion.mechanism);
    if (refusal.error != kNone) return refusal;
    const auto user = listed_.find(deletion.name);
    if (user == listed_.end() || !user->second.contains(*HashOf(deletion.mechanism))) {
      return {kResourceNotFound, "there is no such credential"};
    }
    return {};
  }
  Refusal Of(const AlterUserScramCredentialsRequest::Upsertion& upsertion) {
    Refusal refusal = OfAny(upsertion.name, upsertion.mechanism);
    if (refusal.error != kNone) return refusal;
    if (upsertion.iterations < kScramIterationsMin || upsertion.iterations > kScramIterationsMax) {
      return {kUnacceptableCredential, "iterations are 4096 to 16384"};
    }
    if (upsertion.salt.value.empty() || upsertion.salted_password.value.empty()) {
      return {kUnacceptableCredential, "salt and salted password are not empty"};
    }
    return {};
  }

 private:
  const Users& users_;
  const Users::Listed listed_;
  std::set<std::pair<std::string, ScramHash>> seen_;
};

}  // namespace

void HandleDescribeUserScramCredentials(Services& services,
                                        const DescribeUserScramCredentialsRequest& request,
                                        const CallPtr& call) {
  DescribeUserScramCredentialsResponse response;
  response.error_code = CheckCluster(services, call, AclOperation::kDescribe);
  if (response.error_code != kNone) {
    response.error_message = kNeedsCluster;
    call->Answer(response);
    return;
  }
  const Users::Listed listed = services.users.List();
  const auto describe = [&](const std::string& name) {
    Described& user = response.users.emplace_back();
    user.name = name;
    const auto found = listed.find(name);
    if (found == listed.end()) {
      user.error_code = kResourceNotFound;
      user.error_message = "there is no such user";
      return;
    }
    for (const auto& [hash, iterations] : found->second) {
      user.credentials.push_back({static_cast<int8_t>(hash), iterations});
    }
  };
  if (request.users && !request.users->empty()) {
    for (const auto& user : *request.users) describe(user.name);
  } else {
    for (const auto& [name, credentials] : listed) describe(name);
  }
  call->Answer(response);
}

void HandleAlterUserScramCredentials(Services& services,
                                     const AlterUserScramCredentialsRequest& request,
                                     const CallPtr& call) {
  const ErrorCode refused = CheckCluster(services, call, AclOperation::kAlter);
  services.in_background([&services, request, call, refused] {
    Judge judge(services.users);
    std::map<std::string, Refusal> refusals;  // by user: all or none of a user's changes
    const auto note = [&](const std::string& name, Refusal refusal) {
      Refusal& noted = refusals[name];
      if (noted.error == kNone) noted = std::move(refusal);
    };
    for (const auto& deletion : request.deletions) note(deletion.name, judge.Of(deletion));
    for (const auto& upsertion : request.upsertions) note(upsertion.name, judge.Of(upsertion));

    if (refused != kNone) {
      for (auto& [name, refusal] : refusals) refusal = {refused, kNeedsCluster};
    }
    std::vector<Users::Change> changes;
    for (const auto& deletion : request.deletions) {
      if (refusals[deletion.name].error != kNone) continue;
      changes.push_back({deletion.name, *HashOf(deletion.mechanism), std::nullopt});
    }
    for (const auto& upsertion : request.upsertions) {
      if (refusals[upsertion.name].error != kNone) continue;
      const ScramHash hash = *HashOf(upsertion.mechanism);
      changes.push_back({upsertion.name, hash,
                         CredentialOf(hash, upsertion.salt.value, upsertion.iterations,
                                      upsertion.salted_password.value)});
    }
    const Status status = changes.empty() ? Status() : services.users.Apply(changes);
    AlterUserScramCredentialsResponse response;
    for (auto& [name, refusal] : refusals) {
      if (refusal.error == kNone && !status.ok()) refusal = {ErrorOf(status), MessageOf(status)};
      auto& user = response.users.emplace_back();
      user.name = name;
      user.error_code = refusal.error;
      if (refusal.error != kNone) user.error_message = refusal.why;
    }
    call->Answer(response);
  });
}

}  // namespace millrace::kafka
