// TableStore: where a Delta table is: in a directory of this machine, or below a prefix of an S3
// store.
//
// What makes a table's log safe is WriteNew: of several writers of one name one succeeds. On a disk
// this is a rename that replaces nothing, in S3 a PUT with If-None-Match.
//
// Contract: one thread. Paths are whole ones, as DuckDB opens them. What a method has returned from
// is on stable storage. What an S3 store answers may be asked again (Retry::kBackoff); a request
// that failed there may still be done later.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "connectors/s3/s3_options.h"
#include "env/clock.h"
#include "env/files.h"

namespace millrace::connectors::delta {

class TableStore {
 public:
  virtual ~TableStore() = default;
  // Lets DuckDB in. `connection` is used from here on. kUnsupported: commits would not be safe.
  virtual Status Open(duckdb::Connection& connection) = 0;
  // Whether a request may be done after its answer was given up.
  virtual bool remote() const = 0;
  // Names of what is in a directory, sorted; none when it does not exist.
  virtual Result<std::vector<std::string>> List(const std::string& directory) = 0;
  // Paths of the data files whose names begin with `prefix`, in the table and `levels` directories
  // of partitions below, that nobody can be about to commit any more.
  virtual Result<std::vector<std::string>> FindSettled(const std::string& prefix,
                                                       size_t levels) = 0;
  // kNotFound.
  virtual Result<std::string> Read(const std::string& path) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;
  // kAlreadyExists: there is one, perhaps of this very call.
  virtual Status WriteNew(const std::string& path, std::string_view text) = 0;
  virtual Status Replace(const std::string& path, std::string_view text) = 0;
  // Where on this machine a file is made that is published then.
  virtual std::string staging() const = 0;
  // Makes the file `staged` the one at `path`, in one step.
  virtual Status Publish(const std::string& staged, const std::string& path) = 0;
  // Of files that DuckDB has written.
  virtual Status MakeDurable(const std::vector<std::string>& paths) = 0;
  // Fine when there is none.
  virtual Status Remove(const std::string& path) = 0;
};

// `directory`: of the table; `writer` keeps what several writers write aside apart.
std::unique_ptr<TableStore> NewLocalStore(env::FileSystem& files, std::string directory,
                                          const std::string& writer);
// `directory`: "s3://…"; `staging`: a directory of this machine.
std::unique_ptr<TableStore> NewS3Store(const s3::Access& access, env::Clock& clock,
                                       std::string directory, const std::string& writer,
                                       const std::string& staging);

}  // namespace millrace::connectors::delta
