// Which files of a Delta table are worth merging.
#pragma once

#include <vector>

#include "connectors/delta/delta_log.h"

namespace millrace::connectors::delta {

// Groups of files of one partition and of like size, each to become one file of at most about
// `file_bytes`; files above half of that stay. Sizes are like within a factor of eight, and a group
// has eight files or makes a whole one, so that a row is rewritten a few times, not each time.
std::vector<std::vector<AddFile>> FilesToMerge(const Snapshot& snapshot, int64_t file_bytes);

}  // namespace millrace::connectors::delta
