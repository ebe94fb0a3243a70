#include "kafka/security/security_file.h"

#include "kafka/wire_io.h"
#include "log/crc32c.h"

namespace millrace::kafka {

namespace {

constexpr std::string_view kMagic = "MRKS";
constexpr size_t kCrcBytes = 4;

struct User {
  std::string name;
  int8_t hash = 0;
  Bytes salt;
  int32_t iterations = 0;
  Bytes stored_key;
  Bytes server_key;
  template <class Io>
  void Visit(Io& io) {
    io(name, hash, salt, iterations, stored_key, server_key);
  }
};

struct StoredAcl {
  int8_t resource = 0;
  std::string name;
  int8_t pattern = 0;
  std::string principal;
  std::string host;
  int8_t operation = 0;
  int8_t permission = 0;
  template <class Io>
  void Visit(Io& io) {
    io(resource, name, pattern, principal, host, operation, permission);
  }
};

struct StoredQuota {
  std::optional<std::string> user;
  std::optional<std::string> client_id;
  double producer_byte_rate = 0;
  double consumer_byte_rate = 0;
  template <class Io>
  void Visit(Io& io) {
    io(user, client_id, producer_byte_rate, consumer_byte_rate);
  }
};

struct Stored {
  int16_t version = 1;
  std::vector<User> users;
  std::vector<StoredAcl> acls;
  std::vector<StoredQuota> quotas;
  template <class Io>
  void Visit(Io& io) {
    io(version, users, acls, quotas);
  }
};

}  // namespace

std::string EncodeSecurity(const SecurityContent& content) {
  Stored stored;
  for (const StoredUser& user : content.users) {
    const ScramCredential& credential = user.credential;
    stored.users.push_back({user.name,
                            static_cast<int8_t>(user.hash),
                            {credential.salt},
                            credential.iterations,
                            {credential.stored_key},
                            {credential.server_key}});
  }
  for (const Acl& acl : content.acls) {
    stored.acls.push_back({static_cast<int8_t>(acl.resource), acl.name,
                           static_cast<int8_t>(acl.pattern), acl.principal, acl.host,
                           static_cast<int8_t>(acl.operation),
                           static_cast<int8_t>(acl.permission)});
  }
  for (const Quota& quota : content.quotas) {
    stored.quotas.push_back({quota.entity.user, quota.entity.client_id,
                             quota.limits.producer_byte_rate, quota.limits.consumer_byte_rate});
  }
  std::string bytes(kMagic);
  WireWriter(&bytes, 0, false).Field(stored);
  char crc[kCrcBytes];
  log::StoreBig<uint32_t>(crc, log::Crc32c(bytes));
  return bytes.append(crc, kCrcBytes);
}

Result<SecurityContent> DecodeSecurity(std::string_view bytes) {
  const Status corrupt(Code::kCorruption,
                       "not a file of Kafka users, permissions and quotas, or a damaged one");
  if (bytes.size() < kMagic.size() + kCrcBytes || !bytes.starts_with(kMagic)) return corrupt;
  const std::string_view checked = bytes.substr(0, bytes.size() - kCrcBytes);
  if (log::LoadBig<uint32_t>(bytes.data() + checked.size()) != log::Crc32c(checked)) return corrupt;
  Stored stored;
  WireReader reader(checked.substr(kMagic.size()), 0, false);
  reader.Field(stored);
  if (!reader.ok() || stored.version != 1) return corrupt;
  SecurityContent content;
  for (User& user : stored.users) {
    content.users.push_back({std::move(user.name),
                             static_cast<ScramHash>(user.hash),
                             {std::move(user.salt.value), user.iterations,
                              std::move(user.stored_key.value), std::move(user.server_key.value)}});
  }
  for (StoredAcl& acl : stored.acls) {
    content.acls.push_back({static_cast<AclResource>(acl.resource), std::move(acl.name),
                            static_cast<AclPattern>(acl.pattern), std::move(acl.principal),
                            std::move(acl.host), static_cast<AclOperation>(acl.operation),
                            static_cast<AclPermission>(acl.permission)});
  }
  for (StoredQuota& quota : stored.quotas) {
    content.quotas.push_back({{std::move(quota.user), std::move(quota.client_id)},
                              {quota.producer_byte_rate, quota.consumer_byte_rate}});
  }
  return content;
}

Result<std::unique_ptr<SecurityFile>> SecurityFile::Open(env::FileSystem& files, std::string path) {
  std::unique_ptr<SecurityFile> file(new SecurityFile(files, std::move(path)));
  if (file->path_.empty()) return file;
  const auto bytes = env::ReadWholeFile(files, file->path_);
  if (!bytes.ok() && bytes.status().code() == Code::kNotFound) return file;
  MR_RETURN_IF_ERROR(bytes.status());
  auto content = DecodeSecurity(*bytes);
  if (!content.ok()) {
    return Status(content.status().code(), "\"" + file->path_ + "\": " + content.status().message())
        .WithHint("put a copy back, or remove it and declare the users again");
  }
  file->content_ = std::make_shared<SecurityContent>(*std::move(content));
  return file;
}

std::shared_ptr<const SecurityContent> SecurityFile::content() const {
  std::lock_guard lock(mutex_);
  return content_;
}

Status SecurityFile::Change(const std::function<void(SecurityContent&)>& change) {
  std::lock_guard one_by_one(change_mutex_);
  auto next = std::make_shared<SecurityContent>(*content());
  change(*next);
  if (!path_.empty()) {
    MR_RETURN_IF_ERROR(env::ReplaceFile(files_, path_, EncodeSecurity(*next)));
  }
  std::lock_guard lock(mutex_);
  content_ = std::move(next);
  return {};
}

}  // namespace millrace::kafka
