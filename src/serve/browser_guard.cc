#include "serve/browser_guard.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "base/strings.h"

namespace millrace::serve {

namespace {
// "localhost:8080" -> "localhost", "[::1]:80" -> "::1".
std::string_view HostName(std::string_view host) {
  if (!host.empty() && host[0] == '[') {
    size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.rfind(':'));
}

// Everything that shows or changes something: the API, and the schema registry at its root paths.
bool IsGuarded(std::string_view path) {
  static constexpr std::string_view kRoots[] = {"/api",    "/subjects", "/schemas",
                                                "/config", "/mode",     "/compatibility"};
  return std::any_of(std::begin(kRoots), std::end(kRoots), [&](std::string_view root) {
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  });
}

bool IsAddress(std::string_view name) {
  boost::system::error_code ec;
  boost::asio::ip::make_address(std::string(name), ec);
  return !ec;
}
}  // namespace

Status CheckBrowser(const Request& request, const HttpCore& core) {
  if (!IsGuarded(request.path)) return {};
  std::string_view host = request.Header("Host");
  if (core.loopback && !host.empty()) {
    std::string_view name = HostName(host);
    const auto& allowed = core.options.allowed_hosts;
    bool known = EqualsIgnoreCase(name, "localhost") || IsAddress(name) ||
                 std::any_of(allowed.begin(), allowed.end(),
                             [&](const std::string& a) { return EqualsIgnoreCase(a, name); });
    if (!known) {
      return Status(Code::kInvalidArgument,
                    "the host name \"" + std::string(name) + "\" is not one of this server's")
          .WithHint(
              "a server on a loopback address answers to localhost and to addresses; "
              "name others in its allowed hosts");
    }
  }
  bool reads = request.method == Method::kGet || request.method == Method::kHead ||
               request.method == Method::kOptions;
  std::string_view origin = request.Header("Origin");
  if (reads || origin.empty()) return {};
  size_t slashes = origin.find("://");
  if (slashes != std::string_view::npos && EqualsIgnoreCase(origin.substr(slashes + 3), host)) {
    return {};
  }
  return Status(Code::kInvalidArgument,
                "requests from the web site \"" + std::string(origin) + "\" are not accepted")
      .WithHint("only pages that this server itself delivers may change something");
}

}  // namespace millrace::serve
