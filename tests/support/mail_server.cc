#include "tests/support/mail_server.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace millrace::test {

namespace {
constexpr const char* kPython = MONITORING_DIR "/bin/python";
}

bool MailServer::Available() {
  return std::filesystem::exists(kPython);
}

std::unique_ptr<MailServer> MailServer::Start(const MailServerOptions& options) {
  auto server = std::unique_ptr<MailServer>(new MailServer());
  char name[] = "/tmp/millrace-mail-XXXXXX";
  if (mkdtemp(name) == nullptr) return nullptr;
  server->directory_ = name;
  const std::string key = server->directory_ + "/key.pem";
  std::vector<std::string> words = {kPython, MAIL_SERVER_SCRIPT, server->directory_};
  if (options.starttls) {
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
        key + " -out " + server->ca_file() + " 2> /dev/null";
    if (std::system(make.c_str()) != 0) {
      std::fprintf(stderr, "openssl makes no certificate\n");
      return nullptr;
    }
    words.insert(words.end(), {"--starttls", server->ca_file(), key});
  }
  if (!options.user.empty()) {
    words.insert(words.end(), {"--user", options.user, options.password});
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe(ends) != 0) return nullptr;
  server->process_ = fork();
  if (server->process_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    execv(kPython, arguments.data());
    _exit(127);
  }
  close(ends[1]);
  FILE* output = fdopen(ends[0], "r");
  const bool up = fscanf(output, "%d", &server->port_) == 1;
  fclose(output);
  if (!up) std::fprintf(stderr, "the mail server does not come up\n");
  return up ? std::move(server) : nullptr;
}

std::vector<std::string> MailServer::Taken() const {
  std::vector<std::string> messages;
  while (true) {
    std::ifstream file(directory_ + "/" + std::to_string(messages.size()) + ".json");
    if (!file) return messages;
    messages.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
}

MailServer::~MailServer() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  if (!directory_.empty()) std::filesystem::remove_all(directory_);
}

}  // namespace millrace::test
