// Frame: an answer on its way to the socket: bytes, and between them record batches that still lie
// in the log's files, so that the system can move them by itself.
#pragma once

#include <string>
#include <vector>

#include "log/log.h"

namespace millrace::kafka {

// Record batches of a response.
struct Records {
  std::string bytes;                    // first these,
  std::vector<log::BatchSlice> slices;  // then these
};

struct Frame {
  struct Slice {
    size_t at = 0;  // goes before bytes[at]
    log::BatchSlice batches;
  };
  std::string bytes;
  std::vector<Slice> slices;  // by `at`

  bool empty() const { return bytes.empty() && slices.empty(); }
};

}  // namespace millrace::kafka
