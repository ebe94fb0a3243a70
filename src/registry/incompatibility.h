// What makes two schemas incompatible: one thing, with its place.
#pragma once

#include <string>

namespace millrace::registry {

struct Incompatibility {
  std::string kind;     // "TYPE_MISMATCH", as the schema's own world names it
  std::string path;     // in the reader's schema: "/fields/2/type"
  std::string message;  // one line
};

}  // namespace millrace::registry
