// Files: nobody outside env/ asks the system for them, so that tests can use a disk that fails.
//
// Contract
//   threads    a FileSystem may be used from any thread; a File may be read from any thread while
//              one thread writes.
//   durable    bytes and length of a file: after File::Sync. A file that was created, renamed or
//              removed: after SyncDirectory of its directory. Directories: on return.
//   errors     kNotFound, kAlreadyExists, kIo; a full disk or quota is kResourceExhausted with
//              Retry::kBackoff. Messages name the operation, the path and the cause.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace millrace::env {

// One open file; closed by its destructor, which does not sync.
class File {
 public:
  virtual ~File() = default;
  // Reads up to `length` bytes; returns how many, fewer only at the end of the file.
  virtual Result<size_t> ReadAt(int64_t offset, char* to, size_t length) = 0;
  // Writes all parts one after the other, extending the file where needed. After an error any part
  // of them may have been written.
  virtual Status WriteAt(int64_t offset, std::span<const std::string_view> parts) = 0;
  // Puts everything written so far, and the length, on stable storage (fdatasync). After an error
  // nothing is known about what was written since the last success.
  virtual Status Sync() = 0;
  virtual Status Truncate(int64_t size) = 0;
  virtual Result<int64_t> Size() = 0;
  // For system calls that move bytes by themselves (sendfile); -1: there is none, use ReadAt.
  virtual int descriptor() const { return -1; }
};

// Held until destroyed; the system lets go of it when the process ends, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  kRead,    // kNotFound when it does not exist
  kWrite,   // read and write; kNotFound when it does not exist
  kCreate,  // read and write; created empty when it does not exist
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  // Creates `path` and its missing parents, durably; fine when it exists already.
  virtual Status CreateDirectories(const std::string& path) = 0;
  // Creates one directory in an existing one; durable after SyncDirectory of that, as files are.
  virtual Status CreateDirectory(const std::string& path) = 0;
  // Names (not paths) of all files and directories in `path`, sorted.
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  // Replaces `to` in one step if it exists. Files only, within one file system.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  // Removes a file or an empty directory; kNotFound when there is none.
  virtual Status Remove(const std::string& path) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
  virtual Result<int64_t> Size(const std::string& path) = 0;
  // Takes the exclusive lock file `path` and writes our process id into it. The lock belongs to the
  // open file, so it cannot outlive its process: a file left by a dead one is taken over.
  // kFailedPrecondition, naming the holder's id, when someone holds it (this process included).
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  // The machine's files; lives for ever.
  static FileSystem* Real();
};

// The whole content of a file.
Result<std::string> ReadWholeFile(FileSystem& files, const std::string& path);
// Replaces `path` in one step: after a crash it holds the old bytes or the new ones. Writes
// "<path>.tmp" first. Durable on return.
Status ReplaceFile(FileSystem& files, const std::string& path, std::string_view content);
// "a/b" for "a/b/c", "." for a name alone, "/" for "/x".
std::string ParentDirectory(std::string_view path);

}  // namespace millrace::env
