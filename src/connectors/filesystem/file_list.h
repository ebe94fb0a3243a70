// Which files a path option means, and what is known of each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::connectors::filesystem {

// `path` without "file://", relative ones below base_dir.
std::string ResolvePath(const std::string& path, const std::string& base_dir);

// Files under `path` (a file, a directory with all below it, or a pattern), sorted, without those
// whose name or directory below `path` begins with "." or "_". Error kNotFound when a path without
// wildcards does not exist.
Result<std::vector<std::string>> ListFiles(const std::string& path);

struct FileState {
  int64_t size = 0;
  int64_t modified_us = 0;  // wall clock
};
Result<FileState> StateOf(const std::string& path);

}  // namespace millrace::connectors::filesystem
