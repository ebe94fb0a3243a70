#include "env/tcp_connect.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "env/clock.h"

namespace millrace::env {

namespace {

// 0, or what went wrong.
int ConnectTo(int socket, const addrinfo& address, int64_t deadline_us) {
  if (connect(socket, address.ai_addr, address.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waited{socket, POLLOUT, 0};
  int ready = 0;
  do {
    const int64_t left_us = deadline_us - Clock::System()->MonotonicMicros();
    if (left_us <= 0) return ETIMEDOUT;
    ready = poll(&waited, 1, static_cast<int>(left_us / 1000 + 1));
  } while (ready == 0 || (ready < 0 && errno == EINTR));
  if (ready < 0) return errno;
  int error = 0;
  socklen_t size = sizeof(error);
  return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

Result<int> ConnectTcp(const std::string& host, const std::string& port, int64_t timeout_ms) {
  const int64_t deadline_us = Clock::System()->MonotonicMicros() + timeout_ms * 1000;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return Status(Code::kUnavailable,
                  fmt::format("cannot find host \"{}\": {}", host, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, &freeaddrinfo);
  int error = 0;
  for (addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int tried = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    error = tried < 0 ? errno : ConnectTo(tried, *at, deadline_us);
    if (error == 0) return tried;
    if (tried >= 0) close(tried);
  }
  return Status(Code::kUnavailable,
                fmt::format("cannot connect to {}:{}: {}", host, port, std::strerror(error)));
}

}  // namespace millrace::env
