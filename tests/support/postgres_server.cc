#include "tests/support/postgres_server.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/support/free_port.h"

namespace millrace::test {

namespace {

constexpr const char* kBinDirectory = "/usr/lib/postgresql/15/bin";

}  // namespace

bool PostgresServer::Available() {
  return std::filesystem::exists(std::string(kBinDirectory) + "/initdb");
}

bool PostgresServer::Run(const std::string& command) const {
  std::string full = "cd / && " + std::string(kBinDirectory) + "/" + command;
  if (geteuid() == 0) full = "runuser -u postgres -- sh -c \"" + full + "\"";
  const bool ok = std::system((full + " > " + directory_ + "/output.txt 2>&1").c_str()) == 0;
  if (!ok) {
    std::fprintf(stderr, "failed: %s\n", command.c_str());
    std::system(("cat " + directory_ + "/output.txt " + directory_ + "/log.txt >&2").c_str());
  }
  return ok;
}

std::unique_ptr<PostgresServer> PostgresServer::Start() {
  auto server = std::unique_ptr<PostgresServer>(new PostgresServer());
  char pattern[] = "/tmp/millrace_pg_XXXXXX";
  if (!mkdtemp(pattern)) return nullptr;
  server->directory_ = pattern;
  if (geteuid() == 0 && std::system(("chown postgres " + server->directory_).c_str()) != 0) {
    return nullptr;
  }
  server->port_ = FreePort();
  if (!server->Run("initdb -D " + server->directory_ + "/data -U " + server->user() +
                   " -A trust -E UTF8 --locale=C --no-sync") ||
      !server->Restart()) {
    return nullptr;
  }
  return server;
}

bool PostgresServer::Restart() {
  // fsync stays on: the tests are about what survives.
  running_ = Run("pg_ctl -D " + directory_ + "/data -l " + directory_ +
                 "/log.txt -w -t 300 -o '-p " + std::to_string(port_) +
                 " -c listen_addresses=127.0.0.1 -c unix_socket_directories=" + directory_ +
                 " -c shared_buffers=16MB -c max_connections=20' start");
  return running_;
}

bool PostgresServer::Crash() {
  running_ = false;
  return Run("pg_ctl -D " + directory_ + "/data -m immediate -w stop");
}

PostgresServer::~PostgresServer() {
  if (running_) Crash();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string PostgresServer::JdbcUrl() const {
  return "jdbc:postgresql://127.0.0.1:" + std::to_string(port_) + "/" + database();
}

}  // namespace millrace::test
