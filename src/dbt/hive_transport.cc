#include "dbt/hive_transport.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "env/tcp_connect.h"

namespace millrace::dbt {

namespace {

constexpr size_t kBufferBytes = 64U << 10;
constexpr uint32_t kFrameBytesMax = 1U << 30;
constexpr uint32_t kSaslBytesMax = 1U << 20;
enum SaslStatus { kStart = 1, kOk = 2, kBad = 3, kError = 4, kComplete = 5 };

std::string BigEndian(size_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

uint32_t FromBigEndian(const char* raw) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) value = value << 8 | static_cast<unsigned char>(raw[i]);
  return value;
}

// A dead host is noticed, however long a statement takes.
void KeepAlive(int socket) {
  const auto set = [&](int level, int option, int value) {
    (void)setsockopt(socket, level, option, &value, sizeof(value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

}  // namespace

Status HiveTransport::Connect(const std::string& host, const std::string& port,
                              int64_t timeout_ms) {
  Close();
  shown_ = host + ":" + port;
  framed_ = false;
  auto connected = env::ConnectTcp(host, port, timeout_ms);
  if (!connected.ok()) {
    return std::move(connected).status().WithHint(
        "host and port of the target in profiles.yml are those of a Spark Thrift server");
  }
  KeepAlive(*connected);
  const std::lock_guard lock(mutex_);
  socket_ = *connected;
  return Status::Ok();
}

Status HiveTransport::Login(const std::string& user, const std::string& password) {
  MR_RETURN_IF_ERROR(SendSasl(kStart, "PLAIN"));
  MR_RETURN_IF_ERROR(SendSasl(kOk, std::string(1, '\0') + user + std::string(1, '\0') + password));
  char head[5];
  std::string payload;
  do {
    Status status = Receive(head, sizeof(head));
    if (!status.ok()) {
      return std::move(status).WithHint(
          "a server without SASL needs auth: NOSASL in profiles.yml; over HTTP none is reached");
    }
    payload.resize(FromBigEndian(head + 1));
    if (payload.size() > kSaslBytesMax || head[0] < kOk || head[0] > kComplete) {
      Close();
      return Status(Code::kUnavailable, fmt::format("{} does not speak SASL", shown_))
          .WithHint("is it the port of a Thrift server, and not over HTTP?");
    }
    MR_RETURN_IF_ERROR(Receive(payload.data(), payload.size()));
    if (head[0] == kBad || head[0] == kError) {
      Close();
      return Status(Code::kBadOption,
                    fmt::format("{} refuses the login of \"{}\": {}", shown_, user, payload))
          .WithHint("look at user, password and auth of the target in profiles.yml");
    }
  } while (head[0] != kComplete);
  framed_ = true;
  return Status::Ok();
}

Status HiveTransport::Send(const std::string& message) {
  return SendAll(framed_ ? BigEndian(message.size()) + message : message);
}

Status HiveTransport::Read(char* to, size_t count) {
  while (framed_ && count > 0) {
    if (frame_left_ == 0) MR_RETURN_IF_ERROR(NextFrame());
    const size_t part = std::min(count, frame_left_);
    MR_RETURN_IF_ERROR(Receive(to, part));
    frame_left_ -= part;
    to += part;
    count -= part;
  }
  return count == 0 ? Status::Ok() : Receive(to, count);
}

void HiveTransport::Close() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  buffer_.clear();
  taken_ = frame_left_ = 0;
}

void HiveTransport::Abort() {
  const std::lock_guard lock(mutex_);
  if (socket_ >= 0) (void)shutdown(socket_, SHUT_RDWR);
}

Status HiveTransport::Lost(const std::string& doing) {
  Close();
  return Status(Code::kUnavailable, fmt::format("lost the connection to {}: {}", shown_, doing))
      .WithRetry(Retry::kReconnect);
}

Status HiveTransport::SendAll(const std::string& bytes) {
  for (size_t at = 0; at < bytes.size();) {
    const ssize_t sent = send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent > 0) {
      at += static_cast<size_t>(sent);
    } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd waited{socket_, POLLOUT, 0};
      (void)poll(&waited, 1, -1);
    } else if (sent == 0 || errno != EINTR) {
      return Lost(std::strerror(errno));
    }
  }
  return Status::Ok();
}

Status HiveTransport::SendSasl(int status, const std::string& payload) {
  return SendAll(std::string(1, static_cast<char>(status)) + BigEndian(payload.size()) + payload);
}

Status HiveTransport::NextFrame() {
  char head[4];
  MR_RETURN_IF_ERROR(Receive(head, sizeof(head)));
  const uint32_t size = FromBigEndian(head);
  if (size > kFrameBytesMax) return Lost(fmt::format("it sent a frame of {} bytes", size));
  frame_left_ = size;
  return Status::Ok();
}

Status HiveTransport::Receive(char* to, size_t count) {
  while (count > 0) {
    if (taken_ < buffer_.size()) {
      const size_t part = std::min(count, buffer_.size() - taken_);
      std::memcpy(to, buffer_.data() + taken_, part);
      taken_ += part;
      to += part;
      count -= part;
      continue;
    }
    buffer_.resize(kBufferBytes);
    taken_ = 0;
    const ssize_t got = recv(socket_, buffer_.data(), buffer_.size(), 0);
    const int error = errno;
    buffer_.resize(got > 0 ? static_cast<size_t>(got) : 0);
    if (got == 0) return Lost("the server closed it");
    if (got < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
      pollfd waited{socket_, POLLIN, 0};
      (void)poll(&waited, 1, -1);
    } else if (got < 0 && error != EINTR) {
      return Lost(std::strerror(error));
    }
  }
  return Status::Ok();
}

}  // namespace millrace::dbt
