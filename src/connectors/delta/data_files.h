// DataFiles: the Parquet files of a Delta table that one writer makes.
//
// They are named part-<writer>-<uuid>.parquet, in directories "<column>=<value>/" where the table
// is partitioned, whose columns are then not in the files. What the log does not know and has this
// writer's name was left by a process that died, or by an attempt that failed.
//
// Contract: one thread. A DuckDB of its own, in memory, gathers the rows and spills what exceeds
// its limit. Files are on stable storage when a method returns them. Errors that another try may
// mend have Retry::kBackoff; every method may be repeated.
#pragma once

#include <duckdb.hpp>
#include <duckdb/common/types/column/column_data_collection.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/delta/actions.h"
#include "connectors/delta/delta_log.h"
#include "duck/warehouse.h"
#include "env/files.h"
#include "model/schema.h"

namespace millrace::connectors::delta {

struct DataFileSettings {
  std::string directory;  // of the table
  std::string writer;     // of letters, digits, '_' and '-'
  std::string spill_directory;
  int64_t file_bytes = 0;  // target size
};

class DataFiles {
 public:
  DataFiles(env::FileSystem& files, DataFileSettings settings);

  // Starts the DuckDB in here.
  Status Open();
  // For the log's checkpoints.
  duckdb::Connection& connection() { return *connection_; }
  Result<std::string> Uuid();
  // Says what the rows to gather are; names are the table's. Once, before Gather.
  Status Begin(model::Schema columns);

  // Puts what fills the memory aside.
  Status MakeRoom();
  // Never fails, so that a row is never taken twice.
  void Gather(duckdb::DataChunk& rows);
  int64_t gathered_rows() const { return gathered_rows_; }
  // Forgets what was gathered.
  Status Forget();

  // The gathered rows as new files; none when there are no rows.
  Result<std::vector<AddFile>> Write(const std::vector<std::string>& partitioned_by,
                                     int64_t now_ms);
  // The rows of `files`, which are of one partition, as one new file of `columns`.
  Result<AddFile> Merge(const std::vector<AddFile>& files, const model::Schema& columns,
                        int64_t now_ms);
  // Whether this writer made the file.
  bool IsOwn(const std::string& path) const;
  // Deletes this writer's files that `snapshot` does not have, neither as files nor as tombstones.
  // To be called while nothing is written and not committed. Returns how many.
  Result<int64_t> DeleteOrphans(const Snapshot& snapshot);
  // Fine when there is no such file.
  Status Delete(const std::string& path);

 private:
  Status Flush();
  Result<std::vector<AddFile>> Copy(const std::string& rows, const std::string& to,
                                    const std::string& options, const model::Schema& columns,
                                    int64_t now_ms);
  Status Sync(const std::vector<AddFile>& files);
  Status FindOwn(const std::string& below, size_t levels, std::vector<std::string>& found);
  std::string Name(const std::string& path) const;  // on this machine
  std::string Prefix() const;                       // of file names
  Status Execute(const std::string& sql);

  env::FileSystem& files_;
  const DataFileSettings settings_;
  model::Schema columns_;
  std::unique_ptr<duck::Warehouse> database_;
  std::unique_ptr<duckdb::Connection> connection_;
  std::unique_ptr<duckdb::ColumnDataCollection> rows_;  // not in the table "gathered" yet
  int64_t gathered_rows_ = 0;                           // in both
};

}  // namespace millrace::connectors::delta
