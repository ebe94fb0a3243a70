// SwapFile: a compacted file on its way to the place of the segments that it was made of.
//
// Contract: the file `<base>-<end>.swap` is durable and whole; once its name is, it is the content
// of the offsets [base, end). CompleteSwap may be repeated after any crash or error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "env/files.h"

namespace millrace::log {

struct SwapFile {
  std::string directory;
  int64_t base_offset = 0;
  int64_t end_offset = 0;

  std::string path() const;
};

// nullopt when the file's name is not a swap file's.
std::optional<SwapFile> ParseSwapFile(const std::string& directory, std::string_view name);

// Removes the segments in [base, end), with their indexes, and takes the first one's name.
Status CompleteSwap(env::FileSystem& files, const SwapFile& swap, bool fsync);

// At start: completes what a crash has cut short, removes files that do not count yet.
Status RecoverSwaps(env::FileSystem& files, const std::string& directory, bool fsync);

}  // namespace millrace::log
