// Request and Response: what a route handler gets and gives, free of any HTTP library.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace millrace::serve {

enum class Method { kGet, kHead, kPost, kPut, kDelete, kOptions, kOther };
const char* MethodName(Method method);

using StringPairs = std::vector<std::pair<std::string, std::string>>;

// A whole request, body included. Movable; handlers may keep it for as long as they want.
struct Request {
  Method method = Method::kGet;
  std::string target;     // as sent: "/api/topics/a%20b?limit=5"
  std::string path;       // decoded, without the query: "/api/topics/a b"
  // Of the path, each decoded; so "a%2Fb" is one: "api", "topics", "a b".
  std::vector<std::string> segments;
  StringPairs query;      // decoded, in order
  StringPairs path_args;  // what the route's {names} matched, decoded
  StringPairs headers;    // as sent, in order
  std::string route;      // the pattern that matched: "/api/topics/{topic}"; "" when none did

  // The body's bytes, followed by model::kRecordPadding readable bytes.
  std::string_view body() const { return {buffer.data(), body_size}; }
  // Replaces the body (decompression, tests); keeps the padding.
  void SetBody(std::string bytes);

  // Value of the first header with this name in any case, or "".
  std::string_view Header(std::string_view name) const;
  // Value of the last query parameter with this name, or "" / whether there is one.
  std::string_view Query(std::string_view name) const;
  bool HasQuery(std::string_view name) const;
  // What the route's {name} matched, or "".
  std::string_view PathArg(std::string_view name) const;

  std::string buffer;  // body_size bytes and the padding
  size_t body_size = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  StringPairs headers = {};
  std::string body = {};
  // When set, sent instead of `body`; must live as long as the program (embedded assets).
  std::string_view static_body = {};
};

// {"error": {"code", "message", "hint", "detail"}} with the HTTP status for the code.
Response ErrorResponse(const Status& status);
Response ErrorResponse(int http_status, const Status& status);
// The HTTP status for an error: 400, 404, 409, 503, 504 ...; 500 for our own faults.
int HttpStatusFor(const Status& status);
// "Not Found" for 404.
std::string_view ReasonPhrase(int http_status);

// Takes the target apart into path, segments and query. False for a malformed %-escape, a NUL or a
// target that does not start with "/".
bool ParseTarget(Request& request);

}  // namespace millrace::serve
