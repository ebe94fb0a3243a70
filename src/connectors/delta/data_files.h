// DataFiles: the Parquet files of a Delta table that one writer makes.
//
// They are named part-<writer>-<uuid>.parquet, in directories "<column>=<value>/" where the table
// is partitioned, whose columns are then not in the files. What the log does not know and has this
// writer's name was left by a process that died, or by an attempt that failed.
//
// Contract: one thread. Files are on stable storage when a method returns them. Errors that another
// try may mend have Retry::kBackoff; every method may be repeated.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/delta/actions.h"
#include "connectors/delta/delta_log.h"
#include "connectors/delta/table_store.h"
#include "duck/warehouse.h"
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
  // `store` outlives this.
  DataFiles(TableStore& store, DataFileSettings settings);

  // Starts a DuckDB, in memory, that spills what exceeds its limit, and opens the store for it.
  Status Open();
  duckdb::Connection& connection() { return *connection_; }
  Result<std::string> Uuid();

  // The rows of a query as new files; none when there are no rows. `columns`: those of the query.
  Result<std::vector<AddFile>> Write(const std::string& query, const model::Schema& columns,
                                     const std::vector<std::string>& partitioned_by,
                                     int64_t now_ms);
  // The rows of `files`, which are of one partition, as one new file.
  Result<AddFile> Merge(const std::vector<AddFile>& files, const model::Schema& columns,
                        int64_t now_ms);
  // A query for `columns` of the rows of `files`, and the column kFileColumn: Name(path). What a
  // file lacks, as it is from before a column was added, is NULL.
  std::string RowsOf(const std::vector<AddFile>& files, const model::Schema& columns) const;
  static constexpr const char* kFileColumn = "millrace_file";
  // A path of the log as DuckDB opens it.
  std::string Name(const std::string& path) const;
  // Deletes this writer's files that `snapshot` does not have, neither as files nor as tombstones,
  // and that no commit of before can still bring there. To be called while nothing is written and
  // not committed. Returns how many.
  Result<int64_t> DeleteOrphans(const Snapshot& snapshot);
  // Fine when there is no such file.
  Status Delete(const std::string& path);

 private:
  Result<std::vector<AddFile>> Copy(const std::string& query, const std::string& to,
                                    const std::string& options, const model::Schema& columns,
                                    int64_t now_ms);
  std::string Prefix() const;  // of file names
  Status Execute(const std::string& sql);

  TableStore& store_;
  const DataFileSettings settings_;
  std::unique_ptr<duck::Warehouse> database_;
  std::unique_ptr<duckdb::Connection> connection_;
};

}  // namespace millrace::connectors::delta
