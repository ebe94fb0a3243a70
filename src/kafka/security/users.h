// Users: who may log in, and with what. Some are declared in millrace.yml (by password), others
// over the port (by credentials, kept in the SecurityFile).
//
// Contract: any thread. Declared users cannot be changed over the port, and win over stored ones of
// the same name.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "kafka/security/scram.h"
#include "kafka/security/security_file.h"

namespace millrace::kafka {

class Users {
 public:
  // `file` outlives this. `passwords` by user.
  Users(SecurityFile& file, const std::map<std::string, std::string>& passwords);

  // One that nobody has, always the same, when there is no such user or credential.
  ScramCredential Find(const std::string& user, ScramHash hash) const;
  // Some milliseconds of CPU for a password that was not right before.
  bool CheckPassword(const std::string& user, const std::string& password);

  // By name: mechanisms with their iterations.
  using Listed = std::map<std::string, std::map<ScramHash, int>>;
  Listed List() const;
  bool IsDeclared(const std::string& user) const { return declared_.contains(user); }

  struct Change {
    std::string user;
    ScramHash hash = ScramHash::kSha256;
    std::optional<ScramCredential> credential;  // nullopt: is taken away
  };
  // All of them in one step. Blocks for the disk.
  Status Apply(const std::vector<Change>& changes);

 private:
  std::optional<ScramCredential> FindReal(const std::string& user, ScramHash hash) const;

  SecurityFile& file_;
  std::map<std::string, std::map<ScramHash, ScramCredential>> declared_;
  const std::string secret_ = RandomBytes(32);  // of this process

  std::mutex known_mutex_;
  std::map<std::string, std::string> known_;  // user -> MAC of credential and password that fit
};

}  // namespace millrace::kafka
