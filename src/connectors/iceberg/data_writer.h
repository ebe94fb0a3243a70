// DataWriter: gathers rows and writes them into Parquet files that an Iceberg table can take.
//
// Contract: one thread. A DuckDB of its own, in memory, holds the rows and spills what exceeds its
// limit. Append takes all rows or, on an error, none; WriteFiles leaves the rows until Forget.
#pragma once

#include <cstdint>
#include <duckdb.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/connector.h"
#include "connectors/iceberg/manifest.h"
#include "connectors/iceberg/partition_transform.h"
#include "connectors/iceberg/table_files.h"
#include "connectors/s3/s3_options.h"
#include "duck/warehouse.h"

namespace millrace::connectors::iceberg {

// How the rows of a partition are cut into files.
struct FileShape {
  int64_t rows = 0;                // in each, at most; 0: all in one
  std::vector<std::string> order;  // columns that files are cut by, where they are
};

class DataWriter {
 public:
  static Result<std::unique_ptr<DataWriter>> Open(const std::string& spill_directory);
  // Who may read and write the store that files are in, from here on.
  Status UseAccess(const s3::Access& access);

  // What rows look like from here on: `columns`, in this order, as the table has them. Nothing may
  // be gathered.
  Status Describe(const IcebergSchema& columns, std::vector<PartitionTransform> partition);
  // Rows of the columns, or of types that are cast to theirs.
  Status Append(const SinkBatch& batch);
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }  // before compression, roughly
  // Puts the rows of a query, which has values for the columns in their order, into the place of
  // what was gathered.
  Status Fill(const std::string& query);
  // One file for each partition that has rows, or more, by the shape.
  Result<std::vector<DataFile>> WriteFiles(const std::string& directory,
                                           const FileShape& shape = {});
  Status Forget();
  // The rows of `files`, which are in one partition, as one file with these columns.
  Result<DataFile> Rewrite(const std::vector<DataFile>& files, const IcebergSchema& columns,
                           const std::string& directory);

  // A query for these columns of the rows of `files`; with `file_column`, if it is not "", one
  // more: the file's path, as PathOf gives it.
  std::string RowsOf(const std::vector<DataFile>& files, const IcebergSchema& columns,
                     const std::string& file_column = "") const;

  TableFiles& files() { return *files_; }
  duckdb::Connection& connection() { return *connection_; }
  // An error that another try may mend has Retry::kBackoff.
  Result<duck::QueryResult> Query(const std::string& sql);

 private:
  DataWriter() = default;
  Result<DataFile> Copy(const std::string& query, const IcebergSchema& columns,
                        const std::string& directory);
  // As files of the partition, whose `count` rows `query` has.
  Status WriteCut(const std::string& query, int64_t count, const std::string& directory,
                  const FileShape& shape, std::vector<duckdb::Value> partition,
                  std::vector<DataFile>& files);

  std::unique_ptr<duck::Warehouse> database_;
  std::unique_ptr<duckdb::Connection> connection_;
  std::unique_ptr<TableFiles> files_;
  IcebergSchema columns_;
  duckdb::vector<duckdb::LogicalType> types_;
  std::vector<PartitionTransform> partition_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
};

// "millrace-…", by chance: the name of a file of ours.
std::string NewFileName(const std::string& extension);
// Whether it is one of those.
bool IsOurFile(const std::string& location);
// Positive, by chance.
int64_t NewSnapshotId();

}  // namespace millrace::connectors::iceberg
