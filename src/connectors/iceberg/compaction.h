// Compaction: many small files of a table become few, in a snapshot that changes no row.
//
// Files of one partition and about the same size, when there are eight of them, become one; so a
// row is written again once for every eightfold growth of its file, up to the target size. All
// small manifests become one. Files that others wrote stay as they are, and so does everything
// where there are files of deletes.
//
// Contract: one thread. If somebody else changes the table meanwhile, nothing is done.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "connectors/iceberg/data_writer.h"
#include "connectors/iceberg/rest_catalog.h"

namespace millrace::connectors::iceberg {

struct CompactionSettings {
  int64_t file_bytes = 0;    // target size of a file
  int64_t timestamp_ms = 0;  // of the snapshot
};

// What is merged: the places of files within `files`, together at most about `file_bytes`.
// Pure; all have one partition spec.
std::vector<std::vector<size_t>> ChooseFiles(const std::vector<DataFile>& files,
                                             int64_t file_bytes);

// `table` becomes what it is then. How many files were merged.
Result<int64_t> Compact(const CompactionSettings& settings, RestCatalog& catalog,
                        DataWriter& writer, TableMetadata& table);

}  // namespace millrace::connectors::iceberg
