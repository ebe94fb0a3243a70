// CheckpointFiles: the changes of one checkpoint, written to sorted table files beside the state.
//
// A checkpoint of a large state is hundreds of megabytes that are each written once. Through a
// database's write-ahead log and memory table they would be copied four times; here they are
// gathered in blocks of memory, sorted if they have to be, and written past the page cache.
//
// Contract: gather (as StateWriter), then Finish; one thread. Changes to the same key count in the
// order they were gathered, also across files: a later file of `paths()` overrules earlier ones.
// After an error nothing gathered is lost, and Finish may be called again.
#pragma once

#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "state/state_store.h"

namespace millrace::state {

// The changes that go into one file, in memory.
class SortedRun {
 public:
  struct Change {
    std::string_view key;    // operator id and key, in blocks_
    std::string_view value;  // in blocks_
    bool deleted = false;
  };
  struct DeletedRange {
    std::string first, last;  // [first, last)
    size_t at = 0;            // changes gathered before it; it deletes only these
  };

  void Add(uint32_t operator_id, std::string_view key, std::string_view value, bool deleted);
  void AddDeletedRange(DeletedRange range);
  // Forgets everything and keeps the blocks for what comes next.
  void Clear();

  bool empty() const { return changes_.empty() && ranges_.empty(); }
  size_t bytes() const { return bytes_; }
  // As gathered, for a store that keeps the order itself.
  void AppendTo(rocksdb::WriteBatch& batch) const;
  // One table file; its path must be free. Errors: of the disk.
  rocksdb::Status WriteTo(const std::string& path, const rocksdb::Options& options);

 private:
  char* Allocate(size_t size);
  // The changes that still count, by key, each key once.
  std::vector<Change> Sorted() const;

  std::vector<std::unique_ptr<char[]>> blocks_;
  std::vector<std::unique_ptr<char[]>> large_;  // of changes larger than a block
  size_t blocks_used_ = 0;
  size_t block_size_used_ = 0;  // of the last used block
  std::vector<Change> changes_;
  std::vector<DeletedRange> ranges_;
  bool sorted_ = true;  // as gathered, without a key twice
  size_t bytes_ = 0;
};

class CheckpointFiles : public StateWriter {
 public:
  // Files are `directory`/<epoch>-<n>.sst. `run_bytes`: a file is written as soon as so much has
  // been gathered.
  CheckpointFiles(std::string directory, rocksdb::Options options, size_t run_bytes);

  void Put(uint32_t operator_id, std::string_view key, std::string_view value) override;
  void Delete(uint32_t operator_id, std::string_view key) override;
  void DeletePrefix(uint32_t operator_id, std::string_view prefix) override;

  // Begins the checkpoint of `epoch`.
  void Start(model::Epoch epoch);
  // Everything fits into memory and no file was written yet: it is small, take it as a batch.
  bool IsSmall(size_t bytes) const { return paths_.empty() && run_.bytes() <= bytes; }
  void AppendTo(rocksdb::WriteBatch& batch) const { run_.AppendTo(batch); }
  // Writes what is left; then `paths` are all files of the checkpoint, in order.
  rocksdb::Status Finish();
  const std::vector<std::string>& paths() const { return paths_; }
  // Gathered since Start.
  int64_t bytes() const { return bytes_written_ + static_cast<int64_t>(run_.bytes()); }
  // Forgets the checkpoint's changes; its files are somebody else's now, or deleted.
  void Clear();

 private:
  void MakeRoomFor(uint32_t operator_id);
  rocksdb::Status WriteRun();

  const std::string directory_;
  const rocksdb::Options options_;
  const size_t run_bytes_;
  model::Epoch epoch_ = 0;
  uint32_t operator_id_ = 0;  // of the run
  SortedRun run_;
  std::vector<std::string> paths_;
  int64_t bytes_written_ = 0;
  bool failing_ = false;  // a file could not be written: gather on until Finish
};

}  // namespace millrace::state
