// Segment: one file of a partition's record batches, with its index.
//
// Contract
//   threads   any; the partition sees to it that one thread at a time writes.
//   lazy      file and index are opened when used, and closed again by OpenFiles when too many are
//             open; a caller who holds the file keeps it.
//   readers   read below durable_bytes() only.
//
// Format: `<base offset, 20 digits>.log` holds record batches (log/record_batch.h) one after the
// other, whose offsets follow each other from the base offset on; `.index` and `.timeindex` beside
// it: log/segment_index.h.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "env/files.h"
#include "log/segment_index.h"

namespace millrace::log {

class OpenFiles;

class Segment : public std::enable_shared_from_this<Segment> {
 public:
  Segment(env::FileSystem* files, OpenFiles* open_files, std::string directory, int64_t base_offset,
          int64_t durable_bytes);

  int64_t base_offset() const { return base_offset_; }
  std::string path() const { return Path(".log"); }
  std::string Path(std::string_view suffix) const;
  int64_t durable_bytes() const { return durable_bytes_.load(std::memory_order_acquire); }
  // What was just written, up to `end`, is durable.
  void Grow(int64_t end);
  // Of the bytes before this it is known that their checksums hold: this process has written them,
  // or seen them whole in the file.
  int64_t checked_bytes() const { return checked_bytes_.load(std::memory_order_relaxed); }
  // The checksums of [position, end) hold.
  void NoteChecked(int64_t position, int64_t end);

  Result<std::shared_ptr<env::File>> File(env::OpenMode mode);
  // Closes the file, unless the segment has been used since `used`: then false.
  bool CloseIfIdle(uint64_t used);
  // Opens file and index and keeps them, because its path is about to hold something else.
  Status KeepOpen();
  uint64_t last_used() const { return last_used_.load(std::memory_order_relaxed); }

  // Where to start reading for an offset, a time, or a byte position (nullopt: none behind it).
  Result<IndexEntry> FindOffset(int64_t offset);
  Result<IndexEntry> FindTime(int64_t timestamp_ms);
  Result<std::optional<IndexEntry>> FindPosition(int64_t position);
  // The last indexed batch at or before both.
  Result<IndexEntry> FindLast(int64_t offset, int64_t position);
  // INT64_MIN when the segment holds no record.
  Result<int64_t> MaxTimestamp();

  // Loads the index, or builds what is missing of it.
  Status PrepareIndex();
  void AddToIndex(const BatchHeader& header, int64_t position);
  // Writes entries that are not on disk yet. What cannot be written is built again when needed.
  void PersistIndex();
  // Reads all headers again, because an entry of the index turned out to be wrong.
  Status RebuildIndex();

 private:
  Status PrepareIndexLocked();
  Status ExtendIndexLocked();

  env::FileSystem* files_;
  OpenFiles* open_files_;
  const std::string directory_;
  const int64_t base_offset_;
  std::atomic<int64_t> durable_bytes_;
  std::atomic<int64_t> checked_bytes_{0};
  std::atomic<uint64_t> last_used_{0};

  std::mutex file_mutex_;
  std::shared_ptr<env::File> file_;
  bool writable_ = false;
  bool kept_open_ = false;

  std::mutex index_mutex_;  // taken before file_mutex_
  std::optional<SegmentIndex> index_;
  size_t persisted_entries_ = 0;
};

// "00000000000000000042" <-> 42; nullopt for anything that is not exactly 20 digits.
std::string SegmentName(int64_t base_offset);
std::optional<int64_t> ParseSegmentName(std::string_view name);

// Keeps the number of open segment files near a limit by closing those not used for longest.
class OpenFiles {
 public:
  explicit OpenFiles(size_t limit) : limit_(limit) {}
  uint64_t Tick() { return clock_.fetch_add(1, std::memory_order_relaxed) + 1; }
  void Opened(std::shared_ptr<Segment> segment);

 private:
  const size_t limit_;
  std::atomic<uint64_t> clock_{0};
  std::mutex mutex_;
  std::vector<std::weak_ptr<Segment>> open_;
};

}  // namespace millrace::log
