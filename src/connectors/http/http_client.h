// HttpClient: asks one server, and gives what it answers. Keeps its connection.
//
// Contract: one thread at a time; a request blocks, for `timeout_ms` at most. Every error is
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
  std::string username = {};
  std::string password = {};
  // "aws:amz:REGION:s3": name and password sign requests as Amazon's version 4 of it, where paths
  // are encoded as the signature wants them; else they are sent. Needs the header
  // x-amz-content-sha256.
  std::string aws_signature = {};
};

struct HttpRequest {
  std::string method = "POST";
  std::string path = {};  // put behind the URL
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};  // beside those of the settings
  std::string body = {};
};

struct HttpAnswer {
  int status = 0;
  std::string body;  // at most 256 MiB
};

// Errors: kBadOption for a URL that is none of HTTP(S) or holds a password, and for a header that
// cannot be one.
Status CheckSettings(const HttpSettings& settings);

class HttpClient {
 public:
  explicit HttpClient(HttpSettings settings);
  ~HttpClient();

  // Whatever is answered, with any status.
  Result<HttpAnswer> Send(const HttpRequest& request);
  // The body of the answer to JSON, which had status 200.
  Result<std::string> Post(const std::string& body);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The beginning of a text on one line, for messages.
std::string ShownAnswer(const std::string& text);

}  // namespace millrace::connectors::http
