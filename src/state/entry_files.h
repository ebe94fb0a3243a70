// EntryFiles: a directory's files of entries, one after the other, of which a checkpoint makes the
// older ones unnecessary. What the decision log and the answer journal have in common.
//
// Contract: of one thread. A payload begins with the number of its epoch (8 bytes); epochs come in
// order.
//
// Format: files `<prefix><first epoch, 20 digits>` of entries as in entry_bytes.h. A torn or
// damaged tail is cut off on open: its epoch never committed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "env/files.h"
#include "model/position.h"

namespace millrace::state {

// Where a payload is.
struct EntryPlace {
  std::string path;
  int64_t offset = 0;
  int64_t size = 0;
};

class EntryFiles {
 public:
  EntryFiles(env::FileSystem* files, std::string directory, std::string prefix)
      : files_(files), directory_(std::move(directory)), prefix_(std::move(prefix)) {}

  // What is called for each entry; false where it cannot be understood: there the file ends.
  using Take =
      std::function<bool(model::Epoch epoch, std::string_view payload, const EntryPlace& place)>;
  // Makes the directory, reads what is there, and goes on behind it. Once, before all else.
  Status Open(const Take& take);

  // Writes an entry of `epoch`, without waiting for the disk.
  Status Append(model::Epoch epoch, std::string_view payload);
  // Makes durable what was appended.
  Status Sync();
  Result<std::string> Read(const EntryPlace& place) const;

  // Forgets entries up to `epoch`; whole files only: all of them, or none when newer ones are
  // there. True: nothing is left.
  Result<bool> ForgetUpTo(model::Epoch epoch);

 private:
  env::FileSystem* files_;
  std::string directory_;
  std::string prefix_;
  std::vector<std::string> paths_;  // of all files, oldest first; the last one is open
  std::unique_ptr<env::File> file_;
  int64_t size_ = 0;
  model::Epoch last_epoch_ = 0;
};

}  // namespace millrace::state
