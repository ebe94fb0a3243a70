// ChildProcess: a server for one test, started by hand on a port of 127.0.0.1; killed at the end.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace millrace::test {

class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { Kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Starts the program, without its standard output, and waits until something listens on `port`.
  // False, with the reason on standard error, when it ends before.
  bool Start(const std::string& program, std::vector<std::string> arguments, int port);
  // SIGKILL; returns when it is gone.
  void Kill();
  void Signal(int signal) const;

 private:
  pid_t process_ = -1;
};

}  // namespace millrace::test
