#include "tests/support/child_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace millrace::test {

namespace {

bool Listens(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool up = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return up;
}

}  // namespace

bool ChildProcess::Start(const std::string& program, std::vector<std::string> arguments, int port) {
  arguments.insert(arguments.begin(), program);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  process_ = fork();
  if (process_ == 0) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDOUT_FILENO);
    execv(program.c_str(), pointers.data());
    _exit(127);
  }
  while (process_ > 0 && !Listens(port)) {
    int status = 0;
    if (waitpid(process_, &status, WNOHANG) == process_) {
      std::fprintf(stderr, "%s ended with status %d\n", program.c_str(), status);
      process_ = -1;
    }
    usleep(10'000);
  }
  return process_ > 0;
}

void ChildProcess::Kill() {
  if (process_ <= 0) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = -1;
}

void ChildProcess::Signal(int signal) const {
  if (process_ > 0) kill(process_, signal);
}

}  // namespace millrace::test
