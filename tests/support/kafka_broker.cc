#include "tests/support/kafka_broker.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/free_port.h"

namespace millrace::test {

namespace {

const std::string kJars = KAFKA_DIR;
const std::string kScript = KAFKA_BROKER_SCRIPT;

}  // namespace

bool KafkaBroker::Available() {
  return std::filesystem::exists(kJars + "/stamp") &&
         std::system("java -version > /dev/null 2>&1 && kcat -V > /dev/null 2>&1") == 0;
}

std::unique_ptr<KafkaBroker> KafkaBroker::Start() {
  auto broker = std::unique_ptr<KafkaBroker>(new KafkaBroker());
  std::string pattern = (std::filesystem::temp_directory_path() / "millrace_kafka_XXXXXX").string();
  broker->directory_ = mkdtemp(pattern.data());
  // Another process may take one of its three ports meanwhile.
  for (int attempt = 0; attempt < 3; attempt++) {
    broker->port_ = FreePort();
    if (broker->Restart()) return broker;
  }
  return nullptr;
}

bool KafkaBroker::Restart() {
  return Script("start " + directory_ + " " + std::to_string(port_) + " 2> /dev/null");
}

void KafkaBroker::Kill() {
  Script("kill " + directory_);
}

bool KafkaBroker::Tool(const std::string& class_and_arguments) const {
  return Script("tool " + class_and_arguments + " > /dev/null 2>&1");
}

std::string KafkaBroker::Kcat(const std::string& arguments, const std::string& input) const {
  const std::string file = directory_ + "/input";
  std::ofstream(file) << input;
  // It waits 5 seconds for the first answer if it is not told.
  const std::string command = "kcat -m 60 -b " + Servers() + " " + arguments + " < " + file;
  std::string said;
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("cannot run: " + command);
  char buffer[4096];
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, pipe)) > 0;) said.append(buffer, got);
  if (pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return said;
}

bool KafkaBroker::Script(const std::string& arguments) const {
  return std::system((kScript + " " + arguments).c_str()) == 0;
}

KafkaBroker::~KafkaBroker() {
  Script("kill " + directory_);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace millrace::test
