#include "tests/support/opensearch_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "tests/support/free_port.h"

namespace millrace::test {

namespace {

const std::string kDirectory = OPENSEARCH_DIR;

}  // namespace

bool OpenSearchServer::Available() {
  return std::filesystem::exists(kDirectory + "/stamp") &&
         std::system("java -version > /dev/null 2>&1") == 0;
}

std::unique_ptr<OpenSearchServer> OpenSearchServer::Start() {
  auto server = std::unique_ptr<OpenSearchServer>(new OpenSearchServer());
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace_os_XXXXXX").string();
  server->directory_ = mkdtemp(pattern.data());
  server->port_ = FreePort();
  const std::string port = std::to_string(server->port_), transport = std::to_string(FreePort());
  int input[2], output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) return nullptr;
  server->process_ = fork();
  if (server->process_ == 0) {
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    const int log = open((server->directory_ + "/log").c_str(), O_WRONLY | O_CREAT, 0600);
    dup2(log, STDERR_FILENO);
    const std::string classes = kDirectory + "/classes:" + kDirectory + "/jars/*";
    const std::string data = server->directory_ + "/node";
    execlp("java", "java", "-Xms256m", "-Xmx256m", "-cp", classes.c_str(), "OpenSearchNode",
           data.c_str(), port.c_str(), transport.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  close(input[0]);
  close(output[1]);
  server->input_ = input[1];
  // It says other things before "ready".
  std::string said;
  char buffer[512];
  while (said.find("ready\n") == std::string::npos) {
    const ssize_t got = read(output[0], buffer, sizeof buffer);
    if (got <= 0) break;
    said.append(buffer, static_cast<size_t>(got));
  }
  close(output[0]);
  if (said.find("ready\n") != std::string::npos) return server;
  std::fprintf(stderr, "the OpenSearch node ended:\n%s\n", said.c_str());
  return nullptr;
}

void OpenSearchServer::Freeze() {
  kill(process_, SIGSTOP);
}

void OpenSearchServer::Thaw() {
  kill(process_, SIGCONT);
}

OpenSearchServer::~OpenSearchServer() {
  if (input_ >= 0) close(input_);
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace millrace::test
