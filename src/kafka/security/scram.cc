#include "kafka/security/scram.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <vector>

#include "base/base64.h"
#include "base/strings.h"

namespace millrace::kafka {

namespace {

constexpr const char* kOpenSsl = "OpenSSL refused a digest that it has";

const EVP_MD* Digest(ScramHash hash) {
  return hash == ScramHash::kSha256 ? EVP_sha256() : EVP_sha512();
}

size_t DigestBytes(ScramHash hash) {
  return static_cast<size_t>(EVP_MD_get_size(Digest(hash)));
}

const unsigned char* Unsigned(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string Hash(ScramHash hash, std::string_view bytes) {
  std::string digest(DigestBytes(hash), '\0');
  MR_CHECK(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                      nullptr, Digest(hash), nullptr) == 1,
           kOpenSsl);
  return digest;
}

Status Malformed(const char* what) {
  return Status(Code::kInvalidArgument, fmt::format("malformed SCRAM message: {}", what));
}

// The value of "x=value".
std::optional<std::string> Attribute(std::string_view part, char name) {
  if (part.size() < 2 || part[0] != name || part[1] != '=') return std::nullopt;
  return std::string(part.substr(2));
}

// Names have "=2C" for a comma and "=3D" for an equals sign.
std::optional<std::string> UnescapeName(std::string_view text) {
  std::string name;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != '=') {
      name += text[i];
      continue;
    }
    const std::string_view code = text.substr(i, 3);
    if (code != "=2C" && code != "=3D") return std::nullopt;
    name += code == "=2C" ? ',' : '=';
    i += 2;
  }
  return name;
}

}  // namespace

const char* MechanismOf(ScramHash hash) {
  return hash == ScramHash::kSha256 ? "SCRAM-SHA-256" : "SCRAM-SHA-512";
}

std::string Hmac(ScramHash hash, std::string_view key, std::string_view text) {
  std::string digest(DigestBytes(hash), '\0');
  unsigned int length = 0;
  MR_CHECK(HMAC(Digest(hash), key.data(), static_cast<int>(key.size()), Unsigned(text), text.size(),
                reinterpret_cast<unsigned char*>(digest.data()), &length) != nullptr,
           kOpenSsl);
  return digest;
}

bool EqualSecrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  MR_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1,
           kOpenSsl);
  return bytes;
}

std::string SaltPassword(ScramHash hash, std::string_view password, std::string_view salt,
                         int iterations) {
  std::string salted(DigestBytes(hash), '\0');
  MR_CHECK(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), Unsigned(salt),
                             static_cast<int>(salt.size()), iterations, Digest(hash),
                             static_cast<int>(salted.size()),
                             reinterpret_cast<unsigned char*>(salted.data())) == 1,
           kOpenSsl);
  return salted;
}

ScramCredential CredentialOf(ScramHash hash, std::string salt, int iterations,
                             std::string_view salted_password) {
  return {std::move(salt), iterations, Hash(hash, Hmac(hash, salted_password, "Client Key")),
          Hmac(hash, salted_password, "Server Key")};
}

ScramCredential NewCredential(ScramHash hash, std::string_view password) {
  constexpr size_t kSaltBytes = 16;
  std::string salt = RandomBytes(kSaltBytes);
  const std::string salted = SaltPassword(hash, password, salt, kScramIterationsMin);
  return CredentialOf(hash, std::move(salt), kScramIterationsMin, salted);
}

Result<std::string> ScramExchange::Take(std::string_view message) {
  const Step step = step_;
  step_ = Step::kFailed;
  if (step == Step::kFirst) return TakeFirst(message);
  if (step == Step::kFinal) return TakeFinal(message);
  return Malformed("the exchange is over");
}

Result<std::string> ScramExchange::TakeFirst(std::string_view message) {
  const std::vector<std::string> parts = Split(message, ',');
  if (parts.size() < 4) return Malformed("parts are missing");
  if (parts[0] != "n" && parts[0] != "y") return Malformed("channel binding is not served");
  const auto name = Attribute(parts[2], 'n');
  const auto user = name ? UnescapeName(*name) : std::nullopt;
  const auto nonce = Attribute(parts[3], 'r');
  if (!user || user->empty()) return Malformed("no user");
  if (!nonce || nonce->empty()) return Malformed("no nonce");
  const auto acts_for = Attribute(parts[1], 'a');
  if (!parts[1].empty() && (!acts_for || UnescapeName(*acts_for) != user)) {
    return Malformed("a user cannot act for another");
  }
  user_ = *user;
  gs2_header_ = parts[0] + "," + parts[1] + ",";
  credential_ = find_(user_);
  both_nonces_ = *nonce + nonce_;
  const std::string answer =
      fmt::format("r={},s={},i={}", both_nonces_, Base64(credential_.salt), credential_.iterations);
  first_messages_ = fmt::format("{},{}", message.substr(gs2_header_.size()), answer);
  step_ = Step::kFinal;
  return answer;
}

Result<std::string> ScramExchange::TakeFinal(std::string_view message) {
  const size_t proof_at = message.rfind(",p=");
  if (proof_at == std::string_view::npos) return Malformed("no proof");
  const std::string_view without_proof = message.substr(0, proof_at);
  const std::vector<std::string> parts = Split(without_proof, ',');
  const auto binding = Attribute(parts[0], 'c');
  const auto nonce = parts.size() < 2 ? std::nullopt : Attribute(parts[1], 'r');
  if (!binding || DecodeBase64(*binding) != gs2_header_) return Malformed("other channel binding");
  // librdkafka before 2.6.1 sends its own nonce twice; what counts is that ours is there.
  if (!nonce || !nonce->ends_with(both_nonces_)) return Malformed("another nonce");
  const std::string proof = DecodeBase64(message.substr(proof_at + 3));
  const std::string all = fmt::format("{},{}", first_messages_, without_proof);

  std::string client_key = Hmac(hash_, credential_.stored_key, all);
  if (proof.size() != client_key.size()) return Malformed("a proof of another length");
  for (size_t i = 0; i < proof.size(); i++) {
    client_key[i] = static_cast<char>(client_key[i] ^ proof[i]);
  }
  if (!EqualSecrets(Hash(hash_, client_key), credential_.stored_key)) {
    return Status(Code::kInvalidArgument, "user or password is wrong");
  }
  step_ = Step::kDone;
  return "v=" + Base64(Hmac(hash_, credential_.server_key, all));
}

}  // namespace millrace::kafka
