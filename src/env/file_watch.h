// FileWatch: which files in some directories changed, as the system tells it (inotify).
//
// Contract
//   threads   one; Interrupt may be called from any.
//   complete  what changes in a directory after Add returned is reported by a later Wait: files
//             that were made, written and closed, renamed (both names), linked, removed, and
//             directories that came or went, which stand for all in them. More may be reported than
//             changed; what is still open for writing is reported again when it is closed.
//   not seen  writes by another name (a link elsewhere); what other machines do on a shared disk.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/status.h"

namespace millrace::env {

struct FileChanges {
  std::set<std::string> paths;  // as Add was given the directory: "<directory>/<name>"
  bool lost = false;            // more happened than the system kept: anything may have changed
  bool empty() const { return paths.empty() && !lost; }
};

class FileWatch {
 public:
  // kResourceExhausted: the system gives this user no more of them, with what to raise.
  static Result<std::unique_ptr<FileWatch>> Open();
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  // Watches a directory, and if `below` all directories in it, also those to come (no links). Gives
  // whether it was not watched that way before; false for one that is not there. Errors:
  // kResourceExhausted at the system's limit of watches, kIo.
  Result<bool> Add(const std::string& directory, bool below);

  // Waits until something has changed, and then until nothing more has for `quiet_ms`, so that what
  // happens together is told together; but not longer than ten times that. Nothing: interrupted.
  Result<FileChanges> Wait(int64_t quiet_ms);

  // Ends the Wait that is at work, or else the next one.
  void Interrupt();

 private:
  FileWatch(int inotify, int wake) : inotify_(inotify), wake_(wake) {}
  Status AddOne(const std::string& directory, bool below);
  Status AddTree(const std::string& directory);
  void Drop(const std::string& directory);
  // Whether there was anything to read.
  Result<bool> ReadEvents(FileChanges& changes);
  Status TakeEvent(int watch, uint32_t mask, const std::string& name, FileChanges& changes);

  struct Directory {
    std::string path;
    bool below = false;
  };
  int inotify_;
  int wake_;                              // an eventfd
  std::map<int, Directory> directories_;  // by the system's number
  std::map<std::string, int> numbers_;
};

}  // namespace millrace::env
