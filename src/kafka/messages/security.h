// Messages about who a client is: SaslHandshake, SaslAuthenticate, DescribeUserScramCredentials,
// AlterUserScramCredentials. Source: Kafka protocol guide, API keys 17, 36, 50 and 51; KIP-43,
// KIP-152, KIP-554. How a message describes itself: kafka/wire_io.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kafka/wire_io.h"

namespace millrace::kafka {

struct SaslHandshakeRequest {
  std::string mechanism;
  template <class Io>
  void Visit(Io& io) {
    io(mechanism);
  }
};

struct SaslHandshakeResponse {
  int16_t error_code = 0;
  std::vector<std::string> mechanisms;
  template <class Io>
  void Visit(Io& io) {
    io(error_code, mechanisms);
  }
};

struct SaslAuthenticateRequest {
  Bytes message;
  template <class Io>
  void Visit(Io& io) {
    io(message);
  }
};

struct SaslAuthenticateResponse {
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  Bytes message;
  int64_t session_lifetime_ms = 0;  // 0: for ever
  template <class Io>
  void Visit(Io& io) {
    io(error_code, error_message, message);
    io.Since(1, session_lifetime_ms);
  }
};

struct DescribeUserScramCredentialsRequest {
  struct User {
    std::string name;
    template <class Io>
    void Visit(Io& io) {
      io(name);
    }
  };
  std::optional<std::vector<User>> users;  // null or empty: all
  template <class Io>
  void Visit(Io& io) {
    io(users);
  }
};

struct DescribeUserScramCredentialsResponse {
  struct Credential {
    int8_t mechanism = 0;
    int32_t iterations = 0;
    template <class Io>
    void Visit(Io& io) {
      io(mechanism, iterations);
    }
  };
  struct User {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    std::vector<Credential> credentials;
    template <class Io>
    void Visit(Io& io) {
      io(name, error_code, error_message, credentials);
    }
  };
  int32_t throttle_time_ms = 0;
  int16_t error_code = 0;
  std::optional<std::string> error_message;
  std::vector<User> users;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, error_code, error_message, users);
  }
};

struct AlterUserScramCredentialsRequest {
  struct Deletion {
    std::string name;
    int8_t mechanism = 0;
    template <class Io>
    void Visit(Io& io) {
      io(name, mechanism);
    }
  };
  struct Upsertion {
    std::string name;
    int8_t mechanism = 0;
    int32_t iterations = 0;
    Bytes salt;
    Bytes salted_password;  // the password itself never comes here
    template <class Io>
    void Visit(Io& io) {
      io(name, mechanism, iterations, salt, salted_password);
    }
  };
  std::vector<Deletion> deletions;
  std::vector<Upsertion> upsertions;
  template <class Io>
  void Visit(Io& io) {
    io(deletions, upsertions);
  }
};

struct AlterUserScramCredentialsResponse {
  struct User {
    std::string name;
    int16_t error_code = 0;
    std::optional<std::string> error_message;
    template <class Io>
    void Visit(Io& io) {
      io(name, error_code, error_message);
    }
  };
  int32_t throttle_time_ms = 0;
  std::vector<User> users;
  template <class Io>
  void Visit(Io& io) {
    io(throttle_time_ms, users);
  }
};

}  // namespace millrace::kafka
