#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void CheckFailed(const char* file, int line, const char* expr, const char* message) {
  std::fprintf(stderr, "millrace: internal error at %s:%d: %s (%s)\n", file, line, message, expr);
  std::abort();
}

}  // namespace millrace
