// FaultFileSystem: files in memory for tests, on a disk that fills up, fails and loses power.
//
// Contract
//   synced      a file keeps its bytes as of the last Sync, and every write since; a
//               directory keeps its entries as of the last SyncDirectory, and every change since.
//   crash       Restart() is the next boot: of each file's unsynced writes none, all, the first few
//               or any 512-byte sectors survive (others read as zeros or garbage where the file
//               grew); of each directory's unsynced changes the first few survive. Chosen by the
//               seed. Files and locks opened before are dead.
//   operations  WriteAt, Sync, Truncate, creating Open, Rename, Remove and SyncDirectory are
//               counted and can be made to fail; reads fail only between CrashAt and Restart.
//   threads     any.
#pragma once

#include <map>
#include <mutex>
#include <random>
#include <set>

#include "env/files.h"

namespace millrace::env {

class FaultFileSystem : public FileSystem {
 public:
  explicit FaultFileSystem(uint64_t seed = 0);
  ~FaultFileSystem() override;

  // The n-th operation from now (1 = the next) fails once with `error`; a write may have been done
  // in part, a sync has not been done. Several may be planned.
  void FailOperation(int64_t n, Status error);
  // The next `count` calls of File::Sync fail with kIo and do nothing.
  void FailSyncs(int count);
  // The n-th operation from now is cut off half-way, and every call after it fails until Restart.
  void CrashAt(int64_t n);
  // As if the power failed now (or at the CrashAt before) and came back.
  void Restart();
  // Bytes all files may hold together; a write beyond is cut short: kResourceExhausted. -1: no
  // limit.
  void SetCapacity(int64_t bytes);

  int64_t operations() const;
  bool crashed() const;
  int open_files() const;
  int64_t used_bytes() const;
  // Replaces a file's bytes, as if they had always been so: damage, or a prepared file.
  void SetContent(const std::string& path, std::string bytes);
  // "" when there is no such file.
  std::string Content(const std::string& path) const;

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Status CreateDirectory(const std::string& path) override;
  Status CreateDirectories(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Result<int64_t> Size(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  struct Write {
    bool truncate = false;
    int64_t offset = 0;  // of the write, or the new size
    std::string bytes;
  };
  struct Node {
    bool directory = false;
    std::string data;
    std::string synced;
    std::vector<Write> unsynced;
  };
  // A change of a directory's entries that SyncDirectory has not seen yet; null: the name is gone.
  struct Change {
    std::string directory;
    std::vector<std::pair<std::string, std::shared_ptr<Node>>> entries;
  };
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  class OpenFile;
  class HeldLock;

  // Counts an operation. Its error, if one is planned; *partial: carry out a part before failing.
  Status Begin(const char* what, const std::string& path, bool* partial);
  Status Alive(const char* what, const std::string& path) const;
  void ChangeEntries(Change change);
  void SyncEntries(const std::string& directory);
  static std::string Survivors(const Node& node, std::mt19937_64& random);
  int64_t UsedLocked() const;

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  Entries entries_;
  Entries synced_entries_;
  std::vector<Change> unsynced_changes_;
  std::set<std::string> locks_;
  std::map<int64_t, Status> planned_;
  int64_t operations_ = 0;
  int64_t crash_at_ = -1;
  int64_t capacity_ = -1;
  int failing_syncs_ = 0;
  int open_files_ = 0;
  bool crashed_ = false;
  uint64_t boot_ = 1;
};

}  // namespace millrace::env
