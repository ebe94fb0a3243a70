#include "env/tcp_connect.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace millrace::env {
namespace {

// A socket on 127.0.0.1 whose port is not used by anybody else.
class Bound {
 public:
  Bound() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address_), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address_), &size), 0);
  }
  ~Bound() { close(socket_); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;

  int socket() const { return socket_; }
  std::string port() const { return std::to_string(ntohs(address_.sin_port)); }

 private:
  int socket_;
  sockaddr_in address_{};
};

TEST(ConnectTcp, ReachesWhoListens) {
  Bound server;
  ASSERT_EQ(listen(server.socket(), 1), 0);
  auto connected = ConnectTcp("127.0.0.1", server.port(), 5'000);
  ASSERT_TRUE(connected.ok()) << connected.status().ToString();
  const int accepted = accept(server.socket(), nullptr, nullptr);
  ASSERT_GE(accepted, 0);
  EXPECT_EQ(send(*connected, "x", 1, MSG_NOSIGNAL), 1);
  char got = 0;
  EXPECT_EQ(recv(accepted, &got, 1, 0), 1);
  EXPECT_EQ(got, 'x');
  close(accepted);
  close(*connected);
}

TEST(ConnectTcp, SaysWhyItCannot) {
  Bound nobody;  // listens
  auto refused = ConnectTcp("127.0.0.1", nobody.port(), 5'000);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().message(),
            "cannot connect to 127.0.0.1:" + nobody.port() + ": Connection refused");
  auto unknown = ConnectTcp("no-such-host.invalid", "80", 5'000);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), Code::kUnavailable);
  EXPECT_NE(unknown.status().message().find("no-such-host.invalid"), std::string::npos);
}

// A queue of connections that is full answers nobody: only the time limit ends the wait.
TEST(ConnectTcp, GivesUpInTime) {
  Bound server;
  ASSERT_EQ(listen(server.socket(), 0), 0);
  std::vector<int> waiting;
  Status status = Status::Ok();
  for (int i = 0; i < 10 && status.ok(); i++) {
    auto connected = ConnectTcp("127.0.0.1", server.port(), 200);
    if (connected.ok()) waiting.push_back(*connected);
    status = connected.status();
  }
  EXPECT_NE(status.message().find("Connection timed out"), std::string::npos) << status.ToString();
  for (int socket : waiting) close(socket);
}

}  // namespace
}  // namespace millrace::env
