#include "tests/support/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "tests/support/free_port.h"

namespace millrace::test {

namespace {

constexpr const char* kProgram = "/usr/bin/redis-server";

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool Listens(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = Loopback(port);
  const bool up = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return up;
}

}  // namespace

bool RedisServer::Available() {
  return std::filesystem::exists(kProgram);
}

std::unique_ptr<RedisServer> RedisServer::Start() {
  auto server = std::unique_ptr<RedisServer>(new RedisServer());
  server->port_ = FreePort();
  return server->Restart() ? std::move(server) : nullptr;
}

bool RedisServer::Restart() {
  const std::string port = std::to_string(port_);
  process_ = fork();
  if (process_ == 0) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    execl(kProgram, kProgram, "--bind", "127.0.0.1", "--port", port.c_str(), "--save", "",
          "--appendonly", "no", "--dir", "/tmp", static_cast<char*>(nullptr));
    _exit(127);
  }
  while (process_ > 0 && !Listens(port_)) {
    int status = 0;
    if (waitpid(process_, &status, WNOHANG) == process_) {
      std::fprintf(stderr, "redis-server ended with status %d\n", status);
      process_ = -1;
    }
    usleep(10'000);
  }
  return process_ > 0;
}

void RedisServer::Kill() {
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void RedisServer::Freeze() {
  kill(process_, SIGSTOP);
}

void RedisServer::Thaw() {
  kill(process_, SIGCONT);
}

RedisServer::~RedisServer() {
  Kill();
}

}  // namespace millrace::test
