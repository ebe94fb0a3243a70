// HttpClient: asks a running `millrace dev` over its HTTP API.
//
// Contract: one connection per request; blocks until the whole answer is here or the timeout is
// over. One thread at a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::cli {

struct HttpReply {
  int status = 0;
  std::string body;
};

class HttpClient {
 public:
  // `url`: "http://host:port". Error kInvalidArgument.
  static Result<HttpClient> ForUrl(const std::string& url);

  // Whatever the server answers. Errors: kUnavailable (no connection, cut off), kDeadlineExceeded.
  Result<HttpReply> Send(const std::string& method, const std::string& target,
                         const std::string& body = "") const;
  // The body of a 2xx answer; an error answer comes back as the Status it was made from.
  Result<std::string> Get(const std::string& target) const;
  Result<std::string> Post(const std::string& target, const std::string& body) const;

  void set_timeout_ms(int64_t timeout_ms) { timeout_ms_ = timeout_ms; }

 private:
  std::string host_;
  std::string port_;
  int64_t timeout_ms_ = 60'000;
};

// The Status of {"error": {"code", "message", "hint", "detail"}}; kUnavailable with the HTTP status
// when the body is something else.
Status ErrorOfReply(const HttpReply& reply);

// For a part of a path.
std::string PercentEncode(std::string_view text);

}  // namespace millrace::cli
