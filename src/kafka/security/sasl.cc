#include "kafka/security/sasl.h"

#include "base/strings.h"

namespace millrace::kafka {

std::unique_ptr<SaslExchange> SaslExchange::Begin(const std::string& mechanism, Users& users) {
  std::unique_ptr<SaslExchange> exchange(new SaslExchange(mechanism, users));
  if (mechanism == kPlainMechanism) return exchange;
  for (const ScramHash hash : kScramHashes) {
    if (mechanism != MechanismOf(hash)) continue;
    constexpr size_t kNonceBytes = 18;
    exchange->scram_.emplace(
        hash, Base64(RandomBytes(kNonceBytes)),
        [&users, hash](const std::string& user) { return users.Find(user, hash); });
    return exchange;
  }
  return nullptr;
}

Result<std::string> SaslExchange::Take(std::string_view message) {
  if (done_) return Status(Code::kInvalidArgument, "the client is logged in already");
  if (!scram_) return TakePlain(message);
  auto answer = scram_->Take(message);
  done_ = scram_->done();
  return answer;
}

// [who to act for] NUL user NUL password
Result<std::string> SaslExchange::TakePlain(std::string_view message) {
  const std::vector<std::string> parts = Split(message, '\0');
  if (parts.size() != 3 || parts[1].empty()) {
    return Status(Code::kInvalidArgument, "malformed PLAIN message");
  }
  user_ = parts[1];
  if (!parts[0].empty() && parts[0] != user_) {
    return Status(Code::kInvalidArgument, "a user cannot act for another");
  }
  done_ = users_.CheckPassword(user_, parts[2]);
  if (!done_) return Status(Code::kInvalidArgument, "user or password is wrong");
  return std::string();
}

}  // namespace millrace::kafka
