#include "log/swap_files.h"

#include "log/segment.h"

namespace millrace::log {

namespace {
constexpr std::string_view kSwapSuffix = ".swap";
constexpr size_t kDigits = 20;
}  // namespace

std::string SwapFile::path() const {
  return directory + "/" + SegmentName(base_offset) + "-" + SegmentName(end_offset) +
         std::string(kSwapSuffix);
}

std::optional<SwapFile> ParseSwapFile(const std::string& directory, std::string_view name) {
  if (!name.ends_with(kSwapSuffix)) return std::nullopt;
  name.remove_suffix(kSwapSuffix.size());
  if (name.size() != 2 * kDigits + 1) return std::nullopt;
  const auto base = ParseSegmentName(name.substr(0, kDigits));
  const auto end = ParseSegmentName(name.substr(kDigits + 1));
  if (!base || !end) return std::nullopt;
  return SwapFile{directory, *base, *end};
}

Status CompleteSwap(env::FileSystem& files, const SwapFile& swap, bool fsync) {
  if (fsync) MR_RETURN_IF_ERROR(files.SyncDirectory(swap.directory));
  MR_ASSIGN_OR_RETURN(const auto names, files.List(swap.directory));
  for (const std::string& name : names) {
    const auto base = ParseSegmentName(std::string_view(name).substr(0, name.find('.')));
    if (!base || *base < swap.base_offset || *base >= swap.end_offset) continue;
    // The first segment's file is replaced, not removed: it names where the partition starts.
    if (*base == swap.base_offset && name.ends_with(".log")) continue;
    MR_RETURN_IF_ERROR(files.Remove(swap.directory + "/" + name));
  }
  // Gone for good before the name under which recovery would look for them is.
  if (fsync) MR_RETURN_IF_ERROR(files.SyncDirectory(swap.directory));
  MR_RETURN_IF_ERROR(
      files.Rename(swap.path(), swap.directory + "/" + SegmentName(swap.base_offset) + ".log"));
  return fsync ? files.SyncDirectory(swap.directory) : Status();
}

Status RecoverSwaps(env::FileSystem& files, const std::string& directory, bool fsync) {
  MR_ASSIGN_OR_RETURN(const auto names, files.List(directory));
  for (const std::string& name : names) {
    if (name.ends_with(".compacted")) MR_RETURN_IF_ERROR(files.Remove(directory + "/" + name));
    if (const auto swap = ParseSwapFile(directory, name)) {
      MR_RETURN_IF_ERROR(CompleteSwap(files, *swap, fsync));
    }
  }
  return {};
}

}  // namespace millrace::log
