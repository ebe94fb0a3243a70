#include "kafka/security/users.h"

#include <algorithm>

namespace millrace::kafka {

Users::Users(SecurityFile& file, const std::map<std::string, std::string>& passwords)
    : file_(file) {
  for (const auto& [user, password] : passwords) {
    for (const ScramHash hash : kScramHashes) {
      declared_[user][hash] = NewCredential(hash, password);
    }
  }
}

std::optional<ScramCredential> Users::FindReal(const std::string& user, ScramHash hash) const {
  if (const auto declared = declared_.find(user); declared != declared_.end()) {
    return declared->second.at(hash);
  }
  const auto content = file_.content();
  for (const StoredUser& stored : content->users) {
    if (stored.name == user && stored.hash == hash) return stored.credential;
  }
  return std::nullopt;
}

ScramCredential Users::Find(const std::string& user, ScramHash hash) const {
  auto found = FindReal(user, hash);
  if (found) return *std::move(found);
  constexpr size_t kSaltBytes = 16;
  const std::string salt = Hmac(ScramHash::kSha256, secret_, user).substr(0, kSaltBytes);
  return {salt, kScramIterationsMin, Hmac(hash, secret_, "stored" + user),
          Hmac(hash, secret_, "server" + user)};
}

bool Users::CheckPassword(const std::string& user, const std::string& password) {
  ScramHash hash = ScramHash::kSha256;
  if (!FindReal(user, hash) && FindReal(user, ScramHash::kSha512)) hash = ScramHash::kSha512;
  const ScramCredential credential = Find(user, hash);
  const std::string mac =
      Hmac(ScramHash::kSha256, secret_, credential.stored_key + credential.salt + password);
  {
    std::lock_guard lock(known_mutex_);
    const auto known = known_.find(user);
    if (known != known_.end() && EqualSecrets(known->second, mac)) return true;
  }
  const std::string salted = SaltPassword(hash, password, credential.salt, credential.iterations);
  const ScramCredential own = CredentialOf(hash, credential.salt, credential.iterations, salted);
  if (!EqualSecrets(own.stored_key, credential.stored_key)) return false;
  std::lock_guard lock(known_mutex_);
  known_[user] = mac;
  return true;
}

Users::Listed Users::List() const {
  Listed listed;
  const auto content = file_.content();
  for (const StoredUser& user : content->users) {
    listed[user.name][user.hash] = user.credential.iterations;
  }
  for (const auto& [user, credentials] : declared_) {
    listed[user].clear();
    for (const auto& [hash, credential] : credentials) listed[user][hash] = credential.iterations;
  }
  return listed;
}

Status Users::Apply(const std::vector<Change>& changes) {
  return file_.Change([&](SecurityContent& content) {
    for (const Change& change : changes) {
      std::erase_if(content.users, [&](const StoredUser& user) {
        return user.name == change.user && user.hash == change.hash;
      });
      if (change.credential)
        content.users.push_back({change.user, change.hash, *change.credential});
    }
  });
}

}  // namespace millrace::kafka
