// What a commit asks of the catalog, as JSON: a new snapshot at the head of the table.
//
// Source: Iceberg REST catalog, CommitTableRequest; table specification, "Snapshots" and the
// optional fields of their summary.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "connectors/iceberg/manifest.h"

namespace millrace::connectors::iceberg {

struct NewSnapshot {
  int64_t id = 0;
  int64_t timestamp_ms = 0;
  std::string manifest_list;
  std::string operation;                          // "append", "replace"
  std::map<std::string, std::string> extra = {};  // of the summary
  // What changes, for the summary.
  std::vector<DataFile> added = {};
  std::vector<DataFile> removed = {};
};

// That the table is the same one, with the head that `table` has.
std::vector<std::string> HeadIsStill(const TableMetadata& table);
// Puts a snapshot behind the head of `table`.
std::vector<std::string> AddSnapshot(const TableMetadata& table, const NewSnapshot& snapshot);

// The epoch that the newest snapshot of a job has; 0: there is none. Snapshots behind which the
// head was set back count, too: what an epoch wrote was there, and somebody took it back.
int64_t CommittedEpoch(const TableMetadata& table, const std::string& job);
// Of each job, the snapshot that says how far it came.
std::map<std::string, const Snapshot*> NewestOfJobs(const TableMetadata& table);
// As these find it.
std::map<std::string, std::string> EpochSummary(const std::string& job, int64_t epoch);

}  // namespace millrace::connectors::iceberg
