// KafkaBroker: a real Kafka broker for one test, on free ports of 127.0.0.1, in a temporary
// directory (tests/support/kafka/broker.sh). Needs Java, kcat and what scripts/setup.sh fetches;
// Available() says whether they are there.
#pragma once

#include <memory>
#include <string>

namespace millrace::test {

class KafkaBroker {
 public:
  static bool Available();
  // Returns when the broker answers; null when it does not come up.
  static std::unique_ptr<KafkaBroker> Start();
  ~KafkaBroker();
  KafkaBroker(const KafkaBroker&) = delete;
  KafkaBroker& operator=(const KafkaBroker&) = delete;

  std::string Servers() const { return "127.0.0.1:" + std::to_string(port_); }

  // The same behind TLS and SASL PLAIN, user "alice", password "secret".
  std::string SecureServers() const { return "localhost:" + std::to_string(port_ + 2); }
  std::string CertificateFile() const { return directory_ + "/ca.pem"; }

  // Kills it, and starts it again over the same data.
  void Kill();
  bool Restart();
  // Runs a program of Kafka's; whether it succeeded.
  bool Tool(const std::string& class_and_arguments) const;
  // Runs `kcat -b <this broker> <arguments>` with `input`; what it prints. Throws when kcat fails,
  // which ends the test: what it did not write would be waited for without end.
  std::string Kcat(const std::string& arguments, const std::string& input = "") const;

 private:
  KafkaBroker() = default;
  bool Script(const std::string& arguments) const;

  std::string directory_;
  int port_ = 0;
};

}  // namespace millrace::test
