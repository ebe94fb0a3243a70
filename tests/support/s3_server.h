// S3Server: a real S3 server (versitygw) for one test, on a free port of 127.0.0.1, over a
// directory of its own. It checks signatures. scripts/setup.sh builds it; Available() says whether
// it is there.
#pragma once

#include <memory>
#include <string>

#include "tests/support/child_process.h"

namespace millrace::test {

class S3Server {
 public:
  static constexpr const char* kBucket = "data-lake";
  static constexpr const char* kKeyId = "millrace";
  static constexpr const char* kSecret = "not-a-real-secret";

  static bool Available();
  // Null, with the reason on standard error, when it does not come up.
  static std::unique_ptr<S3Server> Start();
  ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  std::string Endpoint() const { return "127.0.0.1:" + std::to_string(port_); }
  // The objects of the bucket lie here, by their keys.
  std::string BucketDirectory() const { return directory_ + "/buckets/" + kBucket; }

  // Ends it at once; what it has stored stays.
  void Kill();
  // Starts again on the same port.
  bool Restart();

 private:
  S3Server() = default;

  std::string directory_;
  int port_ = 0;
  ChildProcess process_;
};

}  // namespace millrace::test
