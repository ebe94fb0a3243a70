// Where a project keeps the histories of its topics: in its data directory, or, with `at`, below a
// prefix of an S3 store, whose access `batch: storage:` tells.
//
//   topics:
//     orders: {parquet: {keep: 400 d, at: "s3://data-lake/history"}}
#pragma once

#include <map>
#include <string>
#include <vector>

#include "duck/warehouse.h"
#include "project/project.h"

namespace millrace::project {

// Absolute, of what has no `at`.
std::string HistoryDirectory(const Project& project);
// Prefixes of S3 stores by topic, without slashes at the end; of those topics that have one.
std::map<std::string, std::string> RemoteHistories(const Project& project);
// All places that queries over histories read.
std::vector<std::string> HistoryDirectories(const Project& project);
// Gives a database access to the stores, once; nothing when there are none. Errors: the extension
// is not there (kFailedPrecondition); a reference to a secret leads nowhere (kNotFound).
Status UseHistoryStorage(const Project& project, duck::Warehouse& database);

}  // namespace millrace::project
