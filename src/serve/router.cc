#include "serve/router.h"

#include <algorithm>

#include "base/strings.h"

namespace millrace::serve {

namespace {
bool IsArgument(const std::string& segment) {
  return segment.size() > 2 && segment[0] == '{';
}

// Of a pattern: of "/a/{b}" "a" and "{b}"; of "/" none.
std::vector<std::string> Segments(std::string_view pattern) {
  if (pattern == "/") return {};
  return Split(pattern.substr(1), '/');
}

bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  if (pattern.size() != segments.size()) return false;
  for (size_t i = 0; i < pattern.size(); i++) {
    if (IsArgument(pattern[i]) ? segments[i].empty() : pattern[i] != segments[i]) return false;
  }
  return true;
}

bool Serves(Method route, Method request) {
  return route == request || (route == Method::kGet && request == Method::kHead);
}
}  // namespace

void Router::Add(Method method, std::string pattern, Handler handler) {
  Route route{method, pattern, Segments(pattern), std::move(handler)};
  bool literal = std::none_of(route.segments.begin(), route.segments.end(), IsArgument);
  routes_.insert(literal ? routes_.begin() : routes_.end(), std::move(route));
}

Router::Found Router::Match(Request& request) const {
  const std::vector<std::string>& segments = request.segments;
  std::string allow;
  for (const Route& route : routes_) {
    if (!Matches(route.segments, segments)) continue;
    if (Serves(route.method, request.method)) {
      request.route = route.pattern;
      request.path_args.clear();
      for (size_t i = 0; i < segments.size(); i++) {
        const std::string& name = route.segments[i];
        if (IsArgument(name)) {
          request.path_args.emplace_back(name.substr(1, name.size() - 2), segments[i]);
        }
      }
      return {&route.handler, 200, {}};
    }
    allow += MethodName(route.method) + std::string(", ");
    if (route.method == Method::kGet) allow += "HEAD, ";
  }
  if (!allow.empty()) return {nullptr, 405, allow + "OPTIONS"};
  if (fallback_) {
    if (Serves(Method::kGet, request.method)) return {&fallback_, 200, {}};
  }
  return {nullptr, 404, {}};
}

}  // namespace millrace::serve
