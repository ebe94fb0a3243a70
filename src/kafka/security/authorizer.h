// Authorizer: whether a client may do something. Every handler asks this one.
//
// Contract: any thread. ACLs are declared in millrace.yml, or over the port and kept in the
// SecurityFile. A denial wins over what allows; what nothing allows is refused, unless
// `allow_without_acl` and nothing at all is said of the resource. Whoever may read, write, delete
// or alter may describe; whoever may alter settings may describe them. Looks through all ACLs: made
// for thousands, not for millions.
// Source: Kafka's documentation, "Authorization and ACLs".
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/options.h"
#include "kafka/security/security_file.h"

namespace millrace::kafka {

class Authorizer {
 public:
  // `file` outlives this.
  Authorizer(SecurityFile& file, AclOptions options) : file_(file), options_(std::move(options)) {}

  bool Allows(std::string_view principal, std::string_view host, AclOperation operation,
              AclResource resource, std::string_view name) const;
  // Whether it is allowed for one resource of the kind at least.
  bool AllowsSome(std::string_view principal, std::string_view host, AclOperation operation,
                  AclResource resource) const;

  std::vector<Acl> Find(const AclFilter& filter) const;
  // Those that are there already stay. Blocks for the disk.
  Status Add(const std::vector<Acl>& acls);
  // Takes away what a filter finds, but for what millrace.yml declares; gives what it took, by
  // filter. Blocks for the disk.
  Result<std::vector<std::vector<Acl>>> Remove(const std::vector<AclFilter>& filters);

 private:
  void ForEach(const std::function<void(const Acl&)>& visit) const;

  SecurityFile& file_;
  const AclOptions options_;
};

}  // namespace millrace::kafka
