// PartWriter: gathers the rows of one directory into one staged file.
//
// Contract: MakeRoom may fail and be repeated; Append never fails, so that a row is never taken
// twice; Finish may be repeated after a failure and leaves the whole file on stable storage.
#pragma once

#include <duckdb.hpp>
#include <memory>
#include <string>

#include "base/status.h"
#include "connectors/connector.h"
#include "duck/warehouse.h"
#include "env/files.h"

namespace millrace::connectors::filesystem {

class PartWriter {
 public:
  virtual ~PartWriter() = default;
  // Writes out what fills the memory.
  virtual Status MakeRoom() = 0;
  // Takes the first `count` rows of `selection`; `rows` has the file's columns.
  virtual void Append(duckdb::DataChunk& rows, const duckdb::SelectionVector& selection,
                      duckdb::idx_t count) = 0;
  virtual Status Finish() = 0;
  // Size of the file so far, before compression.
  virtual int64_t bytes() const = 0;
};

// Makes the writers of one sink.
class PartWriters {
 public:
  virtual ~PartWriters() = default;
  virtual Result<std::unique_ptr<PartWriter>> New(const std::string& staged_path) = 0;
};

// JSON lines, CSV, raw. `schema`: the file's columns.
Result<std::unique_ptr<PartWriters>> NewTextWriters(const TableContext& table,
                                                    const model::Schema& schema,
                                                    env::FileSystem& files);
// Parquet (zstd), written by a DuckDB of its own that spills below `spill_directory`.
Result<std::unique_ptr<PartWriters>> NewParquetWriters(const model::Schema& schema,
                                                       const std::string& spill_directory,
                                                       env::FileSystem& files);

}  // namespace millrace::connectors::filesystem
