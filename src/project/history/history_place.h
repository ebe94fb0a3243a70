// HistoryPlace: where the files of histories lie: below a directory of this machine, or below a
// prefix of an S3 store.
//
// Contract: List from any thread; the others from one at a time. A file is there whole or not at
// all. What a store answers may be asked again (Retry::kBackoff).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "duck/remote_files.h"
#include "duck/warehouse.h"

namespace millrace::project {

class HistoryPlace {
 public:
  virtual ~HistoryPlace() = default;
  // All files below `directory`, by their paths; none when it does not exist.
  virtual Result<std::vector<duck::RemoteFile>> List(const std::string& directory) = 0;
  // Where on this machine the next file of `directory` is to be written. What an earlier one, that
  // was never published, left there is of no use.
  virtual Result<std::string> Stage(const std::string& directory) = 0;
  // Makes the staged file durable as `path`, in one step; it is gone from where it was staged.
  virtual Status Publish(const std::string& staged, const std::string& path) = 0;
  // OK when there is none.
  virtual Status Remove(const std::string& path) = 0;
  // Removes what lies below `directory`, but not below `kept` in it, unless the place may be one
  // that others share.
  virtual Status RemoveOthers(const std::string& directory, const std::string& kept) = 0;
};

std::unique_ptr<HistoryPlace> NewLocalPlace();
// `database` has access to the store, and outlives it; files are staged in `staging`, a directory.
std::unique_ptr<HistoryPlace> NewRemotePlace(duck::Warehouse& database, std::string staging);

// What went wrong at `path`: to be asked again, where that is not on this machine.
Status AskAgain(Status status, const std::string& path);

}  // namespace millrace::project
