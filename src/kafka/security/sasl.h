// SaslExchange: one client's way to its name, by PLAIN or SCRAM.
//
// Contract: one thread at a time. PLAIN (RFC 4616) takes milliseconds of CPU: not on a network
// thread. PLAIN and SCRAM know the same users. `users` outlives this.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kafka/security/scram.h"
#include "kafka/security/users.h"

namespace millrace::kafka {

constexpr const char* kPlainMechanism = "PLAIN";

class SaslExchange {
 public:
  // Null for a mechanism that is not served.
  static std::unique_ptr<SaslExchange> Begin(const std::string& mechanism, Users& users);

  // The answer to a message of the client. kInvalidArgument ends the exchange; its message does not
  // say whether there is such a user.
  Result<std::string> Take(std::string_view message);
  bool done() const { return done_; }
  const std::string& user() const { return scram_ ? scram_->user() : user_; }
  const std::string& mechanism() const { return mechanism_; }

 private:
  SaslExchange(std::string mechanism, Users& users)
      : mechanism_(std::move(mechanism)), users_(users) {}
  Result<std::string> TakePlain(std::string_view message);

  const std::string mechanism_;
  Users& users_;
  std::optional<ScramExchange> scram_;
  std::string user_;
  bool done_ = false;
};

}  // namespace millrace::kafka
