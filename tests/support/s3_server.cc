#include "tests/support/s3_server.h"

#include <cstdlib>
#include <filesystem>

#include "tests/support/free_port.h"

namespace millrace::test {

namespace {

constexpr const char* kProgram = S3_SERVER;

}  // namespace

bool S3Server::Available() {
  return std::filesystem::exists(kProgram);
}

std::unique_ptr<S3Server> S3Server::Start() {
  auto server = std::unique_ptr<S3Server>(new S3Server());
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace_s3_XXXXXX").string();
  server->directory_ = mkdtemp(pattern.data());
  std::filesystem::create_directories(server->BucketDirectory());
  server->port_ = FreePort();
  return server->Restart() ? std::move(server) : nullptr;
}

bool S3Server::Restart() {
  return process_.Start(kProgram,
                        {"--access", kKeyId, "--secret", kSecret, "--port", Endpoint(), "--quiet",
                         "posix", directory_ + "/buckets"},
                        port_);
}

void S3Server::Kill() {
  process_.Kill();
}

S3Server::~S3Server() {
  Kill();
  std::filesystem::remove_all(directory_);
}

}  // namespace millrace::test
