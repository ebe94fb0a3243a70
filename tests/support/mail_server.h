// MailServer: a real mail server (Python's aiosmtpd, which scripts/setup.sh gets) for one test, on
// a free port of 127.0.0.1. Refuses nobody@… for good, and later@… twice.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

struct MailServerOptions {
  bool starttls = false;  // it takes nothing before TLS; its certificate is ca_file()
  std::string user = {};  // "": nobody needs to log in; otherwise only after TLS
  std::string password = {};
};

class MailServer {
 public:
  static bool Available();
  // Null, with the reason on standard error, when it does not come up.
  static std::unique_ptr<MailServer> Start(const MailServerOptions& options);
  ~MailServer();
  MailServer(const MailServer&) = delete;
  MailServer& operator=(const MailServer&) = delete;

  int port() const { return port_; }
  std::string ca_file() const { return directory_ + "/certificate.pem"; }
  // What it has taken, in order, each as the JSON of tests/support/mail_server.py.
  std::vector<std::string> Taken() const;

 private:
  MailServer() = default;

  std::string directory_;
  int port_ = 0;
  pid_t process_ = -1;
};

}  // namespace millrace::test
