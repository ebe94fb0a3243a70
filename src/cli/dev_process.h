// DevProcess: how the other commands find a running `millrace dev` of the same project.
//
// Format: <data directory>/dev.json = {"pid": 4711, "url": "http://127.0.0.1:8080"}; written in one
// step, removed when dev ends. A file that a killed process left is recognised by its url not
// answering /healthz.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"

namespace millrace::cli {

struct DevProcess {
  int64_t pid = 0;
  std::string url;
};

// None when no dev runs there (or it does not answer within two seconds).
std::optional<DevProcess> FindDevProcess(const std::string& data_directory);

// Where log, state and warehouse of the project in `directory` live, without reading the project:
// as Project::data_directory().
std::string DataDirectoryOf(const std::string& directory);

// Keeps dev.json in place for as long as it lives.
class DevFile {
 public:
  DevFile(std::string data_directory, const std::string& url);
  ~DevFile();
  DevFile(const DevFile&) = delete;
  DevFile& operator=(const DevFile&) = delete;

  const Status& status() const { return status_; }  // of writing it

 private:
  std::string path_;
  Status status_;
};

}  // namespace millrace::cli
