// HttpClient: sends JSON to one URL by POST and gives what is answered. Keeps its connection.
//
// Contract: one thread at a time; Post blocks, for `timeout_ms` at most. Every error is
// kUnavailable and may be tried again: who serves the URL may be away, starting or broken.
// Redirects are not followed. Credentials do not appear in messages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"

namespace millrace::connectors::http {

struct HttpSettings {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  int64_t timeout_ms = 0;  // of one question, connecting included
};

// Errors: kBadOption for a URL that is none of HTTP(S) or holds a password, and for a header that
// cannot be one.
Status CheckSettings(const HttpSettings& settings);

class HttpClient {
 public:
  explicit HttpClient(HttpSettings settings);
  ~HttpClient();

  // The body of the answer, which had status 200. At most 256 MiB.
  Result<std::string> Post(const std::string& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::connectors::http
