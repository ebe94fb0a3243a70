// EntryFiles: entries that belong to epochs, appended to files and forgotten file by file: what the
// decision log and the answer journal have in common.
//
// Contract: one thread. An entry is durable after Sync. Epochs never go back. Files are forgotten
// whole: EndFile says where one may end.
//
// Format: files `<prefix><first epoch, 20 digits>`; each entry is
//   4 bytes  length of the payload, little endian
//   8 bytes  XXH3-64 of the payload
//   payload  what the caller says
// A torn or damaged tail is cut off on open: its epoch never committed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "model/position.h"

namespace millrace::state {

class EntryFiles {
 public:
  // Where a payload lies; good until its epoch is forgotten.
  struct Place {
    std::string path;
    int64_t offset = 0;
    int64_t size = 0;
  };
  // Called for each entry found on open, in order; returns its epoch, or nothing when the payload
  // makes no sense: it and what follows in its file is then cut off.
  using Visit = std::function<std::optional<model::Epoch>(std::string_view payload, Place place)>;

  static Result<std::unique_ptr<EntryFiles>> Open(env::FileSystem* files,
                                                  const std::string& directory,
                                                  const std::string& prefix, const Visit& visit);

  // Errors: kIo, kResourceExhausted (a full disk; or a payload of 4 GiB and more). After an error
  // nothing was appended, and it may be tried again. Says where the payload lies.
  Result<Place> Append(model::Epoch epoch, std::string_view payload);
  Status Sync();
  Result<std::string> Read(const Place& place) const;

  // What is appended next goes to a file of its own.
  void EndFile();
  // Removes the files that hold nothing newer than `epoch`.
  Status ForgetUpTo(model::Epoch epoch);
  // From now on what is forgotten goes to `past/` below the directory, for who explains results
  // later; the oldest files there go first, so that they hold at most `bytes_max`. 0: keeps none.
  Status KeepPast(int64_t bytes_max);

  // The payloads of a file's content, up to one that is damaged or not written to its end.
  static void VisitPayloads(std::string_view content,
                            const std::function<void(std::string_view payload)>& visit);

 private:
  struct OneFile {
    std::string path;
    model::Epoch last = 0;  // newest epoch in it
  };
  EntryFiles(env::FileSystem* files, std::string directory, std::string prefix);
  Status FindEntries(const Visit& visit);
  Status Forget(const std::string& path);
  Status TrimPast();

  env::FileSystem* files_;
  const std::string directory_;
  const std::string prefix_;
  std::vector<OneFile> all_;         // oldest first
  std::unique_ptr<env::File> open_;  // the last of them; null: the next entry starts one
  int64_t size_ = 0;                 // of the open one
  int64_t past_bytes_max_ = 0;
};

}  // namespace millrace::state
