#include "tests/support/http_service.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace millrace::test {

namespace {

constexpr int kPollMs = 10;  // how soon a stop is noticed

bool Readable(int socket) {
  pollfd wanted{socket, POLLIN, 0};
  return poll(&wanted, 1, kPollMs) > 0;
}

bool SendAll(int socket, const std::string& text) {
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n = send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

size_t ContentLength(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](char c) { return std::tolower(c); });
  const std::string name = "content-length:";
  const size_t at = head.find(name);
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + name.size(), nullptr, 10);
}

}  // namespace

HttpService::HttpService(Handler handler) : handler_(std::move(handler)) {
  if (!Start()) std::abort();
}

HttpService::~HttpService() {
  Stop();
}

bool HttpService::Start() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port_));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0) return false;
  if (listen(listener_, 64) != 0) return false;
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  stop_ = false;
  acceptor_ = std::thread([this] { Accept(); });
  return true;
}

void HttpService::Stop() {
  stop_ = true;
  if (acceptor_.joinable()) acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
  connections_.clear();
  if (listener_ >= 0) close(listener_);
  listener_ = -1;
}

void HttpService::Accept() {
  while (!stop_) {
    if (!Readable(listener_)) continue;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) connections_.emplace_back([this, connection] { Serve(connection); });
  }
}

void HttpService::Serve(int connection) {
  std::string text;
  char buffer[65536];
  while (!stop_) {
    const size_t end = text.find("\r\n\r\n");
    if (end != std::string::npos) {
      HttpRequest request;
      request.head = text.substr(0, end + 2);
      const size_t whole = end + 4 + ContentLength(request.head);
      if (text.size() >= whole) {
        request.body = text.substr(end + 4, whole - end - 4);
        text.erase(0, whole);
        const HttpAnswer answer = handler_(request);
        for (int waited = 0; waited < answer.delay_ms && !stop_; waited += kPollMs) {
          std::this_thread::sleep_for(std::chrono::milliseconds(kPollMs));
        }
        if (stop_) break;
        const std::string head = "HTTP/1.1 " + std::to_string(answer.status) +
                                 " Said\r\nContent-Type: application/json\r\nContent-Length: " +
                                 std::to_string(answer.body.size()) + "\r\n\r\n";
        if (!SendAll(connection, head + answer.body)) break;
        continue;
      }
    }
    if (!Readable(connection)) continue;
    const ssize_t n = recv(connection, buffer, sizeof buffer, 0);
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  close(connection);
}

}  // namespace millrace::test
