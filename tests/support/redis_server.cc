#include "tests/support/redis_server.h"

#include <signal.h>

#include <filesystem>

#include "tests/support/free_port.h"

namespace millrace::test {

namespace {

constexpr const char* kProgram = "/usr/bin/redis-server";

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
  return process_.Start(kProgram,
                        {"--bind", "127.0.0.1", "--port", std::to_string(port_), "--save", "",
                         "--appendonly", "no", "--dir", "/tmp"},
                        port_);
}

void RedisServer::Kill() {
  process_.Kill();
}

void RedisServer::Freeze() {
  process_.Signal(SIGSTOP);
}

void RedisServer::Thaw() {
  process_.Signal(SIGCONT);
}

RedisServer::~RedisServer() {
  Kill();
}

}  // namespace millrace::test
