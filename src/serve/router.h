// Router: finds the handler for a method and path.
//
// Contract: routes are added before the server starts; Match is then safe from any thread.
// A pattern is literal segments and {name} segments, each matching one non-empty path segment.
// HEAD goes to the GET handler (the server leaves the body out). A route that is also matched by
// a literal one yields to it: "/api/topics/all" before "/api/topics/{topic}".
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http_types.h"
#include "serve/responder.h"

namespace millrace::serve {

// Runs on a network thread: must not wait. Answers through the responder, now or later.
using Handler = std::function<void(Request request, Responder responder)>;

class Router {
 public:
  void Add(Method method, std::string pattern, Handler handler);
  // For GET requests that no pattern matches (the web page). Null: 404.
  void SetFallback(Handler handler) { fallback_ = std::move(handler); }

  struct Found {
    const Handler* handler = nullptr;  // null: the caller answers `status`
    int status = 404;                  // 404, or 405 when only other methods match
    std::string allow;                 // "GET, HEAD, OPTIONS" where the path is known
  };
  // Fills request.path_args and request.route.
  Found Match(Request& request) const;

 private:
  struct Route {
    Method method;
    std::string pattern;
    std::vector<std::string> segments;  // "{topic}" or literal
    Handler handler;
  };
  std::vector<Route> routes_;
  Handler fallback_;
};

}  // namespace millrace::serve
