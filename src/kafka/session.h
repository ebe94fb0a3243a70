// Session: who is at the other end of a connection, and by which door it came.
//
// Contract: belongs to its connection; written before the client may ask for anything but to log
// in, when only one call of the connection is under way, and only read afterwards.
#pragma once

#include <memory>
#include <string>

#include "kafka/security/sasl.h"

namespace millrace::kafka {

class TlsFiles;

// A listener, as its clients see it. Outlives its connections.
struct Endpoint {
  std::string host;  // as clients are told
  int port = 0;
  bool sasl = false;              // clients have to log in
  const TlsFiles* tls = nullptr;  // null: plain
};

constexpr const char* kAnonymous = "User:ANONYMOUS";

struct Session {
  const Endpoint* endpoint = nullptr;
  std::string address;  // "127.0.0.1"
  std::string principal = kAnonymous;
  bool authenticated = false;
  std::unique_ptr<SaslExchange> sasl;  // from SaslHandshake on
  bool bare_tokens = false;            // SaslHandshake 0: what follows has no header (KIP-152)
};

using SessionPtr = std::shared_ptr<Session>;

}  // namespace millrace::kafka
