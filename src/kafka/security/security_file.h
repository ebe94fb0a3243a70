// SecurityFile: what clients have declared about users, permissions and quotas over the port,
// durable.
//
// Contract: any thread. A change is seen once it is on stable storage; it is the old content or the
// new one after any crash. A file and not a topic, since whoever may read topics would read the
// users' credentials there.
//
// Format: "MRKS", int16 1, users, ACLs and quotas as WireWriter writes them (SecurityContent
// below), CRC-32C of everything before; integers big-endian.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env/files.h"
#include "kafka/security/acl.h"
#include "kafka/security/quota.h"
#include "kafka/security/scram.h"

namespace millrace::kafka {

struct StoredUser {
  std::string name;
  ScramHash hash = ScramHash::kSha256;
  ScramCredential credential;
};

struct SecurityContent {
  std::vector<StoredUser> users;
  std::vector<Acl> acls;
  std::vector<Quota> quotas;
};

std::string EncodeSecurity(const SecurityContent& content);
Result<SecurityContent> DecodeSecurity(std::string_view bytes);  // kCorruption

class SecurityFile {
 public:
  // A file that is not there has no content. `path` "": nothing is kept. Errors: kCorruption, kIo.
  static Result<std::unique_ptr<SecurityFile>> Open(env::FileSystem& files, std::string path);

  std::shared_ptr<const SecurityContent> content() const;
  // Blocks for the disk. After an error the content is what it was.
  Status Change(const std::function<void(SecurityContent&)>& change);

 private:
  SecurityFile(env::FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  env::FileSystem& files_;
  const std::string path_;
  std::mutex change_mutex_;  // one change after the other
  mutable std::mutex mutex_;
  std::shared_ptr<const SecurityContent> content_ = std::make_shared<SecurityContent>();
};

}  // namespace millrace::kafka
