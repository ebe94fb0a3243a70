// PartitionOverwrite: COPY … TO directory (FORMAT parquet, PARTITION_BY (…), OVERWRITE), with each
// partition replaced in one step.
//
// A partition is one file, <directory>/<key>=<value>/data.parquet. The result is written aside as a
// whole; only then the files are put in place one by one, by a rename on a file system, by one PUT
// or one completed multipart upload on S3, where both replace an object in one step. So a reader
// sees a partition's old file or its new one, and a process that dies leaves some partitions old
// and some new, each of them whole; the next run replaces all of them again. OVERWRITE also removes
// the partitions that the result does not have; OVERWRITE_OR_IGNORE leaves them.
//
// Contract: one writer per directory on a file system (a lock); on S3 that is up to the caller. A
// file below the directory that is not called data.parquet is somebody else's: it is refused before
// anything is replaced, as readers would see its rows beside the new ones.
#pragma once

#include <duckdb.hpp>
#include <duckdb/parser/statement/copy_statement.hpp>
#include <string>

#include "base/status.h"

namespace millrace::batch {

// Whether it is for OverwritePartitions.
bool IsPartitionOverwrite(const duckdb::SQLStatement& statement);

struct Overwritten {
  int64_t partitions = 0;
  int64_t removed = 0;  // partitions
  int64_t rows = 0;
};

// `scratch`: a directory for what is written aside when the target is not on this machine's files.
// Errors: the query's; kUnsupported for options that make several files of a partition;
// kFailedPrecondition for files of others and a directory that is being written.
Result<Overwritten> OverwritePartitions(duckdb::Connection& connection,
                                        duckdb::unique_ptr<duckdb::SQLStatement> statement,
                                        const std::string& scratch);

}  // namespace millrace::batch
