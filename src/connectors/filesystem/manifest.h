// Manifest: what a file sink committed last; replacing it is the commit.
//
// Format, in <path>/.millrace/<writer>.json:
//   {"epoch": 12, "files": [{"staged": "11-0.part", "final": "dt=2024-01-01/part-….json"}, …]}
// "staged" lies in <path>/.staging/<writer>/, "final" below <path>.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "model/position.h"

namespace millrace::connectors::filesystem {

struct Manifest {
  struct Part {
    std::string staged;
    std::string final;
  };
  model::Epoch epoch = 0;
  std::vector<Part> parts;
};

// An empty manifest when there is none. Error kCorruption.
Result<Manifest> ReadManifest(env::FileSystem& files, const std::string& path);
// In one step, durable on return.
Status WriteManifest(env::FileSystem& files, const std::string& path, const Manifest& manifest);

}  // namespace millrace::connectors::filesystem
