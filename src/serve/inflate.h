// Inflate: undoes a request body's Content-Encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace millrace::serve {

// `encoding` is "gzip", "x-gzip" or "deflate", in any case. Stops as soon as the output would pass
// `bytes_max`. Errors: kUnsupported (another encoding), kResourceExhausted (over the limit),
// kInvalidArgument (not valid, truncated, or followed by other bytes).
Result<std::string> Inflate(std::string_view encoding, std::string_view bytes, int64_t bytes_max);

// For answers that are compressed once and kept.
std::string Gzip(std::string_view bytes);

}  // namespace millrace::serve
