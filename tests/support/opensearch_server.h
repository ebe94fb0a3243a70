// OpenSearchServer: a real OpenSearch node for one test, on free ports of 127.0.0.1, in a temporary
// directory. Needs Java and what scripts/setup.sh fetches; Available() says whether they are there.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

namespace millrace::test {

class OpenSearchServer {
 public:
  static bool Available();
  // Returns when the node answers; null, with the reason on standard error, when it ends instead.
  static std::unique_ptr<OpenSearchServer> Start();
  ~OpenSearchServer();
  OpenSearchServer(const OpenSearchServer&) = delete;
  OpenSearchServer& operator=(const OpenSearchServer&) = delete;

  std::string Url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // Stops and continues the process: connections stay, nothing is answered meanwhile.
  void Freeze();
  void Thaw();

 private:
  OpenSearchServer() = default;

  std::string directory_;
  int port_ = 0;
  pid_t process_ = -1;
  int input_ = -1;  // the node ends when it is closed
};

}  // namespace millrace::test
