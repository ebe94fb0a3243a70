// MR_CHECK: stops the process when one of our own assumptions is wrong. Kept in release builds.
// Never for input: a user's mistake is a Status, a bad row is a RowError.
#pragma once

namespace millrace {

[[noreturn]] void CheckFailed(const char* file, int line, const char* expr, const char* message);

}  // namespace millrace

#define MR_CHECK(expr, message)                                    \
  do {                                                             \
    if (!(expr)) [[unlikely]] {                                    \
      ::millrace::CheckFailed(__FILE__, __LINE__, #expr, message); \
    }                                                              \
  } while (false)
