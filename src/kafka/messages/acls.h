// Messages about permissions: DescribeAcls, CreateAcls, DeleteAcls.
// Source: Kafka protocol guide, API keys 29, 30 and 31; KIP-140, KIP-290. How a message describes
// itself: kafka/wire_io.h. What the numbers mean: kafka/security/acl.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire_io.h"

namespace millrace::kafka {

struct AclFilterMessage {
  int8_t resource_type = 1;
  std::optional<std::string> resource_name;
  int8_t pattern_type = 3;
  std::optional<std::string> principal;
  std::optional<std::string> host;
  int8_t operation = 1;
  int8_t permission = 1;
  template <class Io>
  void Visit(Io& io) {
    io(resource_type, resource_name);
    io.Since(1, pattern_type);
    io(principal, host, operation, permission);
  }
};

// Its fields stand in the request itself, so it is a filter and no structure with one.
using DescribeAclsRequest = AclFilterMessage;

struct DescribeAclsResponse {
  struct Acl {
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission = 0;
    template <class Io>
    void Visit(Io& io) {
      io(principal, host, operation, permission);
    }
  };
  struct Resource {
    int8_t type = 0;
    std::string name;
    int8_t pattern_type = 3;
    std::vector<Acl> acls;
    template <class Io>
    void Visit(Io& io) {
      io(type, name);
      io.Since(1, pattern_type);
      io(acls);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<Resource> resources;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, error_message, resources);
  }
};

struct CreateAclsRequest {
  struct Creation {
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 3;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission = 0;
    template <class Io>
    void Visit(Io& io) {
      io(resource_type, resource_name);
      io.Since(1, pattern_type);
      io(principal, host, operation, permission);
    }
  };
  std::vector<Creation> creations;
  template <class Io>
  void Visit(Io& io) {
    io(creations);
  }
};

struct CreateAclsResponse {
  struct Result {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Result> results;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, results);
  }
};

struct DeleteAclsRequest {
  std::vector<AclFilterMessage> filters;
  template <class Io>
  void Visit(Io& io) {
    io(filters);
  }
};

struct DeleteAclsResponse {
  struct Acl {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    int8_t resource_type = 0;
    std::string resource_name;
    int8_t pattern_type = 3;
    std::string principal;
    std::string host;
    int8_t operation = 0;
    int8_t permission = 0;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message, resource_type, resource_name);
      io.Since(1, pattern_type);
      io(principal, host, operation, permission);
    }
  };
  struct Result {
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<Acl> acls;
    template <class Io>
    void Visit(Io& io) {
      io(error_code, error_message, acls);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<Result> results;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, results);
  }
};

}  // namespace millrace::kafka
