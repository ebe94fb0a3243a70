#include "connectors/delta/compaction.h"

#include <bit>
#include <map>
#include <utility>

namespace millrace::connectors::delta {

namespace {

constexpr int kTierBits = 3;  // sizes within a factor of eight
constexpr size_t kGroupFiles = 8;

}  // namespace

std::vector<std::vector<AddFile>> FilesToMerge(const Snapshot& snapshot, int64_t file_bytes) {
  std::map<std::pair<PartitionValues, int>, std::vector<AddFile>> alike;
  for (const auto& [path, file] : snapshot.files) {
    // Another table's file, shared by a clone, is not ours to judge.
    if (file.bytes > file_bytes / 2 || path.starts_with('/') || path.find(':') != path.npos)
      continue;
    const int tier = std::bit_width(static_cast<uint64_t>(file.bytes)) / kTierBits;
    alike[{file.partition, tier}].push_back(file);
  }
  std::vector<std::vector<AddFile>> groups;
  for (auto& [partition_and_tier, files] : alike) {
    std::vector<AddFile> group;
    int64_t bytes = 0;
    for (AddFile& file : files) {
      bytes += file.bytes;
      group.push_back(std::move(file));
      if (bytes < file_bytes) continue;
      groups.push_back(std::exchange(group, {}));
      bytes = 0;
    }
    if (group.size() >= kGroupFiles) groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace millrace::connectors::delta
