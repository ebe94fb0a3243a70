// RawClient: a blocking TCP client for tests that says exactly what it is told.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace millrace::serve {

struct RawAnswer {
  int status = 0;  // 0: the connection ended first
  std::string head;
  std::string body;
};

class RawClient {
 public:
  explicit RawClient(int port, int receive_buffer = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  // False when the other side does not take it.
  bool Write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void HalfClose() { shutdown(fd_, SHUT_WR); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  // More bytes within the timeout; false at the end of the connection or when time is up.
  bool ReadSome(int timeout_ms = 60'000) {
    pollfd p = {fd_, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) <= 0) return false;
    char buffer[16384];
    ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    if (n <= 0) {
      ended_ = true;
      return false;
    }
    buffer_.append(buffer, static_cast<size_t>(n));
    return true;
  }
  bool ReadUntil(std::string_view text, int timeout_ms = 60'000) {
    while (buffer_.find(text) == std::string::npos) {
      if (!ReadSome(timeout_ms)) return false;
    }
    return true;
  }
  // The next whole answer; `head_only` for HEAD.
  RawAnswer ReadAnswer(bool head_only = false) {
    RawAnswer answer;
    do {
      if (!ReadUntil("\r\n\r\n")) return {};
      size_t end = buffer_.find("\r\n\r\n") + 4;
      answer.head = buffer_.substr(0, end);
      buffer_.erase(0, end);
      answer.status = std::atoi(answer.head.c_str() + 9);
    } while (answer.status == 100);
    size_t length = 0;
    size_t at = answer.head.find("Content-Length: ");
    if (at != std::string::npos) length = std::strtoul(answer.head.c_str() + at + 16, nullptr, 10);
    while (!head_only && buffer_.size() < length) {
      if (!ReadSome()) return {};
    }
    if (!head_only) {
      answer.body = buffer_.substr(0, length);
      buffer_.erase(0, length);
    }
    return answer;
  }
  // True when the server closes the connection without saying more.
  bool ReadEnd(int timeout_ms = 60'000) {
    while (ReadSome(timeout_ms)) {
    }
    return ended_ && buffer_.empty();
  }
  std::string& buffer() { return buffer_; }

  RawAnswer Get(std::string_view target, std::string_view headers = "") {
    Write("GET " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) +
          "\r\n");
    return ReadAnswer();
  }
  static std::string PostText(std::string_view target, std::string_view body,
                              std::string_view headers = "") {
    return "POST " + std::string(target) +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n" + std::string(headers) + "\r\n" + std::string(body);
  }
  RawAnswer Post(std::string_view target, std::string_view body, std::string_view headers = "") {
    Write(PostText(target, body, headers));
    return ReadAnswer();
  }

 private:
  int fd_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string buffer_;
};

}  // namespace millrace::serve
