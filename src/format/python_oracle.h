// What a Python program of tests/support prints, line by line.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"

namespace millrace::format {

// `environment`: the directory of a Python environment that scripts/setup.sh has made; `program`:
// a file of tests/support, with its arguments.
inline std::vector<std::string> LinesOfPython(const std::string& environment,
                                              const std::string& program) {
  const std::string python = environment + "/bin/python";
  EXPECT_TRUE(std::filesystem::exists(python)) << "run scripts/setup.sh: there is no " << python;
  const std::string command = python + " " MILLRACE_SOURCE_DIR "/tests/support/" + program;
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 65536> buffer;
  for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;) {
    text.append(buffer.data(), n);
  }
  std::vector<std::string> lines = Split(text, '\n');
  lines.pop_back();
  return lines;
}

}  // namespace millrace::format
