// Files where DuckDB's file systems reach them: objects of an S3 store, by the secrets that the
// database of a connection has.
//
// Contract: as the connection, one thread. Each call blocks until the store answers, or DuckDB
// gives up. Errors: what DuckDB reports (kIo, kInvalidArgument for an answer of HTTP).
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"

namespace millrace::duck {

// Loads what DuckDB needs to read and write S3, unless it is there, and keeps it from looking for
// secrets on this machine. Error kFailedPrecondition when the extension is not there.
Status LoadRemoteFiles(duckdb::Connection& connection);

// Runs `body` with the file systems of the connection. They look for their secrets in a
// transaction, so there may be none already.
Status WithFiles(duckdb::Connection& connection,
                 const std::function<void(duckdb::FileSystem&)>& body);

struct RemoteFile {
  std::string path;  // below the directory that was asked for
  int64_t bytes = 0;
  int64_t modified_us = 0;  // wall clock of the store
};

// All files below `directory`, by their paths; none when there is nothing.
Result<std::vector<RemoteFile>> ListRemoteFiles(duckdb::Connection& connection,
                                                const std::string& directory);
// Makes `target` the bytes of the file `local`, in one step: the object appears when it is whole.
Status UploadFile(duckdb::Connection& connection, const std::string& local,
                  const std::string& target);
Status RemoveRemoteFile(duckdb::Connection& connection, const std::string& path);

}  // namespace millrace::duck
