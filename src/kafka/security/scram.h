// SCRAM: what a server keeps instead of a password, and its side of the exchange.
//
// Contract: pure functions and one object per authentication, used by one thread at a time. A
// credential does not let its holder log in, but lets him try passwords: it is a secret.
//
// Source: RFC 5802; RFC 7677 (SHA-256); KIP-84. Without channel binding. Passwords are taken as
// UTF-8 bytes, not prepared by SASLprep, as Kafka does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::kafka {

enum class ScramHash : int8_t { kSha256 = 1, kSha512 = 2 };  // Kafka's numbers
constexpr ScramHash kScramHashes[] = {ScramHash::kSha256, ScramHash::kSha512};
const char* MechanismOf(ScramHash hash);  // "SCRAM-SHA-256"

constexpr int kScramIterationsMin = 4096;
constexpr int kScramIterationsMax = 16384;

struct ScramCredential {
  std::string salt;
  int32_t iterations = 0;
  std::string stored_key;
  std::string server_key;
};

// RFC 5802's SaltedPassword; some milliseconds of CPU.
std::string SaltPassword(ScramHash hash, std::string_view password, std::string_view salt,
                         int iterations);
ScramCredential CredentialOf(ScramHash hash, std::string salt, int iterations,
                             std::string_view salted_password);
// With a salt of its own and the fewest iterations.
ScramCredential NewCredential(ScramHash hash, std::string_view password);

std::string Hmac(ScramHash hash, std::string_view key, std::string_view text);
// In a time that depends on the lengths only.
bool EqualSecrets(std::string_view a, std::string_view b);
std::string RandomBytes(size_t count);

class ScramExchange {
 public:
  // The credential of a user. For one that is not there it gives one that nobody has, so that the
  // answer does not tell.
  using Find = std::function<ScramCredential(const std::string& user)>;

  // `nonce`: ours, printable without comma, fresh for each exchange.
  ScramExchange(ScramHash hash, std::string nonce, Find find)
      : hash_(hash), nonce_(std::move(nonce)), find_(std::move(find)) {}

  // client-first-message -> server-first-message, then client-final-message ->
  // server-final-message. kInvalidArgument: malformed, or a wrong proof; then the exchange is over.
  Result<std::string> Take(std::string_view message);
  bool done() const { return step_ == Step::kDone; }
  const std::string& user() const { return user_; }  // "" before the first message

 private:
  enum class Step { kFirst, kFinal, kDone, kFailed };
  Result<std::string> TakeFirst(std::string_view message);
  Result<std::string> TakeFinal(std::string_view message);

  const ScramHash hash_;
  const std::string nonce_;
  const Find find_;
  Step step_ = Step::kFirst;
  std::string user_;
  ScramCredential credential_;
  std::string gs2_header_;
  std::string both_nonces_;
  std::string first_messages_;  // client-first-message-bare "," server-first-message
};

}  // namespace millrace::kafka
