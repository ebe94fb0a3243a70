// PostgresServer: a real PostgreSQL for one test, in a temporary directory, on a free port of
// 127.0.0.1. Needs the server's programs (Debian package postgresql-15); Available() says whether
// they are there. Runs as user "postgres" when the test runs as root, which PostgreSQL refuses.
#pragma once

#include <memory>
#include <string>

namespace millrace::test {

class PostgresServer {
 public:
  static bool Available();
  // Creates a cluster and starts it; null, with the reason on standard error, when that fails.
  static std::unique_ptr<PostgresServer> Start();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  int port() const { return port_; }
  // Superuser without a password.
  std::string user() const { return "millrace"; }
  std::string database() const { return "postgres"; }
  std::string JdbcUrl() const;

  // Stops at once, as a crash does: no checkpoint, connections break. Data is kept.
  bool Crash();
  // Starts again on the same port.
  bool Restart();

 private:
  PostgresServer() = default;
  // Runs one of PostgreSQL's programs to its end; true when it succeeded.
  bool Run(const std::string& command) const;

  std::string directory_;
  int port_ = 0;
  bool running_ = false;
};

}  // namespace millrace::test
