// Opening a partition: what its files say after a clean end, a crash, or damage.
#include <algorithm>

#include "log/batch_reader.h"
#include "log/partition.h"
#include "log/swap_files.h"

namespace millrace::log {

namespace {

struct FoundSegment {
  int64_t base_offset;
  int64_t bytes;
};

// Segments in `directory`, oldest first. Removes indexes whose segment is gone.
Result<std::vector<FoundSegment>> FindSegments(env::FileSystem& files,
                                               const std::string& directory) {
  MR_ASSIGN_OR_RETURN(const auto names, files.List(directory));
  std::vector<FoundSegment> found;
  for (const auto& name : names) {
    if (!name.ends_with(".log")) continue;
    const auto base = ParseSegmentName(std::string_view(name).substr(0, name.size() - 4));
    if (!base) continue;
    MR_ASSIGN_OR_RETURN(const int64_t bytes, files.Size(directory + "/" + name));
    found.push_back({*base, bytes});
  }
  for (const auto& name : names) {
    if (!name.ends_with(".index") && !name.ends_with(".timeindex")) continue;
    const auto base = ParseSegmentName(std::string_view(name).substr(0, name.find('.')));
    const bool orphan = base && std::none_of(found.begin(), found.end(), [&](const auto& segment) {
                          return segment.base_offset == *base;
                        });
    if (orphan) MR_RETURN_IF_ERROR(files.Remove(directory + "/" + name));
  }
  return found;
}

// The last written state if it fits the segments, else one that knows nothing yet.
PartitionState StartingState(env::FileSystem& files, const std::string& directory,
                             const std::vector<FoundSegment>& found) {
  std::optional<PartitionState> kept;
  const auto bytes = env::ReadWholeFile(files, directory + "/partition.state");
  if (bytes.ok()) {
    auto state = kept = DecodePartitionState(*bytes);
    if (state && found.empty()) {
      // Someone removed the segments. Offsets are never given twice, so go on behind them.
      state->segment_base = state->end_offset;
      state->position = 0;
      return *std::move(state);
    }
    const auto fits = [&](const FoundSegment& segment) {
      return segment.base_offset == state->segment_base && segment.bytes >= state->position;
    };
    if (state && std::any_of(found.begin(), found.end(), fits)) return *std::move(state);
  }
  PartitionState fresh;
  // What was deleted stays deleted, whatever became of the segments.
  if (kept) fresh.start_offset = kept->start_offset;
  if (!found.empty()) fresh.segment_base = fresh.end_offset = found.front().base_offset;
  return fresh;
}

}  // namespace

Result<std::shared_ptr<Partition>> Partition::Open(const PartitionContext& context,
                                                   const std::string& topic, int number,
                                                   const std::string& directory,
                                                   const TopicConfig& config) {
  env::FileSystem& files = *context.files;
  MR_RETURN_IF_ERROR(RecoverSwaps(files, directory, context.fsync));
  MR_ASSIGN_OR_RETURN(auto found, FindSegments(files, directory));
  PartitionState state = StartingState(files, directory, found);
  const bool has_file = !found.empty();
  if (!has_file) found.push_back({state.segment_base, 0});

  // Read on from the state, through the segments behind it, to the end of the newest.
  for (size_t i = 0; i < found.size(); i++) {
    FoundSegment& segment = found[i];
    if (segment.base_offset < state.segment_base) continue;
    if (segment.base_offset > state.segment_base) {
      state.segment_base = state.end_offset = segment.base_offset;
      state.position = 0;
    }
    if (state.position == segment.bytes) continue;
    const bool newest = i + 1 == found.size();
    const std::string path = directory + "/" + SegmentName(segment.base_offset) + ".log";
    MR_ASSIGN_OR_RETURN(const auto file, files.Open(path, env::OpenMode::kWrite));
    MR_ASSIGN_OR_RETURN(
        const ScanResult scan,
        ScanBatches(*file, state.position, segment.bytes, state.end_offset,
                    [&](const BatchHeader& header, int64_t position, std::string_view bytes) {
                      state.Account(header, position, MarkerCommits(bytes, header));
                    }));
    // Damage in a segment that was complete is left for readers to report; only the newest can
    // have a torn tail. What stands there whole becomes visible now, so it has to be durable.
    if (!newest) continue;
    if (scan.valid_bytes < segment.bytes) MR_RETURN_IF_ERROR(file->Truncate(scan.valid_bytes));
    if (context.fsync) MR_RETURN_IF_ERROR(file->Sync());
    segment.bytes = scan.valid_bytes;
  }
  // The newest segment's directory entry may be as young as its content.
  if (has_file && context.fsync && state.position == 0) {
    MR_RETURN_IF_ERROR(files.SyncDirectory(directory));
  }

  const int64_t now_ms = context.clock->WallMicros() / 1000;
  for (auto& [id, producer] : state.producers) {
    if (producer.last_used_ms == 0) producer.last_used_ms = now_ms;
  }
  const int64_t state_position = state.position;
  auto partition = std::shared_ptr<Partition>(
      new Partition(context, topic, number, directory, config, std::move(state)));
  for (const FoundSegment& segment : found) {
    partition->segments_.push_back(partition->NewSegment(segment.base_offset, segment.bytes));
  }
  partition->file_exists_ = has_file;
  partition->state_position_ = state_position;
  return partition;
}

}  // namespace millrace::log
