// RedisServer: a real Redis for one test, on a free port of 127.0.0.1, without files. Needs the
// Debian package redis-server; Available() says whether it is there.
#pragma once

#include <memory>
#include <string>

#include "tests/support/child_process.h"

namespace millrace::test {

class RedisServer {
 public:
  static bool Available();
  // Null, with the reason on standard error, when it does not come up.
  static std::unique_ptr<RedisServer> Start();
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  int port() const { return port_; }
  std::string Url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }

  // Ends it at once; its data is gone.
  void Kill();
  // Stops and continues the process: connections stay, nothing is answered meanwhile.
  void Freeze();
  void Thaw();
  // Starts again on the same port, empty.
  bool Restart();

 private:
  RedisServer() = default;

  int port_ = 0;
  ChildProcess process_;
};

}  // namespace millrace::test
