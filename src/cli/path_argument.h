// Tells a path from the name of a job, for commands whose first argument may be either.
#pragma once

#include <sys/stat.h>

#include <string>

namespace millrace::cli {

// Whether something of that name is there, or the text could only be a path.
inline bool LooksLikePath(const std::string& argument) {
  struct stat found {};
  return stat(argument.c_str(), &found) == 0 || argument.find('/') != std::string::npos ||
         argument.ends_with(".sql");
}

}  // namespace millrace::cli
